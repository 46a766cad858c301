"""Finds the row of the table of rights that a method and path fall under."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from starlette.routing import compile_path

from linecontrol.api.rights import ROUTES, SOCKETS, Right


class Match(NamedTuple):
    """``route``: the row's key, None = no row. ``is_path``: the path is there, with another method."""

    route: str | None
    right: Right | None
    is_path: bool


NOTHING = Match(None, None, is_path=False)


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, str, re.Pattern[str], Right]]:
    """Rows with their pattern, plain paths before those with parameters."""
    rows = []
    for key, right in ROUTES.items():
        method, _, path = key.partition(" ")
        rows.append((method, path, compile_path(path)[0], right))
    return sorted(rows, key=lambda row: row[1].count("{"))


def match(method: str, path: str) -> Match:
    """The row for this request."""
    is_path = False
    for row_method, row_path, pattern, right in _patterns():
        if pattern.match(path):
            if row_method == method:
                return Match(f"{row_method} {row_path}", right, is_path=True)
            is_path = True
    return Match(None, None, is_path=True) if is_path else NOTHING


def match_socket(path: str) -> Right | None:
    """The right a WebSocket asks for; None = there is none at this path."""
    return SOCKETS.get(path)
