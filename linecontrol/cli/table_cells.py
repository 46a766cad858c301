"""What the cells of an exported table mean: numbers, times, qualities, modes. Pure.

A column is read one way throughout: what its comma is, which of day and month comes first. Where two ways fit, it is
refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from linecontrol.control.quality_marks import ACCEPTED, BAD_WORDS, GOOD_WORDS, good_codes

Floats = NDArray[np.float64]
Mark = Literal[".", ","]

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86_400.0}
UNIT_NAMES = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "min": "minutes",
    "h": "hours",
    "d": "days",
}
NO_VALUE = frozenset(("", "nan", "null", "none", "na", "n/a", "?", "bad", "no data", "nodata", "i/o timeout"))
NO_VALUE |= {"#n/a", "#value!", "#div/0!", "inf", "-inf", "+inf", "1.#inf", "1.#qnan", "-1.#ind"}
A_NUMBER = "a number, with decimal point or comma; blank or NaN where there is none"
A_TIME = "seconds, or dates such as 2026-05-01 14:03:00.250, the same kind in every row"
A_MODE = "0 = manual, above 0 = automatic; or words such as MAN, AUTO, CAS"

_UNIT_WORDS = {
    "s": "s sec secs second seconds 秒 秒钟",
    "ms": "ms msec msecs millis millisecond milliseconds 毫秒",
    "us": "us μs usec usecs microsecond microseconds 微秒",
    "ns": "ns nsec nsecs nanosecond nanoseconds 纳秒",
    "min": "min mins minute minutes 分 分钟",
    "h": "h hr hrs hour hours 小时 时",
    "d": "d day days 天 日",
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split()}
_NO_BARE = frozenset(("day", "时", "日"))  # "Time of day" and 用时 (time taken) end in no unit
_BRACKETS = re.compile(r"[(\[{【]([^)\]}】]*)[)\]}】]")
_SINCE = frozenset(("since", "from", "after", "elapsed"))
_EPOCHS = ((1e12, 1e13, "ms"), (1e15, 1e16, "us"), (1e18, 1e19, "ns"))  # 13, 16, 19 digits: 2001 to 2286
_MOST_BARE = 1e11  # seconds since 1970 until the year 5138: above it, numbers are no seconds
_SERIALS, _SERIAL_STEP = (36_526.0, 73_050.0), 0.01  # a spreadsheet's days of 2000 to 2099; 14 min
_DAY_S = 86_400.0
_SAME_S = 1e-3  # two ways to read dates agree within it
_USUAL = 100.0  # times the usual step: a longest step within it is a gap in a record, not another month

_POINT = re.compile(r"[+-]?(?:\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d*)?(?:[eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(?:\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d*)?(?:[eE][+-]?\d+)?")
_CLOCK = re.compile(
    r"(?:([ap])\.?m\.?\s*)?(\d{1,2}):([0-5]\d)(?::([0-5]\d)(?:[.,:](\d+))?)?(?:\s*([ap])\.?m\.?)?", re.IGNORECASE
)
_DATE = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:(?:\s*,\s*|\s+|T)(\S.*))?")
_CHINESE = {"[年月]": "-", "[日号]": " ", "[时点]": ":", r"分(?=\d)": ":", "[分秒]": "", "上午": " AM ", "下午": " PM "}

_MANUAL = frozenset(["man", "manual", "m", "hand", "oos", "iman", "lo", "rout", "off", "手动"])
_AUTO = frozenset(["auto", "automatic", "a", "cas", "cascade", "c", "rcas", "remote", "on", "自动", "串级"])


class WrongCell(ValueError):
    """A cell that cannot be read.

    Attributes:
        at: its place in the column, from 0. message: what is wrong. accepted: what would do.
    """

    def __init__(self, at: int, message: str, accepted: str) -> None:
        super().__init__(message)
        self.at, self.message, self.accepted = at, message, accepted


# -- numbers


def _plain(cell: str) -> str:
    text = cell.strip().replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")
    return text.replace("\N{MINUS SIGN}", "-")


def number_of(cell: str, mark: Mark = ".") -> float:
    """The number in a cell with this decimal mark, NaN for a usual word for no value. Raises ValueError."""
    text = _plain(cell)
    if text.casefold() in NO_VALUE or not text.strip("-–—"):
        return math.nan
    if "_" in text:  # Python would take it
        raise ValueError(cell)
    if "," in text or mark == ",":
        if not (_POINT if mark == "." else _COMMA).fullmatch(text):
            raise ValueError(cell)
        text = text.replace(",", "") if mark == "." else text.replace(".", "").replace(",", ".")
    value = float(text)
    return value if math.isfinite(value) else math.nan


def decimal_mark(cells: Iterable[str]) -> Mark | None:
    """What all numbers of a column have before their decimals; None when both would do for its commas."""
    texts = [text for text in map(_plain, cells) if "," in text or "." in text]
    if not any("," in text for text in texts):
        return "."
    as_point, as_comma = (all(form.fullmatch(text) for text in texts) for form in (_POINT, _COMMA))
    if as_point and as_comma:
        return None if all("," in text for text in texts) else "."  # 1,001 beside 1.5
    return "," if as_comma else "."


def unsure_mark(cells: Sequence[str], delimiter: str) -> Mark:
    """The decimal mark where the form of the numbers does not tell, as 1,001 does not.

    In a file of commas, a comma in a cell parts thousands. In another it comes before decimals, unless a whole number
    stands beside it: decimals of a fixed count would be there too. Raises WrongCell then.
    """
    if delimiter == ",":
        return "."
    if any(re.fullmatch(r"[+-]?[1-9]\d*", _plain(cell)) for cell in cells):
        at = next(n for n, cell in enumerate(cells) if "," in cell)
        accepted = "a decimal point; or numbers without thousands separators"
        raise WrongCell(at, f"{cells[at][:40]!r} may be thousands or decimals: other rows have whole numbers", accepted)
    return ","


def number_times_of(cells: Sequence[str], mark: Mark) -> Floats:
    """A column of times that are numbers, none missing. Raises WrongCell."""
    values = np.zeros(len(cells))
    for n, cell in enumerate(cells):
        try:
            values[n] = number_of(cell, mark)
        except ValueError:
            values[n] = math.nan
        if math.isnan(values[n]):
            raise WrongCell(n, f"{cell[:40]!r} is not a time", A_TIME)
    return values


def numbers_of(cells: Sequence[str], mark: Mark) -> Floats:
    """A column of numbers, NaN = missing. Raises WrongCell."""
    values = np.full(len(cells), math.nan)
    for n, cell in enumerate(cells):
        try:
            values[n] = number_of(cell, mark)
        except ValueError:
            raise WrongCell(n, f"{cell[:40]!r} is not a number", A_NUMBER) from None
    return values


# -- times as numbers


def time_unit_of(header: str) -> str:
    """The unit in a time column's name ("t_ms", "Time (minutes)", "时间(分)", "Hours"), "" when it has none.

    Raises ValueError for a unit in brackets that is not known, with that as its text.
    """
    text = unicodedata.normalize("NFKC", header).strip()  # brackets of full width become usual ones
    inside = [word.strip() for word in _BRACKETS.findall(text) if word.strip()]
    units = {_UNITS.get(re.split(r"\s+(?:since|from|after|elapsed)\b", word.casefold())[0]) for word in inside}
    known = [unit for unit in units if unit is not None]
    if len(known) == 1:
        return known[0]
    unit = _bare_unit(_BRACKETS.sub(" ", text))
    if inside and not unit:
        raise ValueError(inside[-1])
    return unit


def _bare_unit(text: str) -> str:
    parted = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", text)  # elapsedMs
    words = [word for word in re.split(r"[\s_/,.:;-]+", parted.casefold()) if word]
    for word, after in pairwise([*words, ""]):
        if word in _UNITS and word not in _NO_BARE and (after in _SINCE or not after):
            return _UNITS[word]
    found = re.search(r"(毫秒|微秒|纳秒|秒钟?|分钟?|小时|天)$", text.strip())
    return _UNITS[found.group(1)] if found else ""


def epoch_unit(first: float) -> str:
    """The unit of a number that counts from 1970, by its digits; "" for any other."""
    return next((unit for low, high, unit in _EPOCHS if low <= first < high), "")


def is_serial(values: Floats) -> bool:
    """Whether times are days as a spreadsheet counts them: of this century, and near each other."""
    low, high = _SERIALS
    steps = len(values) - 1
    near = steps > 0 and 0.0 < float(np.ptp(values)) < _SERIAL_STEP * steps
    return near and bool(np.all((values >= low) & (values < high)))


def is_no_seconds(first: float) -> bool:
    """Whether a number is too large to be seconds from any start."""
    return abs(first) >= _MOST_BARE


# -- dates and times of the day


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with either decimal mark."""
    for mark in (".", ","):
        try:
            return math.isfinite(number_of(cell, mark))
        except ValueError:
            continue
    return False


def moments_of(cells: Sequence[str]) -> tuple[Floats, str]:
    """Seconds from the first row of dates or times of the day, and how they were read. Raises WrongCell."""
    plain = [_western(cell) for cell in cells]
    dates = [_DATE.fullmatch(text) for text in plain]
    if any(found and found.group(2) != "." and len(found.group(1)) < 4 for found in dates):
        return _either_order(cells, plain)
    values = _moments(cells, plain, day_first=True)
    clock = _CLOCK.fullmatch(plain[0])
    if clock is None:
        return values, "dates"
    if clock.group(4) is None and not _clock_s(clock):
        message = f"{cells[0][:40]!r} may be hours and minutes, or minutes and seconds"
        raise WrongCell(0, message, "times with seconds, such as 00:00:00, or seconds")
    return values, "times of the day" if clock.group(4) else "times of the day, hours:minutes"


def _western(cell: str) -> str:
    text = cell.strip()
    if text.isascii():
        return text
    for form, instead in _CHINESE.items():
        text = re.sub(form, instead, text)
    return " ".join(text.split())


def _either_order(cells: Sequence[str], plain: Sequence[str]) -> tuple[Floats, str]:
    """Dates such as 04/05/2026: day or month first, as all rows together say."""
    fits: dict[str, Floats] = {}
    wrong: list[WrongCell] = []
    for said, day_first in (("day/month/year", True), ("month/day/year", False)):
        try:
            fits[said] = _moments(cells, plain, day_first=day_first)
        except WrongCell as error:
            wrong.append(error)
    if not fits:
        raise max(wrong, key=lambda error: error.at)
    found = list(fits.items())
    if len(found) == 2 and np.allclose(found[0][1], found[1][1], rtol=0.0, atol=_SAME_S):
        return found[0][1], "dates"  # of one day: the order makes no difference
    if len(found) == 2:
        found = [row for row in found if _is_even(row[1])]
    if len(found) != 1:
        message = f"{cells[0][:40]!r} may have the day or the month first, and the other rows do not tell which"
        raise WrongCell(0, message, "dates such as 2026-05-04 14:03:00")
    return found[0][1], f"dates, {found[0][0]}"


def _is_even(t: Floats) -> bool:
    """Whether times run one way, with no step far above the usual one."""
    steps = np.diff(t)
    sizes = np.abs(steps[steps != 0.0])
    one_way = bool(np.all(steps >= 0.0) or np.all(steps <= 0.0))
    return one_way and (len(sizes) == 0 or float(np.max(sizes)) <= _USUAL * float(np.median(sizes)))


def _moments(cells: Sequence[str], plain: Sequence[str], *, day_first: bool) -> Floats:
    values = np.zeros(len(plain))
    turned = 0.0  # midnights passed, for times of the day
    for n, text in enumerate(plain):
        value = _moment(text, day_first=day_first)
        if value is None:
            raise WrongCell(n, f"{cells[n][:40]!r} is not a time", A_TIME)
        if value < _DAY_S and n and value + turned < values[n - 1] - 0.5 * _DAY_S:
            turned += _DAY_S
        values[n] = value + turned
    return np.asarray(values - values[0])


def _moment(text: str, *, day_first: bool) -> float | None:
    """Seconds since 1970 of a date, or since midnight of a time of day; None for any other text."""
    if clock := _CLOCK.fullmatch(text):
        return _clock_s(clock)
    if date := _DATE.fullmatch(text):
        seconds = _date_s(date, day_first=day_first)
        if seconds is not None:
            return seconds
    if text.isdecimal():  # 20260504, which datetime takes
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"(:\d\d),(\d+)", r"\1.\2", text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _clock_s(clock: re.Match[str]) -> float | None:
    before, hour, minute, second, part, after = clock.groups()
    hours, half = int(hour), (before or after or "").lower()
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "p" else 0)
    elif second is None and hours > 23:
        return None
    return hours * 3600.0 + int(minute) * 60.0 + int(second or 0) + float(f"0.{part or 0}")


def _date_s(date: re.Match[str], *, day_first: bool) -> float | None:
    first, mark, second, third, rest = date.groups()
    if len(first) == 4:
        year, month, day = first, second, third
    elif len(third) == 4:
        day, month = (first, second) if day_first or mark == "." else (second, first)
        year = third
    else:
        return None
    clock = _CLOCK.fullmatch(rest.strip()) if rest else None
    seconds = 0.0 if not rest else _clock_s(clock) if clock else None
    if seconds is None or seconds >= _DAY_S:
        return None
    try:
        return datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp() + seconds
    except ValueError:
        return None


# -- qualities and modes


def quality_of(cells: Sequence[str]) -> NDArray[np.bool_]:
    """Which cells say good. Codes: see ``quality_marks.good_codes``. Raises WrongCell for one that says neither."""
    says_good, numbers = _worded(cells, GOOD_WORDS, BAD_WORDS, "quality", ACCEPTED)
    return says_good | good_codes(numbers) if np.any(np.isfinite(numbers)) else says_good


def mode_of(cells: Sequence[str]) -> Floats:
    """1 where a cell says automatic (or cascade, remote), 0 where manual; other numbers as they are, NaN = missing.

    Raises WrongCell for a word that is no mode.
    """
    is_auto, numbers = _worded(cells, _AUTO, _MANUAL, "mode", A_MODE)
    is_manual = np.array([cell.strip().casefold() in _MANUAL for cell in cells], dtype=bool)
    numbers[is_auto], numbers[is_manual] = 1.0, 0.0
    return numbers


def _worded(
    cells: Sequence[str], yes: frozenset[str], no: frozenset[str], what: str, accepted: str
) -> tuple[NDArray[np.bool_], Floats]:
    """Where a cell is one of the words for yes; the numbers of the cells that are no words, NaN elsewhere."""
    says_yes, numbers = np.zeros(len(cells), dtype=bool), np.full(len(cells), math.nan)
    for n, cell in enumerate(cells):
        word = cell.strip().casefold()
        if word in yes or word in no:
            says_yes[n] = word in yes
            continue
        try:
            numbers[n] = number_of(word)
        except ValueError:
            raise WrongCell(n, f"{cell[:40]!r} is not a {what}", accepted) from None
    return says_yes, numbers
