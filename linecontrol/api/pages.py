"""Recorded samples as JSON, page by page: neither the scans nor the memory notice how long a history is asked for.

Imported by the process that reads the history too, so it must not import the web framework.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from linecontrol.core.model import Sample
from linecontrol.history.aside import Aside
from linecontrol.history.reader import HistoryReader
from linecontrol.line.run_view import iso

PAGE_ROWS = 1000
_TICK_S = 1e-6  # what the history's times are whole numbers of


class Page(NamedTuple):
    """Rows of one tag, as JSON without the brackets around them.

    Attributes:
        counted: how many of them count against the limit; the value that held at the start does not.
        after: time [line s] of the last row; None when there is nothing behind it.
    """

    text: bytes
    counted: int
    after: float | None


def page(reader: HistoryReader, tag: str, start: float, end: float | None, limit: int, hold: bool) -> Page:
    """One page of a tag's samples; see HistoryReader.samples."""
    return encoded(reader.samples([tag], start, end, limit, hold=hold)[tag], start, limit)


def encoded(rows: Sequence[Sample], start: float, limit: int) -> Page:
    counted = sum(sample.time >= start for sample in rows)
    text = json.dumps([sample_json(sample) for sample in rows], ensure_ascii=False, separators=(",", ":"))
    return Page(text[1:-1].encode(), counted, rows[-1].time if rows and counted >= limit else None)


def sample_json(sample: Sample) -> dict[str, Any]:
    return {
        "time": iso(sample.time),
        "value": sample.value if not isinstance(sample.value, float) or math.isfinite(sample.value) else None,
        "quality": sample.status.quality.value,
        "status": sample.status.text,
    }


async def samples_json(
    aside: Aside, tags: Sequence[str], start: float, end: float | None, limit: int
) -> AsyncIterator[bytes]:
    """The answer to a question for samples, in pieces: an object with a list of rows for every tag.

    The first piece comes when the history has answered: before it, an error can still be told as such.
    """
    waiting = b"{"
    for number, tag in enumerate(tags):
        waiting += f"{',' if number else ''}{json.dumps(tag, ensure_ascii=False)}:[".encode()
        async for text in _tag_rows(aside, tag, start, end, limit):
            yield waiting + text
            waiting = b""
        waiting += b"]"
    yield waiting + b"}"


async def _tag_rows(aside: Aside, tag: str, start: float, end: float | None, limit: int) -> AsyncIterator[bytes]:
    left, is_first = limit, True
    while left > 0:
        found = await aside.ask(page, tag, start, end, min(left, PAGE_ROWS), is_first)
        if found.text:
            yield found.text if is_first else b"," + found.text
        if found.after is None:
            return
        left, start, is_first = left - found.counted, found.after + _TICK_S, False
