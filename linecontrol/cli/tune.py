"""`linecontrol tune`: gains from a test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Who = Annotated[str, typer.Option("--who", help="Your name, for the record.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the controller's API; default: the one running.")]


def tune(
    loop: Annotated[str, typer.Argument(help="Loop of the running controller, e.g. TIC-303.")],
    test: Annotated[str, typer.Option(help="step, doublet or relay")] = "doublet",
    size: Annotated[float | None, typer.Option(help="Move of the output, in its unit.")] = None,
    pv_limit: Annotated[float | None, typer.Option(help="How far the PV may go from where it is.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Time limit of the moves [line s].")] = None,
    periods: Annotated[int | None, typer.Option(help="Doublets, or periods of the relay.")] = None,
    structure: Annotated[str | None, typer.Option(help="pi or pid; default: as the loop is.")] = None,
    gains: Annotated[str | None, typer.Option(help="No test: your own gains on trial, k=0.9,ti_s=85.")] = None,
    candidate: Annotated[
        str | None, typer.Option(help="Which gains on offer to apply; without --apply: of the last test, no new one.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Put the gains found on trial.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="End the trial: the gains stay.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="End the test under way.")] = False,
    revert: Annotated[bool, typer.Option("--revert", help="One step back to the former gains.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show gains, trial and what was journalled.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    who: Who = "operator",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw test and predictions into this file.")] = None,
) -> None:
    """Test a running loop, show what gains would do, put them on trial, accept them or take them back."""
    from linecontrol.cli.tune_live import tune_live

    raise typer.Exit(
        tune_live(
            loop,
            test=test,
            size=size,
            pv_limit=pv_limit,
            time_limit=time_limit,
            periods=periods,
            structure=structure,
            gains=gains,
            candidate=candidate,
            apply=apply,
            accept=accept,
            abort=abort,
            revert=revert,
            show=show,
            yes=yes,
            who=who,
            reason=reason,
            url=url,
            as_json=as_json,
            plot=plot,
        )
    )
