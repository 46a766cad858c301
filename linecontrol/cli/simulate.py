"""`linecontrol simulate`: runs of a recipe on the twin, many times faster than real time."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from linecontrol.cli.output import DONE, FAILED, paper, people, print_json
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.line.recipes import prepare
from linecontrol.twin.campaign import Row, numbered, rows_of
from linecontrol.twin.design import Point, blamed, points, read_design
from linecontrol.twin.operators import POLICIES
from linecontrol.twin.schedules import read_faults
from linecontrol.twin.summary import MEASURES, summary
from linecontrol.twin.trial import Trial, line_at_step, plant_parameters
from linecontrol.twin.validate import ALL_CHECKS, HEADINGS, Part, counted, parts
from linecontrol.twin.validate import rows as validation_rows

MOST_TRIALS = 100_000
MOST_COLUMNS = 4
LEAST_COLUMNS = 100  # that the validation table needs


def plan(
    recipe: str,
    *,
    line: str,
    seeds: Sequence[int],
    policies: Sequence[str],
    values: Mapping[str, float | bool],
    plant: Mapping[str, float],
    species: str = "",
    line_type: str = "",
    faults: Sequence[str],
    vary: str | None,
    every_s: float,
    laboratory: bool = False,
) -> list[Trial]:
    """The trials of a campaign. Raises ConfigError for whatever is wrong before the first one is run."""
    for policy in policies:
        if policy not in POLICIES:
            raise ConfigError([Problem("", None, "--policy", f"{policy!r} is not known", ", ".join(POLICIES))])
    config = line_at_step(line)
    written = read_faults(faults, config)
    design = read_design(vary) if vary else None
    study = points(design) if design is not None else [Point()]
    count = len(study) * len(policies) * len(seeds)
    if count > MOST_TRIALS:
        raise ConfigError([Problem("", None, "simulate", f"{count} trials are too many", f"up to {MOST_TRIALS}")])
    first = Trial(
        recipe,
        line=line,
        faults=written,
        every_s=every_s,
        watched=bool(written),
        species=species,
        line_type=line_type,
        has_laboratory=laboratory,
    )
    if design is not None and (twice := [*(values.keys() & design.recipe), *(plant.keys() & design.plant)]):
        raise ConfigError(
            [Problem("", None, "--vary", f"{name} is given on the command line, too", "in one place") for name in twice]
        )
    trials = []
    for point in study:
        chosen, parts = {**values, **point.values}, {**plant, **point.plant}
        try:
            prepare(config, recipe, chosen)
        except ConfigError as error:
            if vary is None or design is None:
                raise
            raise ConfigError(blamed(vary, design, error.problems)) from error
        plant_parameters(parts, species, line_type)
        for policy in policies:
            trials += [replace(first, seed=seed, values=chosen, plant=parts, policy=policy) for seed in seeds]
    return numbered(trials)


def run_simulate(trials: Sequence[Trial], jobs: int, dask: str | None, out: Path | None, *, as_json: bool) -> int:
    """Run the trials, print what came of them; returns the exit code."""
    rows: list[Row] = []
    failed = 0
    try:
        with _bar(quiet=not sys.stderr.isatty()) as bar:
            task = bar.add_task("runs", total=len(trials))
            for trial, row in zip(trials, rows_of(trials, jobs, dask, out), strict=True):
                rows.append(row)
                bar.advance(task)
                failed += _tell(trial, row)
    except KeyboardInterrupt:
        people.print(f"Stopped after {len(rows)} of {len(trials)} runs." + (_again(out) if out else ""))
        return 130
    found = summary(rows)
    if as_json:
        print_json({"trials": rows, "summary": found}, one_line=True)
    else:
        paper.print(_table(trials[0].recipe, found))
        if len(found) > MOST_COLUMNS:
            paper.print(f"The first {MOST_COLUMNS} of {len(found)} groups; --json has all.")
        if out is not None:
            paper.print(f"Every run lies in {out / 'history.sqlite3'}; next: linecontrol runs --data {out}")
    return FAILED if failed else DONE


def _again(out: Path) -> str:
    return f" The same command goes on from there: what is finished lies in {out}."


def run_validate(plant: Mapping[str, float], *, as_json: bool) -> int:
    """Compare the simulated plant with figures from elsewhere and print the table; returns the exit code.

    What lies outside its reference is told, not failed; a bound of physics that is broken fails.
    """
    found = []
    with _bar(quiet=not sys.stderr.isatty(), doing="Validating") as bar:
        task = bar.add_task("checks", total=len(ALL_CHECKS))
        for row in validation_rows(plant):
            found.append(row)
            bar.advance(task)
    broken = sum(row.is_broken for row in found)
    if as_json:
        outside = sum(row.verdict == "outside" for row in found)
        summary = {"checks": len(found), "outside": outside, "broken": broken}
        print_json({"rows": [row.plain() for row in found], "summary": summary}, one_line=True)
    else:
        # a file has no width of its own
        sheet = paper if paper.is_terminal else Console(highlight=False, width=max(paper.width, LEAST_COLUMNS))
        for part in parts(found):
            _print_part(part, sheet)
        sheet.print(counted(found), style="bold")
        sheet.print("S public source, G general knowledge, D derived. Why some lie outside: docs/plant.md")
    return FAILED if broken else DONE


def _print_part(part: Part, sheet: Console) -> None:
    table = Table(title=part.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    check, *others = HEADINGS
    table.add_column(check)
    for heading in others:
        table.add_column(heading, no_wrap=True)
    for line in part.lines:
        style = "bold" if line[4] not in ("inside", "kept") else ""
        table.add_row(*(Text(cell) for cell in line), style=style)
    sheet.print(table)
    for note in part.notes:
        sheet.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))
    sheet.print()


def _bar(*, quiet: bool, doing: str = "Simulating") -> Progress:
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=people, disable=quiet)


def _tell(trial: Trial, row: Row) -> bool:
    """Say at once what went wrong in a trial, and how to see it again. True when something did."""
    if "error" in row:
        people.print(f"not run: {row['error']}", style="bold", markup=False, soft_wrap=True)
    for breach in row.get("breaches", ()):
        text = f"seed {trial.seed}, {breach['at_s']:.0f} s: {breach['rule']}: {breach['text']}"
        people.print(text, style="bold", markup=False, soft_wrap=True)
    wrong = "error" in row or bool(row.get("breaches"))
    if wrong:
        people.print(f"  see it again: {replay(trial)}", markup=False, soft_wrap=True)
    return wrong


def replay(trial: Trial) -> str:
    """The command that runs this one trial again."""
    words = ["linecontrol simulate", trial.recipe, f"--seeds {trial.seed}..{trial.seed}"]
    words += [f"--policy {trial.policy}"] if trial.policy != "auto" else []
    words += [f"--line {shlex.quote(trial.line)}"] if trial.line != "demo" else []
    words += [f"--species {trial.species}"] if trial.species else []
    words += [f"--line-type {trial.line_type}"] if trial.line_type else []
    words += ["--laboratory"] if trial.has_laboratory else []
    words += [f"--fault '{fault}'" for fault in trial.faults]
    words += [f"--set {name}={value}" for name, value in trial.values.items()]
    words += [f"--plant {name}={value}" for name, value in trial.plant.items()]
    return " ".join(words)


def _table(recipe: str, groups: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=f"{recipe}: mean and 95 % interval over seeds", title_justify="left", pad_edge=False)
    table.add_column("")
    shown = groups[:MOST_COLUMNS]
    for group in shown:
        table.add_column(_heading(group), justify="right")
    table.add_column("")
    table.add_row("Runs", *(str(group["trials"]) for group in shown), "")
    table.add_row("of these complete", *(str(group["complete"]) for group in shown), "")
    if any(group["errors"] for group in shown):
        table.add_row("not run", *(str(group["errors"]) for group in shown), "")
    table.add_section()
    for measure in MEASURES:
        cells = [_cell(group["measures"][measure.key], measure.digits) for group in shown]
        table.add_row(measure.title, *cells, measure.unit)
    return table


def _heading(group: Mapping[str, Any]) -> str:
    varied = {**group["values"], **group["plant"]}
    return "\n".join([group["policy"], *(f"{name} {value:g}" for name, value in varied.items())])


def _cell(found: Mapping[str, Any], digits: int) -> str:
    if found["mean"] is None:
        return "-"
    half = "" if found["half_95"] is None else f" ± {found['half_95']:.{digits}f}"
    return f"{found['mean']:.{digits}f}{half}"


def read_seeds(text: str | None, first: int | None = None, runs: int | None = None) -> range:
    """``A..B``, or ``runs`` seeds (1) from ``first`` (1). Raises ConfigError."""
    if text is None:
        start = 1 if first is None else first
        return range(start, start + (runs or 1))
    if first is not None or runs is not None:
        raise ConfigError(
            [Problem("", None, "--seeds", "is given together with --seed or --runs", "one way to name the seeds")]
        )
    low, dots, high = text.partition("..")
    try:
        found = range(int(low), int(high if dots else low) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 0:
        raise ConfigError([Problem("", None, "--seeds", f"{text!r} is not understood", "A..B, as 1..60")])
    return found
