"""How the command line speaks: JSON alone on stdout for programs, plain sentences and tables for people."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from linecontrol.core.errors import ConfigError, LineError

DONE, BAD_INPUT, FAILED, REFUSED, INTERRUPTED = 0, 2, 3, 4, 130


class Patient(Console):
    """A console for what goes on for hours: when nobody takes its output any more, it goes quiet and raises nothing.

    The reader of a log may end, its disk may be full, a terminal may be closed; the line is driven all the same.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):  # so that Python has nothing left to say at its end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


people = Patient(stderr=True, highlight=False)
paper = Console(highlight=False)


def print_json(value: Any, *, one_line: bool = False) -> None:
    """JSON on stdout; ``one_line`` for a record that a program reads as the last line."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=None if one_line else 2))


def one_thread() -> None:
    """Let linear algebra use one thread; only before numpy is first imported. Its problems here are small: threads that
    wait for each other make them ten times slower on a busy machine."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def told_error(error: Exception) -> str:
    """What a person is told: of a file or folder that cannot be used, its name before the system's reason."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}"
    return str(error)


def stop(message: str, code: int) -> NoReturn:
    """Say why on stderr and end with this exit code."""
    people.print(message, style="bold" if code else None, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def guarded_value(work: Any) -> Any:
    """What ``work`` returns; our own errors end the program with a sentence."""
    try:
        return work()
    except ConfigError as error:
        stop(str(error), BAD_INPUT)
    except (LineError, OSError) as error:
        stop(told_error(error), FAILED)


def guarded(work: Any) -> int:
    """Run ``work``; our own errors end with a sentence and the right exit code, not a traceback."""
    return int(guarded_value(work))


ROWS: tuple[tuple[str, str, str], ...] = (
    ("root_kg", "Roots fed", "kg"),
    ("root_starch_kg", "Starch in the roots", "kg"),
    ("powder_kg", "Good powder", "kg"),
    ("powder_dry_starch_kg", "Dry starch in good powder", "kg"),
    ("moisture_mean_pct_wb", "Moisture, mean", "% wb"),
    ("moisture_sd_pct_wb", "Moisture, standard deviation", "% wb"),
    ("out_of_band_s", "Time out of the moisture band", "s"),
    ("diverted_kg", "Diverted to rework or waste", "kg"),
    ("suspect_kg", "Suspect (held)", "kg"),
    ("water_m3", "Water", "m³"),
    ("energy_kwh", "Energy", "kWh"),
)


PER_KG: tuple[tuple[str, str, str], ...] = (
    ("energy_kwh_per_kg", "Energy per kg of powder", "kWh/kg"),
    ("water_l_per_kg", "Water", "L/kg"),
    ("co2_kg_per_kg", "Carbon", "kg CO₂/kg"),
    ("cost_per_kg", "Energy and water cost", "¤/kg"),
)


def record_table(record: Mapping[str, Any]) -> Table:
    """The batch record as a person reads it."""
    table = Table(title=f"Batch record {record['run_id']}", title_justify="left", show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column()
    table.add_row("Recipe", str(record["recipe"]), str(record["recipe_hash"])[:12])
    table.add_row("State", str(record["state"]), escape(str(record.get("reason") or "")))
    table.add_row("Started", _moment(record["started_at"]), "UTC, line time")
    table.add_row("Ended", _moment(record["ended_at"]), "")
    table.add_section()
    for key, title, unit in ROWS:
        value = record.get(key)
        table.add_row(title, "-" if value is None else f"{value:.2f}", unit)
    table.add_section()
    found, spread = record.get("extraction_yield"), record.get("extraction_yield_u")
    if found is not None:
        text = f"{100 * found:.1f} ± {100 * (spread or 0.0):.1f}"
        table.add_row("Extraction yield", f"[bold]{text}[/bold]", "% of the starch in the roots (k = 1)")
    else:
        table.add_row("Extraction yield", "-", "no roots were fed")
    best, u = record.get("extraction_yield_reconciled"), record.get("extraction_yield_reconciled_u")
    if best is not None:
        low, high = record.get("extraction_yield_low_95"), record.get("extraction_yield_high_95")
        interval = f"95 %: {100 * (low or 0.0):.1f} to {100 * (high or 0.0):.1f}"
        table.add_row("  reconciled", f"[bold]{100 * best:.1f} ± {100 * (u or 0.0):.1f}[/bold]", interval)
    for key, title, unit in PER_KG:
        if (value := record.get(key)) is not None:
            unit = unit.replace("¤", str(record.get("currency", "")))
            table.add_row(title, f"{value:.2f} ± {record.get(f'{key}_u') or 0.0:.2f}", unit)
    table.add_section()
    reads = record.get("reads", {})
    table.add_row("Reads answered", " ".join(f"{k} {v}" for k, v in reads.items()), "")
    table.add_row("Samples recorded", str(record.get("samples")), "")
    table.add_row("Alarms", str(record.get("alarms")), "")
    return table


def _moment(text: Any) -> str:
    return str(text).replace("T", " ").split(".")[0] if text else "-"
