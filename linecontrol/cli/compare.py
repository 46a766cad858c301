"""`linecontrol compare`: runs side by side, as groups, or laid over each other."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from linecontrol.cli.histories import Data, Plot, Where, asked, check_plot, drawn
from linecontrol.cli.options import Database, Json, LineName
from linecontrol.cli.output import BAD_INPUT, paper, people, print_json, stop
from linecontrol.cli.records import Place

MOST_DEVIATIONS = 15
MOST_SIDE_BY_SIDE = 8


def compare(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, as `linecontrol runs` lists them.")] = None,
    where: Where = "",
    by: Annotated[
        str, typer.Option(help="Groups to compare: recipe, lot, species, policy, values.NAME, plant.NAME ...")
    ] = "",
    metric: Annotated[
        list[str] | None, typer.Option(help="yield, moisture, energy ... or values.NAME, plant.NAME. Repeatable.")
    ] = None,
    method: Annotated[str, typer.Option(help="t (Welch) or bootstrap.")] = "t",
    adjust: Annotated[str, typer.Option(help="For several comparisons: holm, bh (share of false ones) or none.")] = (
        "holm"
    ),
    lots: Annotated[str, typer.Option(help="auto, yes or no: account for the lots by a mixed model.")] = "auto",
    signal: Annotated[
        list[str] | None, typer.Option(help="Lay this recorded signal of the runs over each other. Repeatable.")
    ] = None,
    align: Annotated[str, typer.Option(help="start, end, or phase: stretched so that phases begin together.")] = (
        "start"
    ),
    golden: Annotated[list[str] | None, typer.Option(help="A run of the golden band. Repeatable, three or more.")] = (
        None
    ),
    golden_where: Annotated[str, typer.Option(help="Runs of the golden band by a condition, as --where.")] = "",
    plot: Plot = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """Compare runs by their figures; groups with --by; signals with --signal, against a golden band with --golden."""
    _check("--method", method, ("t", "bootstrap"))
    _check("--adjust", adjust, ("holm", "bh", "none"))
    _check("--lots", lots, ("auto", "yes", "no"))
    _check("--align", align, ("start", "end", "phase"))
    check_plot(plot)
    place = Place(data, database, line)
    if signal or golden or golden_where:
        if by or metric or where:
            stop("--signal and --golden look at single runs; they do not go with --by, --metric and --where", BAD_INPUT)
        _overlay(runs or [], signal or [], align, golden or [], golden_where, plot, place, as_json=as_json)
        return
    from linecontrol.analysis.compare import asked_compare

    found = asked(place, asked_compare, runs or [], where, by, metric or [], method, adjust, lots)
    if as_json:
        print_json(found)
    elif by:
        for one in found["compared"]:
            _print_groups(one)
    else:
        _print_side_by_side(found)
    if plot is not None:
        from linecontrol.cli.compare_plot import draw_groups, draw_side_by_side

        drawn(draw_groups if by else draw_side_by_side, found, plot)


def _check(option: str, given: str, accepted: tuple[str, ...]) -> None:
    if given not in accepted:
        stop(f"{option} {given}: not understood (accepted: {', '.join(accepted)})", BAD_INPUT)


def _print_groups(one: dict[str, Any]) -> None:
    table = Table(box=SIMPLE_HEAD, title=f"{one['title']['en']}, {one['unit']}", title_justify="left")
    for column in ("group", "runs", "mean", "standard deviation"):
        table.add_column(column, justify="left" if column == "group" else "right")
    for group in one["groups"]:
        table.add_row(escape(group["name"]), str(group["n"]), number(group["mean"], 3), number(group["sd"], 3))
    paper.print(table)
    for said in one["statements"]:
        paper.print(said, markup=False, soft_wrap=True)
    whose = "" if one["lots"] is None else ", of single runs, whatever their lots"
    for row in one["without_lots"]:
        if row["effect"] is not None:
            span = f"{row['effect_low']:.2f} to {row['effect_high']:.2f}"
            text = f"  {row['b']} less {row['a']}: Hedges' g = {row['effect']:.2f} ({span}){whose}"
            paper.print(text, style="dim", markup=False, soft_wrap=True)
    if one["lots"] is not None:
        model = one["lots"]
        how = "within lots" if model["is_within"] else "between lots"
        paper.print(
            f"Compared {how}: {model['lots']} lots, {model['runs']} runs; standard deviation between lots "
            f"{number(model['sd_lot'], 3)}, within {number(model['sd_rest'], 3)} {one['unit']}.",
            style="dim",
            soft_wrap=True,
        )
    elif one["why_no_lots"]:
        paper.print(f"Lots are not accounted for: {one['why_no_lots']}.", style="dim", markup=False, soft_wrap=True)


def number(value: float | None, digits: int) -> str:
    """A figure, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def _print_side_by_side(found: dict[str, Any]) -> None:
    runs = found["runs"]
    if not runs:
        people.print("No run fits.")
        return
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for run in runs[:MOST_SIDE_BY_SIDE]:
        table.add_column(escape(str(run["run_id"])), justify="right", overflow="fold")
    table.add_column("unit")
    for row in found["figures"]:
        cells = []
        for i, value in enumerate(row["values"][:MOST_SIDE_BY_SIDE]):
            apart = row["apart"][i]
            more = "" if i == 0 or apart is None else f"\n[dim]{apart:+.{row['digits']}f}[/dim]"
            cells.append(number(value, row["digits"]) + more)
        table.add_row(row["title"]["en"], *cells, row["unit"])
    paper.print(table)
    if len(runs) > MOST_SIDE_BY_SIDE:
        paper.print(f"The first {MOST_SIDE_BY_SIDE} of {len(runs)} runs; --json has all, --by compares groups.")


def _overlay(
    runs: list[str],
    signals: list[str],
    align: str,
    golden: list[str],
    golden_where: str,
    plot: Any,
    place: Place,
    *,
    as_json: bool,
) -> None:
    from linecontrol.analysis.overlay.answer import asked_overlay

    found = asked(place, asked_overlay, runs, signals, align, golden, golden_where)
    if as_json:
        print_json(found)
    else:
        for signal in found["signals"]:
            names = ", ".join(signal["runs"])
            paper.print(f"{signal['tag']} [{signal['unit']}]: {names}", markup=False, soft_wrap=True)
        rows = [row for row in found["deviations"] if row["run_id"] not in found["golden"] or not runs]
        if rows:
            _print_deviations(rows)
        elif plot is None:
            people.print("--plot FILE draws them; --golden RUN (three or more) tells how far they are apart.")
    if plot is not None:
        from linecontrol.cli.compare_plot import draw_overlay

        drawn(draw_overlay, found, plot)


def _print_deviations(rows: list[dict[str, Any]]) -> None:
    table = Table(box=SIMPLE_HEAD, title="Deviation from the golden band (1 = its edge)", title_justify="left")
    for column, justify in (
        ("run", "left"), ("signal", "left"), ("phase", "left"), ("score", "right"), ("outside", "right"),
        ("mean", "right"), ("worst at", "right"),
    ):  # fmt: skip
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for row in rows[:MOST_DEVIATIONS]:
        table.add_row(
            escape(row["run_id"]),
            row["tag"],
            row["phase"] or "whole run",
            f"{row['score']:.2f}",
            f"{100 * row['outside']:.0f} %",
            f"{row['mean']:+.3g}",
            f"{row['worst_at_s'] / 60:.1f} min",
        )
    paper.print(table)
    if len(rows) > MOST_DEVIATIONS:
        paper.print(f"The {MOST_DEVIATIONS} largest of {len(rows)}; --json has all.", style="dim")
