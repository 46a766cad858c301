"""Tables for spreadsheets: numbers stay numbers, and no text is ever taken for a formula."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(file: TextIO, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180. Open ``file`` with ``newline=""``."""
    writer = csv.writer(file)
    writer.writerow(titles)
    for row in rows:
        writer.writerow([cell(value) for value in row])


def cell(value: Any) -> Any:
    """A value as a spreadsheet may have it.

    Somebody's text that a spreadsheet would compute (it begins with = + - @, a tab or a line's end) gets an apostrophe
    before it; a text that is a number stays one. None and NaN are empty.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.isascii() and "_" not in text and text == text.strip()
    except ValueError:
        return False
