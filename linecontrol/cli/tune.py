"""`linecontrol tune`: one command for a recorded test (--csv) and for a loop that runs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
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
    time_unit: Annotated[str, typer.Option(help="s, ms, min, h; auto: as the column's name ends.")] = "auto",
    kind: Annotated[str, typer.Option(help="step, relay or auto.")] = "auto",
    structure: Annotated[str, typer.Option(help="pi or pid.")] = "pid",
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
    pv_unit: Annotated[str, typer.Option(help="Unit of the measurement, for the table.")] = "",
    op_unit: Annotated[str, typer.Option(help="Unit of the output, for the table.")] = "",
    op_span: Annotated[float | None, typer.Option(help="Output span that a PLC block calls 100 %.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Chart to write: .png, .svg or .pdf.")] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Address of the controller's API; default: the one running.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Gains for a loop from a step or relay test: recorded in a file (--csv), or made on the running line."""
    if csv is None:
        if loop is None:
            stop("say what to tune (accepted: --csv FILE with a recorded test, or the name of a loop)", BAD_INPUT)
        if find_spec("linecontrol.cli.tune_live") is None:
            stop(f"{loop}: a loop of a running line cannot be tuned from here (accepted: --csv FILE)", BAD_INPUT)
        live = import_module("linecontrol.cli.tune_live")
        raise typer.Exit(live.tune_live(loop, structure=structure, max_ms=max_ms, url=url, as_json=as_json))
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
        structure=structure,
        models=model or (),
        start_s=start,
        end_s=end,
        period_s=period,
        expected_sign=expected_sign,
        peak=max_ms,
        noise_gain=max_noise_gain,
        n=n,
        pv_unit=pv_unit,
        op_unit=op_unit,
        op_span=op_span,
    )
    raise typer.Exit(run_tune_file(asked, plot, as_json=as_json))
