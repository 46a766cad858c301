"""`linecontrol spc`, `power` and `surface`: control charts, runs needed, designed experiments."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from linecontrol.cli.compare import number
from linecontrol.cli.histories import Data, Plot, Where, asked, check_plot, drawn
from linecontrol.cli.options import Database, Json, LineName
from linecontrol.cli.output import BAD_INPUT, REFUSED, paper, print_json, stop
from linecontrol.cli.records import Place


def spc(
    metric: Annotated[list[str] | None, typer.Option(help="Figure to watch. Repeatable.")] = None,
    where: Where = "",
    baseline: Annotated[
        int | None, typer.Option(min=8, help="Limits are made of the first so many runs; default: all.")
    ] = None,
    rules: Annotated[
        str, typer.Option(help="Of single values: western-electric, nelson, or numbers as 1,2,5.")
    ] = "western-electric",
    plot: Plot = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """Control charts (I-MR, EWMA, CUSUM) of yield, moisture and energy over the runs, oldest first."""
    from linecontrol.analysis.charts import USUAL, asked_charts
    from linecontrol.analysis.statistics.spc import NELSON, WESTERN_ELECTRIC

    check_plot(plot)
    sets = {"western-electric": WESTERN_ELECTRIC, "nelson": NELSON}
    chosen = sets.get(rules) or tuple(word.strip() for word in rules.split(",") if word.strip())
    found = asked(Place(data, database, line), asked_charts, metric or USUAL, where, (), baseline, chosen)
    if as_json:
        print_json(found)
    else:
        for one in found:
            _print_charts(one)
    if plot is not None:
        from linecontrol.cli.compare_plot import draw_control_charts

        drawn(draw_control_charts, found, plot)


def _print_charts(one: dict[str, Any]) -> None:
    digits = one["digits"] + 1
    paper.print(
        f"[bold]{one['title']['en']}[/bold], {one['unit']}: {len(one['runs'])} runs, centre {one['centre']:.{digits}f}"
        f", sigma {one['sigma']:.{digits}f} from moving ranges of {one['baseline']} runs",
        soft_wrap=True,
    )
    signals = [(s["index"], kind, s) for kind, chart in one["charts"].items() for s in chart["signals"]]
    if not signals:
        paper.print("  nothing out of the ordinary\n", style="dim")
        return
    table = Table(box=SIMPLE_HEAD)
    for column in ("run", "value", "chart", "what"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for index, kind, signal in sorted(signals, key=lambda row: row[:2]):
        side = {1: ", high", -1: ", low"}.get(signal["side"], "")
        rule = f" (rule {signal['rule']})" if signal["rule"].isdigit() else ""
        value = number(one["values"][index], digits)
        table.add_row(str(one["runs"][index]["run_id"]), value, kind, f"{signal['text']}{side}{rule}")
    paper.print(table)


def power(
    see: Annotated[str, typer.Option(help="Difference to see: 1% of the mean, or 0.8 in the figure's unit.")] = "1%",
    metric: Annotated[str, typer.Option(help="Figure of the runs that mean and spread are taken from.")] = "yield",
    where: Where = "",
    sd: Annotated[float | None, typer.Option(help="Spread of single runs, instead of from runs on record.")] = None,
    mean: Annotated[float | None, typer.Option(help="Mean, for a difference in percent of it.")] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Both ways on every lot; --sd is then that of differences within a lot.")
    ] = False,
    chance: Annotated[float, typer.Option("--power", min=0.1, max=0.999, help="Chance to see it.")] = 0.8,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """How many runs it takes to see a difference."""
    from linecontrol.analysis.runs_needed import asked_power, power_answer
    from linecontrol.core.errors import ConfigError

    if sd is None:
        found = asked(Place(data, database, line), asked_power, see, metric, where, paired, chance)
    else:
        try:
            found = power_answer(see, sd, mean, metric, paired=paired, power=chance)
        except ConfigError as error:
            stop(str(error), BAD_INPUT)
    if as_json:
        print_json(found)
        return
    for said in found["statements"]:
        paper.print(said, markup=False, soft_wrap=True)


def surface(
    metric: Annotated[str, typer.Option(help="Figure to be explained.")] = "yield",
    factor: Annotated[
        list[str] | None, typer.Option(help="Recipe value that was varied; default: all that were. Repeatable.")
    ] = None,
    where: Where = "",
    instead_of: Annotated[
        list[str] | None,
        typer.Option(help="Setting the proposal is compared with, e.g. rasp_rpm=1500; default: middle. Repeatable."),
    ] = None,
    smallest: Annotated[bool, typer.Option("--smallest", help="The smallest figure is wanted, not the largest.")] = (
        False
    ),
    model: Annotated[str, typer.Option(help="auto, linear, interactions or quadratic.")] = "auto",
    plot: Plot = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """A designed experiment (`simulate --vary`, or real runs) as a response surface, with a proposal what to try next.

    Exit code 4 when no setting is told to be better.
    """
    from linecontrol.analysis.experiment import asked_surface
    from linecontrol.cli.commands import formula_values

    check_plot(plot)
    here = {k: float(v) for k, v in formula_values(instead_of, "--instead-of", "rasp_rpm=1500").items()} or None
    goal = "min" if smallest else "max"
    found = asked(Place(data, database, line), asked_surface, metric, factor or [], where, (), here, goal, model)
    if as_json:
        print_json(found)
    else:
        _print_surface(found)
    if plot is not None:
        from linecontrol.cli.compare_plot import draw_surface

        drawn(draw_surface, found, plot)
    if not found["proposal"]["is_better"]:
        raise typer.Exit(REFUSED)


def _print_surface(found: dict[str, Any]) -> None:
    fitted = found["surface"]
    title = f"{found['title']['en']}, {found['unit']}: {fitted['model']} surface of {fitted['runs']} runs"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for column in ("from middle to end of", "changes it by", "u", "p"):
        table.add_column(column, justify="left" if column.startswith("from") else "right")
    for term in fitted["terms"]:
        name = "(mean at the middle)" if term["name"] == "1" else term["name"]
        table.add_row(name, f"{term['value']:+.4g}", f"{term['u']:.2g}", f"{term['p']:.2g}")
    paper.print(table)
    ranges = ", ".join(f"{name} {r['low']:g} to {r['high']:g}" for name, r in fitted["factors"].items())
    lots = f", {fitted['lots']} lots compared within themselves" if fitted["lots"] else ""
    paper.print(
        f"Tried: {ranges}. Spread of a run about the surface {fitted['sd']:.3g} {found['unit']} ({fitted['df']} "
        f"degrees of freedom){lots}; {100 * (fitted['r2_adjusted'] or 0.0):.0f} % of the variance explained.",
        soft_wrap=True,
    )
    if fitted["lack_p"] is not None and fitted["lack_p"] < 0.05:
        paper.print(f"This surface does not fit (p = {fitted['lack_p']:.2g}): try a fuller --model.", style="bold")
    paper.print(found["statement"], markup=False, soft_wrap=True)
