"""`linecontrol attribute`: why one run made more powder than another, in kg, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from linecontrol.cli.histories import Data
from linecontrol.cli.options import Database, LineName
from linecontrol.cli.output import BAD_INPUT, REFUSED, paper, people, print_json, stop

if TYPE_CHECKING:
    from linecontrol.analysis.attribution import Attribution

CHARTS = (".png", ".svg", ".pdf")


def attribute(
    a: Annotated[str, typer.Argument(help="Run to start from.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Run that is explained, or 'last'.", metavar="B")],
    plot: Annotated[Path | None, typer.Option(help="Waterfall chart to write: .png, .svg or .pdf.")] = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Split the difference in good powder of two runs over the steps of the process. Needs no running controller."""
    from linecontrol.analysis.attribution import CannotAttribute
    from linecontrol.analysis.attribution import attribute as attributed
    from linecontrol.cli.records import Place, read_run

    if plot is not None and plot.suffix.lower() not in CHARTS:
        stop(f"--plot {plot}: a chart is not written in this format (accepted: {', '.join(CHARTS)})", BAD_INPUT)
    records = [read_run(Place(data, database, line), name) for name in (a, b)]
    names = [str(record["run_id"]) for record in records]
    try:
        found = attributed(*records)
    except CannotAttribute as error:
        if as_json:
            print_json({"refused": str(error)})
        else:
            people.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(REFUSED) from None
    if as_json:
        print_json({"a": names[0], "b": names[1], **found.to_dict()})
    else:
        _print(found, names)
    if plot is not None:
        from linecontrol.cli.charts import draw_attribution

        try:
            draw_attribution(found, names, plot)
        except OSError as error:
            stop(f"--plot {plot}: cannot be written: {error.strerror}", BAD_INPUT)
        people.print(f"chart: {plot}", markup=False)


def _print(found: Attribution, names: list[str]) -> None:
    from linecontrol.analysis.attribution import TITLES

    table = Table(box=SIMPLE_HEAD, title="Good powder [kg; ± k = 1]", title_justify="left")
    for column in ("", "kg", "95 %", "factor in A", "factor in B"):
        table.add_column(column, justify="left" if not column else "right")
    for name, powder in zip(names, (found.powder_a, found.powder_b), strict=True):
        table.add_row(name, f"{powder.value:.2f} ± {powder.u:.2f}", "", "", "")
    table.add_section()
    for step in found.steps:
        low, high = step.part.interval
        kg, interval = f"{step.part.value:+.2f} ± {step.part.u:.2f}", f"{low:+.2f} to {high:+.2f}"
        table.add_row(" / ".join(TITLES[step.name]), kg, interval, f"{step.a:.5g}", f"{step.b:.5g}")
    table.add_section()
    low, high = found.difference.interval
    total = f"{found.difference.value:+.2f} ± {found.difference.u:.2f}"
    table.add_row("B less A / 差", total, f"{low:+.2f} to {high:+.2f}", "", "")
    paper.print(table)
    if found.left_out:
        text = f"Not known in both runs, and within the unaccounted part: {', '.join(found.left_out)}."
        paper.print(text, markup=False, soft_wrap=True)
