"""A recorded table as spreadsheets, historians and PLC tools export it: CSV in any usual dialect, into plain arrays.

Forgiven: comma, semicolon or tab; decimal comma; byte-order marks, UTF-16, GB 18030; lines before the header; a line of
units below it; blank and NaN cells; newest row first; times as numbers or as dates. Not forgiven, since a guess would
be worse: a column that is not there or there twice, a cell that is neither a number nor a usual word for "no value", a
unit, a comma or a date that can be read in two ways. What the times were taken for is always told.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from linecontrol.cli.table_cells import (
    TIME_UNITS,
    UNIT_NAMES,
    Mark,
    WrongCell,
    decimal_mark,
    epoch_unit,
    is_no_seconds,
    is_number,
    is_serial,
    mode_of,
    moments_of,
    number_times_of,
    numbers_of,
    quality_of,
    time_unit_of,
    unsure_mark,
)
from linecontrol.core.errors import ConfigError, Problem

Floats = NDArray[np.float64]
Values = TypeVar("Values")
MOST_BYTES = 200_000_000
_HEADER_WITHIN = 60  # lines
_SHOWN = 12  # column names in a message


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one file.

    Attributes:
        t_s: times from the first row on [s]. columns: role to values, NaN = missing. good: quality of each row.
        header: role to the name of its column. lines: number of each row's line in the file.
        notes: what the times were taken for and what was forgiven, for a person to know.
    """

    t_s: Floats
    columns: dict[str, Floats]
    good: NDArray[np.bool_]
    header: dict[str, str]
    lines: NDArray[np.int64]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Rows:
    """Cells under their header: what a dialect leaves."""

    file: str
    names: list[str]
    numbers: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    delimiter: str = ","


def read_table(
    path: Path,
    time: str,
    wanted: Mapping[str, str],
    *,
    quality: str | None = None,
    mode: str | None = None,
    time_unit: str = "auto",
) -> Table:
    """Read the columns of a test or of a loop.

    Args:
        time: name of the time column. wanted: role (such as "u") to the name of its column. quality: of the column
            that says which rows are good. mode: of the column of the loop's mode, as numbers or words; it becomes
            the column "mode". A name matches whatever its case and outer blanks; a number that is no name counts
            columns from 1.
        time_unit: of numeric times: one of ``TIME_UNITS``, or "auto": as the column's name or the line below it says,
            or the size of dates as numbers, otherwise "s".

    Raises ConfigError naming file, line, column and what is accepted.
    """
    if time_unit not in ("auto", *TIME_UNITS):
        raise _wrong(str(path), None, "--time-unit", f"{time_unit!r} is not known", "auto, " + ", ".join(TIME_UNITS))
    marks = {role: name for role, name in (("quality", quality), ("mode", mode)) if name}
    asked = {"time": time, **wanted, **marks}
    rows = _rows(path, list(asked.values()))
    at = {role: _position(rows, name) for role, name in asked.items()}
    _accept_columns(rows, {role: at[role] for role in ("time", *wanted)})
    below = _drop_units(rows, at["time"], [at[role] for role in wanted])
    notes: list[str] = []
    _drop_timeless(rows, at["time"], notes)
    if not rows.cells:
        raise _wrong(rows.file, None, rows.names[at["time"]], "there are no rows with a time", "a row for each sample")
    signs = _decimal_marks(rows, at["time"], [at[role] for role in wanted], notes)
    t = _times(rows, at["time"], signs, time_unit, below, notes)
    columns = {role: _numbers(rows, at[role], signs) for role in wanted}
    if mode:
        columns["mode"] = _read(rows, at["mode"], mode_of)
    good = _read(rows, at["quality"], quality_of) if quality else np.ones(len(t), dtype=bool)
    order = _order(t, notes)
    t, lines = t[order], np.array(rows.numbers, dtype=np.int64)[order]
    header = {role: rows.names[n] for role, n in at.items()}
    return Table(
        t - t[0], {role: column[order] for role, column in columns.items()}, good[order], header, lines, tuple(notes)
    )


def _wrong(file: str, line: int | None, key: str, message: str, accepted: str) -> ConfigError:
    return ConfigError([Problem(file, line, key, message, accepted)])


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(str(path), None, "", "the file is too large", f"up to {MOST_BYTES // 1_000_000} MB")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise _wrong(str(path), None, "", "there is no such file", "a CSV file that can be read") from None
    except OSError as error:
        raise _wrong(str(path), None, "", f"cannot be read: {error.strerror}", "a CSV file") from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:4096]:
        raise _wrong(str(path), 1, "", "this is not a text file", "CSV; in a spreadsheet: Save as, CSV")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _rows(path: Path, asked: Sequence[str]) -> _Rows:
    """Find dialect and header: the first line that holds all columns asked for."""
    text = _text(path)
    best: list[str] = []
    for delimiter in _delimiters(text):
        parsed = list(_parsed(text, delimiter))
        for n, (_, cells) in enumerate(parsed[:_HEADER_WITHIN]):
            names = [cell.strip() for cell in cells]
            if all(_found(names, name) is not None for name in asked):
                body = [row for row in parsed[n + 1 :] if any(cell.strip() for cell in row[1])]
                if all(name.isdecimal() and name not in names for name in asked) and _is_numeric(names):
                    names, body = [str(k + 1) for k in range(len(cells))], parsed[n:]  # no header at all
                return _Rows(str(path), names, [row[0] for row in body], [row[1] for row in body], delimiter)
            if len(names) > len(best):
                best = names
    if len(best) < 1 or not any(best):
        raise _wrong(str(path), None, "", "the file is empty", "a header line, then a row for each sample")
    missing = [name for name in asked if _found(best, name) is None] or list(asked)
    shown = ", ".join(best[:_SHOWN]) + (", ..." if len(best) > _SHOWN else "")
    raise _wrong(str(path), 1, missing[0], "there is no such column", f"{shown}; or a column's number from 1")


def _delimiters(text: str) -> list[str]:
    """Candidates, the likeliest first: the one that most of the first lines have equally often."""
    head = [line for line in text.splitlines()[:_HEADER_WITHIN] if line.strip()]
    if head and head[0].lower().startswith("sep="):
        return [head[0][4:5] or ","]
    counts = {mark: sum(mark in line for line in head) for mark in (";", "\t", ",", "|")}
    return sorted(counts, key=lambda mark: -counts[mark])  # stable: a semicolon before a comma, which may be decimal


def _parsed(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    with contextlib.suppress(csv.Error):  # a field without end: what came before it is shown in the message
        rows.extend((reader.line_num, cells) for cells in reader if cells and not _is_remark(cells[0]))
    return rows


def _is_remark(first: str) -> bool:
    return first.lstrip().startswith("#") or first.lower().startswith("sep=")


def _places(names: Sequence[str], name: str) -> list[int]:
    """Of the columns with this name: as it is written, or else whatever the case."""
    name = name.strip()
    exact = [n for n, other in enumerate(names) if other == name]
    return exact or [n for n, other in enumerate(names) if other.casefold() == name.casefold()]


def _found(names: Sequence[str], name: str) -> int | None:
    if places := _places(names, name):
        return places[0]
    if name.strip().isdecimal() and 1 <= int(name) <= len(names) > 1:
        return int(name) - 1
    return None


def _position(rows: _Rows, name: str) -> int:
    at = _found(rows.names, name)
    if at is None:  # the header was chosen because it has them all
        raise _wrong(rows.file, None, name, "there is no such column", ", ".join(rows.names[:_SHOWN]))
    if len(places := _places(rows.names, name)) > 1:
        first, *others = (str(n + 1) for n in places)
        message = f"columns {' and '.join((first, *others))} both have this name"
        raise _wrong(rows.file, None, name, message, f"one column of the name, or its number: {first} or {others[0]}")
    return at


def _accept_columns(rows: _Rows, at: Mapping[str, int]) -> None:
    """No two roles in one column: u and y in one would give a model of nothing."""
    seen: dict[int, str] = {}
    for role, n in at.items():
        if n in seen:
            message = f"both are the column {rows.names[n]!r}"
            raise _wrong(rows.file, None, f"--{seen[n]} and --{role}", message, "two different columns")
        seen[n] = role


def _is_numeric(cells: Sequence[str]) -> bool:
    return any(cells) and all(not cell or is_number(cell) for cell in cells)


def _cell(row: Sequence[str], at: int) -> str:
    return row[at].strip() if at < len(row) else ""


def _drop_units(rows: _Rows, time: int, others: Sequence[int]) -> str:
    """A line of units right below the header has no number in any of the columns asked for. Its cell of the time."""
    if len(rows.cells) > 1:
        texts = [_cell(rows.cells[0], at) for at in (time, *others)]
        if any(texts) and not any(any(mark.isdigit() for mark in text) for text in texts):
            del rows.cells[0], rows.numbers[0]
            return texts[0]
    return ""


def _drop_timeless(rows: _Rows, at: int, notes: list[str]) -> None:
    keep = [n for n, row in enumerate(rows.cells) if _cell(row, at)]
    if len(keep) < len(rows.cells):
        notes.append(f"{len(rows.cells) - len(keep)} rows without a time were left out")
        rows.cells, rows.numbers = [rows.cells[n] for n in keep], [rows.numbers[n] for n in keep]


def _column(rows: _Rows, at: int) -> list[str]:
    return [_cell(row, at) for row in rows.cells]


def _read(rows: _Rows, at: int, reading: Callable[[list[str]], Values]) -> Values:
    """A column as ``reading`` makes it of its cells; a wrong cell with its place in the file."""
    try:
        return reading(_column(rows, at))
    except WrongCell as error:
        raise _wrong(rows.file, rows.numbers[error.at], rows.names[at], error.message, error.accepted) from None


def _numbers(rows: _Rows, at: int, marks: Mapping[int, Mark]) -> Floats:
    return _read(rows, at, lambda cells: numbers_of(cells, marks[at]))


def _decimal_marks(rows: _Rows, time: int, others: Sequence[int], notes: list[str]) -> dict[int, Mark]:
    """What each column has before decimals. Where its numbers do not tell, another column with decimal commas does."""
    told = {at: decimal_mark(_column(rows, at)) for at in (time, *others)}
    marks: dict[int, Mark] = {}
    for at, mark in told.items():
        if mark is not None:
            marks[at] = mark
            continue
        marks[at] = "," if "," in told.values() else _read(rows, at, lambda cells: unsure_mark(cells, rows.delimiter))
        said = "before decimals" if marks[at] == "," else "between thousands"
        notes.append(f"commas in {rows.names[at]} were read as standing {said}")
    return marks


def _times(rows: _Rows, at: int, marks: Mapping[int, Mark], time_unit: str, below: str, notes: list[str]) -> Floats:
    """Seconds from the first row. ``below``: what the line of units says, "" = nothing."""
    if not is_number(_cell(rows.cells[0], at)):
        seconds, said = _read(rows, at, moments_of)
        notes.append(f"times were read as {said}")
        return seconds
    values = _read(rows, at, lambda cells: number_times_of(cells, marks[at]))
    unit, why = (time_unit, "as --time-unit says") if time_unit != "auto" else _told_unit(rows, at, values, below)
    notes.append(f"times were read as {UNIT_NAMES[unit]}, {why}")
    # Numbers of today's size in ns keep their digits only from the first row on.
    return np.asarray((values - values[0]) * TIME_UNITS[unit])


def _told_unit(rows: _Rows, at: int, values: Floats, below: str) -> tuple[str, str]:
    """The unit of numeric times, and what says so."""
    name, first = rows.names[at], float(values[0])
    accepted = "a usual unit such as s, ms, min, h; or --time-unit " + ", ".join(TIME_UNITS)
    by_size = epoch_unit(first)
    try:
        unit, why = time_unit_of(name), "as the column's name says"
        if not unit and not by_size and any(mark.isalnum() for mark in below):
            unit, why = time_unit_of(f"({below.strip('()[] ')})"), "as the line below the header says"
    except ValueError as unknown:
        if not by_size:
            raise _wrong(rows.file, None, name, f"{str(unknown)!r} is not known as a unit of time", accepted) from None
        unit = ""
    if unit and is_no_seconds(first * TIME_UNITS[unit]):
        message = f"{first:.15g} {UNIT_NAMES[unit]} is too large a time: the unit must be another"
        raise _wrong(rows.file, rows.numbers[0], name, message, accepted)
    if unit:
        return unit, why
    if by_size:
        return by_size, "since 1970, as their size says"
    if is_no_seconds(first):
        message = f"{first:.15g} is too large for seconds, and nothing says what unit it has"
        raise _wrong(rows.file, rows.numbers[0], name, message, accepted)
    if is_serial(values):
        return "d", "as a spreadsheet counts them, by their size"
    return "s", "since nothing says otherwise (--time-unit does)"


def _order(t: Floats, notes: list[str]) -> NDArray[np.intp]:
    """Rows in rising time: turned round when the newest came first; of rows with one time, the last."""
    order = np.arange(len(t))
    if len(t) > 1 and np.all(np.diff(t) <= 0.0) and t[0] > t[-1]:
        order = order[::-1]
        notes.append("the newest row came first: the rows were turned round")
    same = np.flatnonzero(np.diff(t[order]) == 0.0)
    if len(same):
        notes.append(f"{len(same)} rows had the time of the row after them and were left out")
        order = np.delete(order, same)
    return order
