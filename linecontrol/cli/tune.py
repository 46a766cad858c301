"""`linecontrol tune`: one command for a recorded test (--csv) and for a loop that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linecontrol.cli.output import BAD_INPUT, stop


def tune(
    loop: Annotated[str | None, typer.Argument(help="Loop to test on the running line, e.g. TIC-303.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Recorded step or relay test.", metavar="FILE")] = None,
    time: Annotated[str, typer.Option(metavar="COL", help="Its time column: seconds, or dates.")] = "t",
    u: Annotated[str, typer.Option("--u", metavar="COL", help="Its column of the controller output.")] = "u",
    y: Annotated[str, typer.Option("--y", metavar="COL", help="Its column of the measurement (PV).")] = "y",
    quality: Annotated[str | None, typer.Option(metavar="COL", help="Its column that says good or bad.")] = None,
    time_unit: Annotated[str, typer.Option(help="s, ms, us, ns, min, h, d; auto: as the column's name says.")] = "auto",
    kind: Annotated[str, typer.Option(help="step, relay or auto.")] = "auto",
    structure: Annotated[str | None, typer.Option(help="pi or pid; default: pid, on a running loop as it is.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only this class of model: fopdt, sopdt, integrating, ... Repeatable.")
    ] = None,
    start: Annotated[float | None, typer.Option(help="Use the record from here, seconds after its first row.")] = None,
    end: Annotated[float | None, typer.Option(help="Use the record up to here, seconds after its first row.")] = None,
    period: Annotated[float | None, typer.Option(help="Sample time of the loop in s; default: of the test.")] = None,
    expected_sign: Annotated[int | None, typer.Option(help="Sign of the process gain, 1 or -1, if known.")] = None,
    max_ms: Annotated[
        float | None,
        typer.Option("--max-ms", "--limits", help="Largest max(Ms, Mt) on the model; 1.2 calm, 1.7 quick."),
    ] = None,
    max_noise_gain: Annotated[float | None, typer.Option(help="Largest gain from noise to output.")] = None,
    n: Annotated[float | None, typer.Option("--n", help="Derivative filter ratio Td/Tf.")] = None,
    smallest_move: Annotated[
        float, typer.Option(help="Smallest move the actuator makes, by its resolution or because it sticks.")
    ] = 0.0,
    moved_at_rows: Annotated[
        bool, typer.Option("--moved-at-rows", help="The output moved just at its rows' times, not up to a row before.")
    ] = False,
    pv_unit: Annotated[str, typer.Option(help="Unit of the measurement, for the table.")] = "",
    op_unit: Annotated[str, typer.Option(help="Unit of the output, for the table.")] = "",
    op_span: Annotated[float | None, typer.Option(help="Output span that a PLC block calls 100 %.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Chart to write: .png, .svg or .pdf.")] = None,
    test: Annotated[str, typer.Option(help="On a running loop: step, doublet or relay.")] = "doublet",
    size: Annotated[float | None, typer.Option(help="Move of the output, in its unit.")] = None,
    pv_limit: Annotated[float | None, typer.Option(help="How far the PV may go from where it is.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Time limit of the moves [line s].")] = None,
    periods: Annotated[int | None, typer.Option(help="Doublets, or periods of the relay.")] = None,
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
    who: Annotated[str | None, typer.Option("--who", help="Your name, for the record.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    url: Annotated[
        str | None, typer.Option("--url", help="Address of the controller's API; default: the one running.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Gains for a loop from a step or relay test: recorded in a file (--csv), or made on the running line."""
    if csv is None:
        if loop is None:
            stop("say what to tune (accepted: --csv FILE with a recorded test, or the name of a loop)", BAD_INPUT)
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
    from linecontrol.cli.tune_file import Asked, run_tune_file

    if loop is not None:
        stop(f"{loop} and --csv {csv}: give one of the two", BAD_INPUT)
    asked = Asked(
        csv=csv,
        time=time,
        u=u,
        y=y,
        quality=quality,
        time_unit=time_unit,
        kind=kind,
        structure=structure or "pid",
        models=model or (),
        start_s=start,
        end_s=end,
        period_s=period,
        expected_sign=expected_sign,
        peak=max_ms,
        noise_gain=max_noise_gain,
        n=n,
        smallest_move=smallest_move,
        moved_at_rows=moved_at_rows,
        pv_unit=pv_unit,
        op_unit=op_unit,
        op_span=op_span,
    )
    raise typer.Exit(run_tune_file(asked, plot, as_json=as_json))
