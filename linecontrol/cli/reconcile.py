"""`linecontrol reconcile`: the balances of a flowsheet, reconciled and tested."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from linecontrol.cli.output import BAD_INPUT, DONE, REFUSED, paper, people, print_json, stop

if TYPE_CHECKING:
    from linecontrol.analysis.reconcile import Quantity, Reconciled

CHARTS = (".png", ".svg", ".pdf")


def reconcile(
    file: Annotated[Path, typer.Argument(help="Flowsheet (YAML or JSON); docs/researcher.md has one.", metavar="FILE")],
    plot: Annotated[Path | None, typer.Option(help="Chart of the tests to write: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Reconcile measured streams with their balances; tell which measurement is wrong, if that can be told."""
    from linecontrol.analysis.reconcile import CannotReconcile
    from linecontrol.analysis.reconcile import reconcile as reconciled
    from linecontrol.analysis.reconcile.file import read_flowsheet
    from linecontrol.core.errors import ConfigError

    if plot is not None and plot.suffix.lower() not in CHARTS:
        stop(f"--plot {plot}: a chart is not written in this format (accepted: {', '.join(CHARTS)})", BAD_INPUT)
    try:
        found = reconciled(read_flowsheet(file))
    except ConfigError as error:
        stop(str(error), BAD_INPUT)
    except CannotReconcile as error:
        if as_json:
            print_json({"refused": str(error)})
        else:
            people.print(f"{file}: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(REFUSED) from None
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    if plot is not None:
        from linecontrol.cli.charts import draw_balance_tests

        try:
            draw_balance_tests(found, plot)
        except OSError as error:
            stop(f"--plot {plot}: cannot be written: {error.strerror}", BAD_INPUT)
        people.print(f"chart: {plot}", markup=False)
    raise typer.Exit(DONE)


def _print(found: Reconciled) -> None:
    table = Table(box=SIMPLE_HEAD, title=escape(found.flowsheet.name), title_justify="left", padding=(0, 1, 0, 0))
    for column in ("stream", "measured", "reconciled", "change", "test", "seen from"):
        table.add_column(
            column, justify="left" if column == "stream" else "right", no_wrap=column != "stream", overflow="fold"
        )
    suspects = {name for suspect in found.errors.found for name in suspect.names}
    under = ""
    for variable in found.flowsheet.variables:
        quantity, z = found.solution.of(variable.name), found.errors.z.get(variable.name)
        measured, change = "not measured", ""
        if variable.value is not None:
            measured = _figures(variable.value, variable.u or 0.0)
            change = f"{quantity.value - variable.value:+.2g}"
        test = "" if z is None else "no balance tests it" if math.isnan(z) else f"{z:+.2f}"
        mark = " ◀ suspect" if variable.name in suspects else ""
        stream, _, share = variable.name.partition(".")
        called = f"  .{share}" if share and stream == under else variable.name
        called, under = f"{called} [{variable.unit}]" if variable.unit else called, stream
        seen = found.errors.seen_from.get(variable.name, math.inf)
        least = f"±{seen:.2g}" if math.isfinite(seen) else ""
        table.add_row(escape(called), measured, _text(quantity), change, test + mark, least)
    paper.print(table)
    for said in (found.statement(), *found.flowsheet.remarks):
        paper.print(said, markup=False, soft_wrap=True)
    if found.below_nothing:
        names = ", ".join(found.below_nothing)
        said = f"Less than nothing: {names}. No stream is; a balance or a value is wrong, or uncertainty covers it."
        paper.print(said, markup=False, soft_wrap=True)
    if found.errors.dof and not math.isnan(found.errors.z_limit):
        said = f"Limit of the test of one stream, at 5 % in all: ±{found.errors.z_limit:.2f}. Seen from: the error of "
        said += "this stream alone that its test finds four times in five."
        paper.print(said, style="dim", soft_wrap=True)
    for group in found.errors.alike:
        paper.print(f"No test tells apart: {', '.join(group)}.", style="dim", markup=False, soft_wrap=True)
    for name, quantity in found.wanted.items():
        raw = found.raw[name]
        said = "cannot be had from measured values alone" if raw is None else f"{_text(raw)} as measured"
        low, high = quantity.interval
        interval = "" if math.isnan(quantity.u) else f", 95 %: {low:.5g} to {high:.5g}"
        paper.print(f"\n{name}: {_text(quantity)} reconciled{interval}; {said}", markup=False, soft_wrap=True)
        for stream, rows in found.if_wrong.items():
            paper.print(f"  {_text(rows[name])} if {stream} is what is wrong", markup=False, soft_wrap=True)


def _text(quantity: Quantity) -> str:
    return _figures(quantity.value, quantity.u)


def _figures(value: float, u: float) -> str:
    """With as many digits as the uncertainty has to say something: two of it."""
    if math.isnan(u):
        return "not determined"
    if u == 0.0:
        return f"{value:.10g} (exact)"
    digits = max(0, 1 - math.floor(math.log10(u)))
    return f"{value:.{digits}f} ± {u:.{digits}f}"
