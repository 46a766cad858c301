"""Answers as JSON, encoded in the process that reads the history: there it holds up no scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from linecontrol.history.reader import HistoryReader


def in_json(reader: HistoryReader, question: Callable[..., Any], *args: Any) -> bytes:
    """What ``question(reader, *args)`` returns, as compact JSON; NaN is an error."""
    found = question(reader, *args)
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str).encode()
