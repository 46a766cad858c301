"""`linecontrol moisture`: the model of the dryer, and how near the limit its set point may stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from linecontrol.cli.options import Json, Url
from linecontrol.cli.output import BAD_INPUT, REFUSED, guarded_value, paper, print_json, stop

app = typer.Typer(
    help="The dryer's model, and the moisture set point near the limit.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the history; default: the user data folder.")]


@app.command()
def advise(
    run: Annotated[str, typer.Option(help="Run id, or 'last'.")] = "last",
    risk: Annotated[float, typer.Option(help="Accepted share of the time above the critical limit.")] = 1e-3,
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the advice on the run in hand.")] = False,
    who: Annotated[str | None, typer.Option("--who", help="Your name; needed with --yes.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """The highest moisture set point that keeps the risk of exceeding the limit. Changes nothing without --yes."""
    from linecontrol.cli.client import ask

    if yes and not who:
        stop("--yes: the set point is changed in a person's name (give --who)", BAD_INPUT)
    if yes:
        run_id = _in_hand(url) if run == "last" else run
        found = ask("POST", url, f"/runs/{run_id}/set-point-advice", {"who": who, "risk": risk})
    else:
        found = _recorded(run, risk, line, data)
    if as_json:
        print_json(found, one_line=True)
    else:
        for text in advice_text(found):
            paper.print(text, markup=False, soft_wrap=True)
    if found["set_point"] is None:
        raise typer.Exit(REFUSED)


@app.command()
def record(
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    run: Annotated[str, typer.Option(help="Run id, or 'last'.")] = "last",
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write what the history has of the dryer during a run, as a record for commissioning."""
    from linecontrol.line.moisture_record import write_csv

    columns, run_id = guarded_value(lambda: _columns(run, line, data))
    guarded_value(lambda: write_csv(out, columns))
    facts = {"run_id": run_id, "file": str(out), "rows": len(columns["time_s"]), "columns": list(columns)}
    if as_json:
        print_json(facts)
    else:
        hours = columns["time_s"][-1] / 3600.0
        paper.print(f"{out}: {facts['rows']} rows, {hours:.2f} h of run {run_id}", markup=False, soft_wrap=True)


@app.command()
def commission(
    out: Annotated[Path, typer.Option(help="File to write the model to; name it in the line file.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="A record as CSV.")] = None,
    run: Annotated[str | None, typer.Option(help="A run in the history instead: its id, or 'last'.")] = None,
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Identify the dryer from a record of normal running with a step test, and write its model.

    Exit 4: the record cannot tell what must be known; the reason says what would do.
    """
    from linecontrol.config import read_line
    from linecontrol.line.moisture_model import NotCommissioned, commissioned
    from linecontrol.line.moisture_record import moisture_loop

    if (csv is None) == (run is None):
        stop("say where the record is: either --csv FILE or --run RUN", BAD_INPUT)

    def work() -> tuple[dict[str, Any], dict[str, Any]]:
        loop, _ = moisture_loop(read_line(line))
        if csv is not None:
            return commissioned(csv, loop, csv.name)
        columns, run_id = _columns(run or "last", line, data)
        return commissioned(columns, loop, f"run {run_id}")

    def refusing() -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            return work()
        except NotCommissioned as error:
            if as_json:
                print_json({"refused": error.code, "reason": str(error)}, one_line=True)
            stop(f"Not commissioned ({error.code}): {error}", REFUSED)

    content, found = guarded_value(refusing)
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    guarded_value(lambda: out.write_text(text + "\n", encoding="utf-8"))
    if as_json:
        print_json(found | {"file": str(out)}, one_line=True)
        return
    paper.print(effects_table(found))
    paper.print(foretold_text(found["foretold_rms_pct_wb"]), markup=False, soft_wrap=True)
    for warning in found["warnings"]:
        paper.print(f"Note: {warning}", markup=False, soft_wrap=True)
    paper.print(
        f"The meter's noise is {found['meter_noise_pct_wb']:.2f} % wb; {found['unexplained_pct_wb']:.2f} % wb of one "
        f"reading is explained by nothing. The model lies in {out}; in the line file: model: {out.name}",
        markup=False,
        soft_wrap=True,
    )


def foretold_text(foretold: Mapping[str, float]) -> str:
    """What each strategy would have left of the moisture's error in the hours of the record."""
    words = {"manual": "left alone"}
    each = ", ".join(f"{words.get(name, name)} {rms:.2f}" for name, rms in foretold.items())
    return (
        f"On the hours of this record, error of the moisture by strategy (rms, % wb; on the model, no ranking): {each}"
    )


def effects_table(found: Mapping[str, Any]) -> Table:
    """What was identified, a row per effect."""
    title = f"Identified from {found['hours']:.1f} h at {found['moisture_mean_pct_wb']:.1f} % wb"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("Effect of")
    for heading in ("Gain", "95 % interval", "Delay s", "Lags s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Gain in")
    for row in found["effects"]:
        known = row["low_95"] is not None
        interval = f"{row['low_95']:.3f} to {row['high_95']:.3f}" if known else "not told"
        lags = " ".join(f"{lag:.0f}" for lag in row["lags_s"] if lag >= 0.5)
        words = (f"{row['of']} on {row['on']}", f"{row['gain']:.3f}", interval, f"{row['delay_s']:.0f}", lags)
        table.add_row(*words, row["unit"])
    return table


def _columns(run: str, line: str, data: Path | None) -> tuple[dict[str, list[float]], str]:
    from linecontrol.cli.records import folder_of
    from linecontrol.config import read_line
    from linecontrol.history import open_reader
    from linecontrol.line.moisture_record import run_columns

    config = read_line(line)
    folder, run_id = folder_of(data, run)
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        return run_columns(reader, config, run_id), run_id


def _in_hand(url: str | None) -> str:
    from linecontrol.cli.client import ask

    view = ask("GET", url, "/runs/current")
    if view is None:
        stop("there is no run in hand", REFUSED)
    return str(view["run_id"])


def _recorded(run: str, risk: float, line: str, data: Path | None) -> dict[str, Any]:
    """The advice on a run from its history; needs no controller. Ends the program with a sentence when it cannot."""
    from linecontrol.cli.records import folder_of
    from linecontrol.config import read_line
    from linecontrol.history import open_reader
    from linecontrol.line.sp_advice import advice_of, run_advice

    def work() -> dict[str, Any]:
        about = advice_of(read_line(line))
        folder, run_id = folder_of(data, run)
        with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
            return run_advice(reader, about, run_id, risk)

    found: dict[str, Any] = guarded_value(work)
    return found


def advice_text(found: Mapping[str, Any]) -> list[str]:
    """The advice as a person reads it."""
    unit, loop = found["unit"], found["loop"]
    if found["set_point"] is None:
        return [f"No advice: {found['reason']}"]
    present = "" if found["present"] is None else f" (it was {found['present']:g})"
    why = {
        "risk": f"the risk of exceeding {found['limit']:g} {unit}",
        "loop": "the upper limit of the loop's set point",
        "margin": f"the margin below the critical limit {found['limit']:g} {unit}",
        "loop-low": "the lower limit of the loop's set point: even there the risk is higher than asked for",
    }[found["bound_by"]]
    rows = [
        f"{loop}.SP up to {found['set_point']:g} {unit}{present}, for {100 * found['risk']:g} % of the time above "
        f"{found['limit']:g} {unit}; what keeps it there is {why}.",
        f"It stands on {found['hours']:.1f} h in control ({found['stands_on']}, worth {found['independent']:.0f} "
        f"independent readings): deviation {found['mean']:+.2f} (at most {found['mean_most']:+.2f}), its spread "
        f"{found['spread']:.2f} (at most {found['spread_most']:.2f}), unseen {found['unseen']:.2f} {unit}.",
    ]
    if "taken" in found:
        rows.append(f"{loop}.SP is now {found['taken']:g} {unit}.")
    else:
        rows.append("Nothing was changed. To take it on the run in hand: --yes --who YOUR-NAME")
    return rows
