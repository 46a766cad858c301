"""What the cells of an exported table mean: numbers, times, qualities. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from linecontrol.control.quality_marks import BAD_WORDS, GOOD_WORDS, good_codes

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0}
NO_VALUE = frozenset(
    ("", "nan", "null", "none", "na", "n/a", "-", "--", "?", "bad", "no data", "nodata", "i/o timeout")
)
NO_VALUE |= {"#n/a", "#value!", "#div/0!", "inf", "-inf", "+inf", "1.#inf", "1.#qnan", "-1.#ind"}
_DATES = ("%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M")
_DAY_S = 86_400.0


def number_of(cell: str) -> float:
    """The number in a cell, NaN for a usual word for no value. Of comma and point the last is the decimal one.

    Raises ValueError for any other text.
    """
    text = cell.strip().replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")
    text = text.replace("\N{MINUS SIGN}", "-")
    if text.casefold() in NO_VALUE:
        return math.nan
    comma, point = text.rfind(","), text.rfind(".")
    if comma > point:
        text = text.replace(".", "").replace(",", ".") if text.count(",") == 1 else text.replace(",", "")
    elif comma >= 0:
        text = text.replace(",", "")
    if "_" in text:  # Python would take it
        raise ValueError(cell)
    value = float(text)
    return value if math.isfinite(value) else math.nan


def time_unit_of(header: str) -> str:
    """The unit that a time column's name ends in ("t_ms", "Time (min)", "time [h]"), otherwise seconds."""
    found = re.search(r"(?:^|[\s_\[(/])(ms|s|min|h)[\])]?$", header.strip(), re.IGNORECASE)
    return found.group(1).lower() if found else "s"


def times_of(cells: Sequence[str]) -> tuple[NDArray[np.float64], int | None]:
    """Times [s, or the numbers as they are], and the first cell that is none. All numbers, or all dates."""
    first = _moment(cells[0])
    values = np.zeros(len(cells))
    turned = 0.0  # midnights passed, for times of the day
    for n, cell in enumerate(cells):
        value = _number_time(cell) if first is None else _moment(cell)
        if value is None:
            return values, n
        if value < _DAY_S and first is not None and n and value + turned < values[n - 1] - 0.5 * _DAY_S:
            turned += _DAY_S
        values[n] = value + turned
    # Numbers of today's size in ms keep their digits; the caller makes them start at 0.
    return values - values[0], None


def _number_time(cell: str) -> float | None:
    try:
        value = number_of(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(cell: str) -> float | None:
    """Seconds since 1970 of a date, or since midnight of a time of day; None for a plain number or other text."""
    text = cell.strip()
    if ":" not in text and "-" not in text[1:] and not re.fullmatch(r"\d{8}T\d{6}.*", text):
        return None
    day = re.fullmatch(r"(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?", text)
    if day:
        hour, minute, second, part = day.groups()
        return int(hour) * 3600.0 + int(minute) * 60.0 + int(second) + float(f"0.{part or 0}")
    found = _date(text)
    if found is None:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(re.sub(r"(:\d\d),(\d+)", r"\1.\2", text))
    except ValueError:
        pass
    main, _, part = re.sub(r"(:\d\d),(\d+)$", r"\1.\2", text).partition(".") if text.count(".") == 1 else (text, "", "")
    if text.count(".") == 3:  # 01.05.2026 14:03:00.250
        main, _, part = text.rpartition(".")
    for form in _DATES:
        try:
            found = datetime.strptime(main.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return found.replace(microsecond=int((part + "000000")[:6])) if part.isdecimal() else found
    return None


def quality_of(cells: Sequence[str]) -> tuple[NDArray[np.bool_], int | None]:
    """Which cells say good, and the first that says neither. Codes: see ``quality_marks.good_codes``."""
    numbers = np.full(len(cells), math.nan)
    flags = np.zeros(len(cells), dtype=bool)
    for n, cell in enumerate(cells):
        word = cell.strip().casefold()
        if word in GOOD_WORDS or word in BAD_WORDS:
            flags[n] = word in GOOD_WORDS
            continue
        try:
            numbers[n] = number_of(word)
        except ValueError:
            return flags, n
    return flags | good_codes(numbers) if np.any(np.isfinite(numbers)) else flags, None
