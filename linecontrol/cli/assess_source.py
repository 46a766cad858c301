"""Where an assessment's values come from: a file, or the history of a line. Each loop as plain arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from linecontrol.cli.output import one_thread
from linecontrol.cli.table_file import read_table
from linecontrol.core.errors import ConfigError, Problem, StorageError
from linecontrol.line.one_grid import on_one_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from linecontrol.config.line import Loop
    from linecontrol.history import HistoryReader

DURATIONS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
MOST_SAMPLES = 2_000_000  # of a tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One loop's values over a stretch of time.

    Attributes:
        name, title: of the loop. t_s: from the stretch's start on [s]. pv, sp: [pv_unit]; op: [op_unit]. NaN = missing.
        auto, good: flags of each row. delay_s: of the process, None = not known. op_limits: None = not known.
        sp_span: span of the set point [pv_unit], None = not known. notes: what was forgiven.
    """

    name: str
    title: str
    t_s: NDArray[np.float64]
    pv: NDArray[np.float64]
    sp: NDArray[np.float64]
    op: NDArray[np.float64]
    auto: NDArray[np.bool_]
    good: NDArray[np.bool_]
    delay_s: float | None = None
    op_limits: tuple[float, float] | None = None
    sp_span: float | None = None
    pv_unit: str = ""
    op_unit: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()


def _wrong(key: str, message: str, accepted: str) -> ConfigError:
    return ConfigError([Problem("", None, key, message, accepted)])


def delays(words: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """``["30"]`` or ``["TIC-303=30"]`` as loop to seconds."""
    found: dict[str, float] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf or (name and name not in names):
            raise _wrong("--delay", f"{word!r} is not understood", f"seconds, or LOOP=seconds ({', '.join(names)})")
        found |= {name: value} if name else dict.fromkeys(names, value)
    return found


def from_csv(
    path: Path,
    time: str,
    columns: Mapping[str, str],
    mode: str | None,
    quality: str | None,
    time_unit: str,
    op_limits: tuple[float, float] | None,
    delay: Sequence[str],
) -> list[Stretch]:
    """One loop from a recording. The set point may be a number instead of a column."""
    one_thread()
    wanted = dict(columns)
    fixed = _number(columns["sp"])
    if fixed is not None:
        del wanted["sp"]
    if op_limits is not None and not op_limits[0] < op_limits[1]:
        raise _wrong("--op-low", f"{op_limits[0]:g} is not below --op-high {op_limits[1]:g}", "low below high")
    table = read_table(path, time, wanted, quality=quality, mode=mode, time_unit=time_unit)
    count = len(table.t_s)
    auto = table.columns.get("mode", np.ones(count))
    sp = np.full(count, fixed) if fixed is not None else table.columns["sp"]
    return [
        Stretch(
            name=path.stem,
            title="",
            t_s=table.t_s,
            pv=table.columns["pv"],
            sp=sp,
            op=table.columns["op"],
            auto=np.nan_to_num(auto) > 0.5,
            good=table.good,
            delay_s=delays(delay, [path.stem]).get(path.stem),
            op_limits=op_limits,
            source=path.name,
            notes=table.notes,
        )
    ]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def seconds_of(text: str) -> float:
    """``8h``, ``30min``, ``90s``, ``2d`` in seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", text)
    if found is None or float(found.group(1)) == 0.0:
        raise _wrong("--last", f"{text!r} is not understood", "such as 8h, 30min, 90s or 2d")
    return float(found.group(1)) * DURATIONS[found.group(2)]


def from_history(
    wanted: Sequence[str], line: str, data: Path | None, run: str | None, last: str | None, delay: Sequence[str]
) -> list[Stretch]:
    """Loops of a line over one run, or over its newest stretch."""
    one_thread()
    from linecontrol.cli.records import folders
    from linecontrol.config.resolve import read_line

    config = read_line(line).line
    loops = {loop.name: loop for loop in config.loops}
    for name in wanted:
        if name not in loops:
            raise _wrong(name, f"the line {config.name} has no such loop", ", ".join(loops))
    chosen = [loops[name] for name in (wanted or loops)]
    known = delays(delay, list(loops))
    length = None if last is None else seconds_of(last)
    for folder in folders(data):
        found = _read(folder, config.name, chosen, run or "last", length, known)
        if found is not None:
            return found
    place = "no run" if last is None and run in (None, "last") else f"no run {run}" if last is None else "nothing"
    raise _wrong("history", f"{place} of the line {config.name} is on record", "see `linecontrol runs`; --data, --line")


def _read(
    folder: Path, line: str, loops: Sequence[Loop], run: str, length: float | None, known: Mapping[str, float]
) -> list[Stretch] | None:
    """None when this history does not hold it."""
    from linecontrol.history import open_reader

    try:
        with open_reader(f"sqlite:///{folder / 'history.sqlite3'}", line) as reader:
            between = _run_times(reader, run) if length is None else _newest(reader, loops, length)
            if between is None:
                return None
            units, tested = reader.tags(), _tested(reader, loops)
            found = [
                _stretch(reader, loop, *between, units, known.get(loop.name), tested.get(loop.name)) for loop in loops
            ]
    except StorageError as error:
        if "is not in it" in str(error):
            return None
        raise
    return [row for row in found if row is not None]


def _tested(reader: HistoryReader, loops: Sequence[Loop]) -> dict[str, float]:
    """Dead time of each loop's process [s] as its last test on record has found it."""
    found: dict[str, float] = {}
    for loop in loops:
        for event in reader.events(kinds=["tuning.offered"], source=loop.name, limit=1):
            delay_s = event.data.get("model", {}).get("delay_s")
            if isinstance(delay_s, (int, float)):
                found[loop.name] = float(delay_s)
    return found


def _run_times(reader: HistoryReader, run: str) -> tuple[float, float | None, str] | None:
    row = reader.last_run() if run == "last" else reader.run(run)
    if row is None or row.started_at is None:
        return None
    return row.started_at, row.ended_at, f"run {row.run_id}"


def _newest(reader: HistoryReader, loops: Sequence[Loop], length: float) -> tuple[float, float | None, str] | None:
    events, row = reader.events(limit=1), reader.last_run()
    near = max([event.time for event in events] + ([row.updated_at] if row else []), default=None)
    if near is None:
        return None
    tags = reader.tags()
    names = [loop.pv for loop in loops if loop.pv in tags]
    later = reader.samples(names, near, limit=MOST_SAMPLES) if names else {}
    end = max([near, *(sample.time for samples in later.values() for sample in samples)])
    return end - length, end, f"the last {length / 3600.0:.3g} h on record"


def _stretch(
    reader: HistoryReader,
    loop: Loop,
    start: float,
    end: float | None,
    source: str,
    units: Mapping[str, str],
    told_s: float | None,
    tested_s: float | None,
) -> Stretch | None:
    """``told_s``: the delay as a person has told it; it comes before what a test has found."""
    names = {"pv": loop.pv, "sp": f"{loop.name}.WSP", "op": f"{loop.name}.OP", "mode": f"{loop.name}.MODE"}
    if names["sp"] not in units:
        names["sp"] = f"{loop.name}.SP"
    if any(name not in units for name in names.values()):
        return None
    rows = reader.samples(list(names.values()), start, end, MOST_SAMPLES)
    t, values, good = on_one_grid({role: rows[name] for role, name in names.items()}, start)
    if len(t) == 0:
        return None
    return Stretch(
        name=loop.name,
        title=loop.title.en,
        t_s=t,
        pv=values["pv"],
        sp=values["sp"],
        op=values["op"],
        auto=np.nan_to_num(values["mode"]) > 0.5,
        good=good,
        delay_s=tested_s if told_s is None else told_s,
        op_limits=(loop.op_limits.low, loop.op_limits.high),
        sp_span=loop.sp.high - loop.sp.low,
        pv_unit=loop.unit,
        op_unit=units.get(names["op"], ""),
        source=source,
        notes=(f"its delay, {tested_s:.3g} s, is that of its last test",)
        if told_s is None and tested_s is not None
        else (),
    )
