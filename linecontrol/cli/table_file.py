"""A recorded table as spreadsheets, historians and PLC tools export it: CSV in any usual dialect, into plain arrays.

Forgiven: comma, semicolon or tab; decimal comma; byte-order marks, UTF-16, GB 18030; lines before the header; a line of
units below it; blank and NaN cells; newest row first; times as numbers or as dates. Not forgiven, since a guess would
be worse: a column that is not there, a cell that is neither a number nor a usual word for "no value".
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linecontrol.cli.table_cells import TIME_UNITS, number_of, quality_of, time_unit_of, times_of
from linecontrol.control.quality_marks import ACCEPTED
from linecontrol.core.errors import ConfigError, Problem

Floats = NDArray[np.float64]
MOST_BYTES = 200_000_000
_HEADER_WITHIN = 60  # lines
_SHOWN = 12  # column names in a message


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one file.

    Attributes:
        t_s: times from the first row on [s]. columns: role to values, NaN = missing. good: quality of each row.
        header: role to the name of its column. lines: number of each row's line in the file.
        notes: what was forgiven, for a person to know.
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
    time_unit: str = "auto",
) -> Table:
    """Read the columns of a test or of a loop.

    Args:
        time: name of the time column. wanted: role (such as "u") to the name of its column. quality: of the column
            that says which rows are good. A name matches whatever its case and outer blanks; a number that is no
            name counts columns from 1.
        time_unit: of numeric times: "s", "ms", "min", "h", or "auto": as the column's name ends, otherwise "s".

    Raises ConfigError naming file, line, column and what is accepted.
    """
    if time_unit not in ("auto", *TIME_UNITS):
        raise _wrong(str(path), None, "--time-unit", f"{time_unit!r} is not known", "auto, " + ", ".join(TIME_UNITS))
    asked = {"time": time, **wanted, **({"quality": quality} if quality else {})}
    rows = _rows(path, list(asked.values()))
    at = {role: _position(rows, name) for role, name in asked.items()}
    _drop_units(rows, [at[role] for role in ("time", *wanted)])
    notes: list[str] = []
    unit = time_unit_of(rows.names[at["time"]]) if time_unit == "auto" else time_unit
    if unit != "s":
        notes.append(f"times were read as {unit}")
    _drop_timeless(rows, at["time"], notes)
    if not rows.cells:
        raise _wrong(rows.file, None, rows.names[at["time"]], "there are no rows with a time", "a row for each sample")
    t = _times(rows, at["time"]) * TIME_UNITS[unit]
    columns = {role: _numbers(rows, at[role]) for role in wanted}
    good = _good(rows, at["quality"]) if quality else np.ones(len(t), dtype=bool)
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


def _found(names: Sequence[str], name: str) -> int | None:
    plain = [other.casefold() for other in names]
    if name.strip().casefold() in plain:
        return plain.index(name.strip().casefold())
    if name.strip().isdecimal() and 1 <= int(name) <= len(names) > 1:
        return int(name) - 1
    return None


def _position(rows: _Rows, name: str) -> int:
    at = _found(rows.names, name)
    if at is None:  # the header was chosen because it has them all
        raise _wrong(rows.file, None, name, "there is no such column", ", ".join(rows.names[:_SHOWN]))
    return at


def _is_numeric(cells: Sequence[str]) -> bool:
    return any(cells) and all(not cell or _reads(cell) for cell in cells)


def _reads(cell: str) -> bool:
    try:
        return math.isfinite(number_of(cell))
    except ValueError:
        return False


def _cell(row: Sequence[str], at: int) -> str:
    return row[at].strip() if at < len(row) else ""


def _drop_units(rows: _Rows, places: Sequence[int]) -> None:
    """A line of units right below the header has no number in any of the columns asked for."""
    if len(rows.cells) > 1:
        texts = [_cell(rows.cells[0], at) for at in places]
        if any(texts) and not any(any(mark.isdigit() for mark in text) for text in texts):
            del rows.cells[0], rows.numbers[0]


def _drop_timeless(rows: _Rows, at: int, notes: list[str]) -> None:
    keep = [n for n, row in enumerate(rows.cells) if _cell(row, at)]
    if len(keep) < len(rows.cells):
        notes.append(f"{len(rows.cells) - len(keep)} rows without a time were left out")
        rows.cells, rows.numbers = [rows.cells[n] for n in keep], [rows.numbers[n] for n in keep]


def _numbers(rows: _Rows, at: int) -> Floats:
    values = np.full(len(rows.cells), math.nan)
    for n, row in enumerate(rows.cells):
        try:
            values[n] = number_of(_cell(row, at))
        except ValueError:
            accepted = "a number, with decimal point or comma; blank or NaN where there is none"
            message = f"{_cell(row, at)[:40]!r} is not a number"
            raise _wrong(rows.file, rows.numbers[n], rows.names[at], message, accepted) from None
    return values


def _times(rows: _Rows, at: int) -> Floats:
    cells = [_cell(row, at) for row in rows.cells]
    values, bad = times_of(cells)
    if bad is not None:
        accepted = "seconds, or dates such as 2026-05-01 14:03:00.250, the same kind in every row"
        message = f"{cells[bad][:40]!r} is not a time"
        raise _wrong(rows.file, rows.numbers[bad], rows.names[at], message, accepted)
    return values


def _good(rows: _Rows, at: int) -> NDArray[np.bool_]:
    cells = [_cell(row, at) for row in rows.cells]
    flags, bad = quality_of(cells)
    if bad is not None:
        message = f"{cells[bad][:40]!r} is not a quality"
        raise _wrong(rows.file, rows.numbers[bad], rows.names[at], message, ACCEPTED)
    return flags


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
