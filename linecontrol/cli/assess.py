"""`linecontrol assess`: how loops did, from a file or from the line's history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from linecontrol.cli.output import BAD_INPUT, stop


def assess(
    loops: Annotated[list[str] | None, typer.Argument(help="Loops; default: all of the line.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A recording instead of the history.", metavar="FILE")] = None,
    time: Annotated[str, typer.Option(metavar="COL", help="Its time column: seconds, or dates.")] = "t",
    pv: Annotated[str, typer.Option("--pv", metavar="COL", help="Its column of the measurement.")] = "pv",
    sp: Annotated[str, typer.Option("--sp", metavar="COL", help="Its column of the set point, or a number.")] = "sp",
    op: Annotated[str, typer.Option("--op", metavar="COL", help="Its column of the output.")] = "op",
    mode: Annotated[str | None, typer.Option(metavar="COL", help="Its column of the mode: 0 or MAN = manual.")] = None,
    quality: Annotated[str | None, typer.Option(metavar="COL", help="Its column that says good or bad.")] = None,
    time_unit: Annotated[str, typer.Option(help="s, ms, us, ns, min, h, d; auto: as the column's name says.")] = "auto",
    op_low: Annotated[float | None, typer.Option(help="Lower limit of the output in the file.")] = None,
    op_high: Annotated[float | None, typer.Option(help="Upper limit of the output in the file.")] = None,
    run: Annotated[str | None, typer.Option(help="Run id, or 'last' (the default).")] = None,
    last: Annotated[str | None, typer.Option(help="Instead of a run: the newest stretch, e.g. 8h, 30min, 90s.")] = None,
    delay: Annotated[
        list[str] | None, typer.Option(help="Dead time of the process in s: 30, or TIC-303=30. Repeatable.")
    ] = None,
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    data: Annotated[Path | None, typer.Option(help="Folder of the historian; default: the user data folder.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Chart to write: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """How well loops did, what they asked of their valves, why they swing, and which to mend first."""
    from linecontrol.cli.assess_report import show
    from linecontrol.cli.assess_source import from_csv, from_history
    from linecontrol.core.errors import ConfigError

    try:
        if csv is not None:
            if loops or run or last:
                stop("--csv goes without loops, --run and --last", BAD_INPUT)
            if (op_low is None) != (op_high is None):
                given, other = ("--op-high", "--op-low") if op_low is None else ("--op-low", "--op-high")
                stop(f"{given} alone tells no limits (accepted: both, or neither): give {other} too", BAD_INPUT)
            limits = None if op_low is None or op_high is None else (op_low, op_high)
            columns = {"pv": pv, "sp": sp, "op": op}
            found = from_csv(csv, time, columns, mode, quality, time_unit, limits, delay or [])
        else:
            _accept_history_only(
                {"--op-low": op_low, "--op-high": op_high, "--mode": mode, "--quality": quality}
                | {"--time": time != "t" or None, "--pv": pv != "pv" or None, "--sp": sp != "sp" or None}
                | {"--op": op != "op" or None, "--time-unit": time_unit != "auto" or None}
            )
            if run and last:
                stop("--run and --last: give one of the two", BAD_INPUT)
            found = from_history(loops or [], line, data, run, last, delay or [])
        raise typer.Exit(show(found, plot, as_json=as_json))
    except ConfigError as error:
        stop(str(error), BAD_INPUT)


def _accept_history_only(given: Mapping[str, object]) -> None:
    """Without a file nothing that describes one: silently left aside, it would be believed to have counted."""
    wrong = [option for option, value in given.items() if value is not None]
    if not wrong:
        return
    where = "the history has them under its own names"
    if set(wrong) <= {"--op-low", "--op-high"}:
        where = "the limits of a line's loop are those of its line file (op_limits)"
    stop(f"{', '.join(wrong)}: only with --csv FILE; {where}", BAD_INPUT)
