"""Runs on record, read straight from the historian's database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from linecontrol.cli.client import data_folder
from linecontrol.cli.output import BAD_INPUT, FAILED, stop
from linecontrol.core.errors import StorageError

if TYPE_CHECKING:
    from linecontrol.history import HistoryReader, VersionRow

_NO_RUN = "there is no run {!r} on record (see `linecontrol runs`)"


def folders(data: Path | None) -> list[Path]:
    """Folders with a history in them: the one given, or every line's of this user."""
    if data is not None:
        found = [data] if (data / "history.sqlite3").exists() else []
    else:
        found = sorted(path.parent for path in data_folder(None).glob("*/history.sqlite3"))
    if not found:
        stop(
            f"there is no history in {data or data_folder(None)}; run `linecontrol demo` first, or give --data",
            BAD_INPUT,
        )
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history lies: in a folder, or in a database by its URL. ``line``: which, when it holds several."""

    data: Path | None = None
    database: str | None = None
    line: str | None = None


def urls(place: Place) -> list[str]:
    """The histories meant: the one named, or every line's of this user."""
    if place.database is None:
        return [f"sqlite:///{folder / 'history.sqlite3'}" for folder in folders(place.data)]
    if place.data is not None:
        stop("--data and --database: a history lies in a folder or in a database; give one of them", BAD_INPUT)
    return [place.database]


def read_runs(place: Place, limit: int, where: str = "") -> list[dict[str, Any]]:
    """Run records of every line found that fit the condition, newest first. Raises ConfigError when it is none."""
    from linecontrol.analysis.records import find_records
    from linecontrol.history import open_reader

    rows: list[dict[str, Any]] = []
    for url in urls(place):
        try:
            with open_reader(url, place.line) as reader:
                rows += find_records(reader, where, limit=limit)
        except StorageError as error:
            stop(str(error), FAILED)
    rows.sort(key=lambda row: str(row["started_at"]), reverse=True)
    return rows[:limit]


def read_run(place: Place, run_id: str) -> dict[str, Any]:
    """One run record, or the newest for ``last``."""
    url, name = _where(place, run_id)
    with _opened(url, place.line) as reader:
        run = reader.run(name)
    if run is None:
        stop(_NO_RUN.format(run_id), BAD_INPUT)
    return run.record


def read_version(place: Place, run_id: str, version: int) -> dict[str, Any]:
    """A run's record as it was in this version."""
    rows = read_versions(place, run_id)
    for row in rows:
        if row.version == version:
            return row.record
    known = ", ".join(str(row.version) for row in rows) or "none: the run had not ended, or is from before versions"
    stop(f"run {run_id!r} has no version {version} (accepted: {known})", BAD_INPUT)


def read_versions(place: Place, run_id: str) -> list[VersionRow]:
    """Every version of a run's record, the first first."""
    url, name = _where(place, run_id)
    with _opened(url, place.line) as reader:
        return reader.versions(name)


def folder_of(data: Path | None, run_id: str) -> tuple[Path, str]:
    """The folder whose history has this run (or, for ``last``, the newest), and the run's id."""
    url, name = _where(Place(data), run_id)
    return Path(url.removeprefix("sqlite:///")).parent, name


def _where(place: Place, run_id: str) -> tuple[str, str]:
    """URL of the history that has this run (or, for ``last``, the newest), and the run's id."""
    found: list[tuple[str, str, str]] = []
    for url in urls(place):
        with _opened(url, place.line) as reader:
            rows = reader.runs(1) if run_id == "last" else [run for run in [reader.run(run_id)] if run is not None]
        found += [(str(run.record["started_at"]), url, run.run_id) for run in rows]
    if not found:
        stop(_NO_RUN.format(run_id), BAD_INPUT)
    _, url, name = max(found)
    return url, name


@contextlib.contextmanager
def _opened(url: str, line: str | None) -> Iterator[HistoryReader]:
    """Its reader; what goes wrong ends the program with a sentence."""
    from linecontrol.history import open_reader

    try:
        with open_reader(url, line) as reader:
            yield reader
    except StorageError as error:
        stop(str(error), FAILED)


def runs_table(rows: Sequence[dict[str, Any]], console: Console) -> Table:
    """Runs side by side, in as many columns as the window has room for; the run's name is never broken.

    The yield is the reconciled one where there is one, else as measured.
    """
    boundless = console.options.update(max_width=1000)
    for fewer in range(len(_SPARE) + 1):
        left_out = _SPARE[:fewer]
        table = _runs_table(rows, left_out)
        if Measurement.get(console, boundless, table).maximum <= console.width:
            break
    if left_out:
        table.caption = f"Not shown for want of room: {', '.join(left_out)}. A wider window shows more, --json all."
        table.caption_justify = "left"
    return table


_SPARE = ("Recipe", "Cost", "CO₂", "Water", "Energy", "Reconciled", "Roots")  # given up in this order


def _runs_table(rows: Sequence[dict[str, Any]], left_out: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    shown: list[Callable[[dict[str, Any]], str]] = []
    for title, unit, text in _COLUMNS:
        if title not in left_out:
            is_name = title in ("Run", "Recipe", "State")
            table.add_column(f"{title}\n{unit}".strip(), justify="left" if is_name else "right", no_wrap=True)
            shown.append(text)
    for row in rows:
        table.add_row(*(text(row) for text in shown))
    return table


def _yield_of(key: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: _share(row.get(key), row.get(f"{key}_u"))


def _share(value: float | None, u: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} ± {100 * (u or 0):.1f}"


def _number(value: Any, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


_COLUMNS: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("Run", "", lambda row: str(row["run_id"])),
    ("Recipe", "", lambda row: str(row["recipe"])),
    ("State", "", lambda row: str(row["state"])),
    ("Roots", "kg", lambda row: _number(row.get("root_kg"), 1)),
    ("Powder", "kg", lambda row: _number(row.get("powder_kg"), 1)),
    ("Moisture", "% wb", lambda row: _number(row.get("moisture_mean_pct_wb"), 2)),
    ("Yield", "%", _yield_of("extraction_yield")),
    ("Reconciled", "%", _yield_of("extraction_yield_reconciled")),
    ("Energy", "kWh/kg", lambda row: _number(row.get("energy_kwh_per_kg"), 2)),
    ("Water", "L/kg", lambda row: _number(row.get("water_l_per_kg"), 1)),
    ("CO₂", "kg/kg", lambda row: _number(row.get("co2_kg_per_kg"), 2)),
    ("Cost", "per kg", lambda row: _number(row.get("cost_per_kg"), 2)),
)
