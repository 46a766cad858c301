"""Runs on record, read straight from the historian's database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from linecontrol.cli.client import data_folder
from linecontrol.cli.output import BAD_INPUT, FAILED, stop
from linecontrol.core.errors import StorageError

if TYPE_CHECKING:
    from linecontrol.history import VersionRow


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


def read_runs(data: Path | None, limit: int, where: str = "") -> list[dict[str, Any]]:
    """Run records of every line found that fit the condition, newest first. Raises ConfigError when it is none."""
    from linecontrol.analysis.records import find_records
    from linecontrol.history import open_reader

    rows: list[dict[str, Any]] = []
    for folder in folders(data):
        try:
            with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
                rows += find_records(reader, where, limit=limit)
        except StorageError as error:
            stop(str(error), FAILED)
    rows.sort(key=lambda row: str(row["started_at"]), reverse=True)
    return rows[:limit]


def read_run(data: Path | None, run_id: str) -> dict[str, Any]:
    """One run record, or the newest for ``last``."""
    for row in read_runs(data, 1000):
        if run_id in (row["run_id"], "last"):
            return row
    stop(f"there is no run {run_id!r} on record (see `linecontrol runs`)", BAD_INPUT)


def read_version(data: Path | None, run_id: str, version: int) -> dict[str, Any]:
    """A run's record as it was in this version."""
    rows = read_versions(data, run_id)
    for row in rows:
        if row.version == version:
            return row.record
    known = ", ".join(str(row.version) for row in rows) or "none: the run had not ended, or is from before versions"
    stop(f"run {run_id!r} has no version {version} (accepted: {known})", BAD_INPUT)


def read_versions(data: Path | None, run_id: str) -> list[VersionRow]:
    """Every version of a run's record, the first first."""
    from linecontrol.history import open_reader

    folder, name = folder_of(data, run_id)
    try:
        with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
            return reader.versions(name)
    except StorageError as error:
        stop(str(error), FAILED)


def folder_of(data: Path | None, run_id: str) -> tuple[Path, str]:
    """The folder whose history has this run (or, for ``last``, the newest), and the run's id."""
    from linecontrol.history import open_reader

    found: list[tuple[str, Path, str]] = []
    for folder in folders(data):
        try:
            with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
                rows = [run.record for run in reader.runs(1000)]
        except StorageError as error:
            stop(str(error), FAILED)
        found += [(str(row["started_at"]), folder, row["run_id"]) for row in rows if run_id in (row["run_id"], "last")]
    if not found:
        stop(f"there is no run {run_id!r} on record (see `linecontrol runs`)", BAD_INPUT)
    _, folder, name = max(found)
    return folder, name


def runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Runs side by side; the yield is the reconciled one where there is one, else as measured."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Run", overflow="fold")
    table.add_column("Recipe", overflow="fold")
    table.add_column("State")
    for title in (
        "Roots\nkg",
        "Powder\nkg",
        "Moisture\n% wb",
        "Yield\n%",
        "Energy\nkWh/kg",
        "Water\nL/kg",
        "CO₂\nkg/kg",
        "Cost\nper kg",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        best = "_reconciled" if row.get("extraction_yield_reconciled") is not None else ""
        found, spread = (row.get(f"extraction_yield{best}{end}") for end in ("", "_u"))
        table.add_row(
            str(row["run_id"]),
            str(row["recipe"]),
            str(row["state"]),
            _number(row.get("root_kg"), 1),
            _number(row.get("powder_kg"), 1),
            _number(row.get("moisture_mean_pct_wb"), 2),
            _share(found, spread),
            _number(row.get("energy_kwh_per_kg"), 2),
            _number(row.get("water_l_per_kg"), 1),
            _number(row.get("co2_kg_per_kg"), 2),
            _number(row.get("cost_per_kg"), 2),
        )
    return table


def _share(value: float | None, u: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} ± {100 * (u or 0):.1f}"


def _number(value: Any, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
