"""`linecontrol lab`: laboratory values, entered and listed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from linecontrol.cli.options import Json, Url
from linecontrol.cli.output import BAD_INPUT, paper, print_json, stop

app = typer.Typer(help="Laboratory values: enter them, list them.", no_args_is_help=True, rich_markup_mode=None)


_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@app.command()
def add(
    tag: Annotated[str, typer.Argument(help="The meter it is a check of, e.g. MT-306, or the sample point.")],
    value: Annotated[float, typer.Argument(help="What the laboratory found, in its unit.")],
    at: Annotated[
        str | None,
        typer.Option(help='When the SAMPLE was taken: "10:40", or a date and time. Not needed with a point and --run.'),
    ] = None,
    who: Annotated[str | None, typer.Option("--who", help="Your name, for the record.")] = None,
    u: Annotated[float | None, typer.Option(help="Standard uncertainty; default: the line file's.")] = None,
    note: Annotated[str, typer.Option(help="For the record.")] = "",
    run: Annotated[str | None, typer.Option(help="Run the sample is of; refused if it was not under way.")] = None,
    replaces: Annotated[str | None, typer.Option(help="Id of an entry that was wrong.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Enter a laboratory value with the time its sample was taken."""
    from linecontrol.cli.client import ask

    sampled_at = None
    if at is not None:
        sampled_at = moment(at, datetime.fromisoformat(ask("GET", url, "/status")["time"])).isoformat()
    body: dict[str, Any] = {"tag": tag, "value": value, "sampled_at": sampled_at, "who": who}
    body |= {"u": u, "note": note, "run_id": run, "replaces": replaces}
    row = ask("POST", url, "/lab", body)
    if as_json:
        print_json(row)
        return
    said = f"{row['lab_id']}: {row['tag']} {row['value']:g} ± {row['u']:g} {row['unit']}"
    if tag in [point["name"] for point in ask("GET", url, "/lab/samples")]:
        paper.print(f"{said}, of run {row['run_id']}", markup=False, soft_wrap=True)
        return
    then = "no good reading then" if row["meter"] is None else f"meter {row['meter']:.2f} then"
    paper.print(
        f"{said}, sample of {local(row['sampled_at'])} ({then}): {row['verdict']}", markup=False, soft_wrap=True
    )
    paper.print(_bias_text(url, tag), markup=False, soft_wrap=True)


@app.command()
def points(url: Url = None, as_json: Json = False) -> None:
    """The sample points: what the laboratory may be asked of a run."""
    from linecontrol.cli.client import ask

    rows = ask("GET", url, "/lab/samples")
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Sample point", "", "", "Range", "u", "u of sampling"):
        table.add_column(title)
    for row in rows:
        limits = f"{row['low']:g} to {row['high']:g} {row['unit']}"
        words = (row["name"], row["title"]["en"], row["title"]["zh"])
        table.add_row(*words, limits, f"{row['u']:g}", f"{row['sampling_u']:g}")
    paper.print(table)


@app.command("list")
def list_values(
    tag: Annotated[str | None, typer.Option(help="Only this meter.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """The values of the last 30 days, what was thought of each, and the bias of every meter."""
    from linecontrol.cli.client import ask

    rows = ask("GET", url, f"/lab?limit={limit}" + (f"&tag={tag}" if tag else ""))
    if as_json:
        print_json({"values": rows, "bias": ask("GET", url, "/lab/bias")})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Id", "Tag", "Sample of", "Laboratory", "Meter then", "", "Who", "Note"):
        table.add_column(title)
    for row in rows:
        meter = "-" if row["meter"] is None else f"{row['meter']:.2f}"
        found = f"{row['value']:g} ± {row['u']:g} {row['unit']}"
        words = (row["verdict"], row["who"], row["note"])
        table.add_row(row["lab_id"], row["tag"], local(row["sampled_at"]), found, meter, *words)
    paper.print(table)
    for name in [tag] if tag else [row["tag"] for row in ask("GET", url, "/lab/bias")]:
        paper.print(_bias_text(url, name), markup=False, soft_wrap=True)


def _bias_text(url: str | None, tag: str) -> str:
    from linecontrol.cli.client import ask

    for row in ask("GET", url, "/lab/bias"):
        if row["tag"] == tag:
            u = "?" if row["u"] is None else f"{row['u']:.2f}"
            accepted = "accepted" if row["is_accepted"] else "not accepted: the critical limit believes the worse"
            return (
                f"Bias of {tag}: {row['bias']:+.2f} ± {u} {row['unit']} from {row['values_used']} values ({accepted})"
            )
    return ""


def moment(text: str, now: datetime) -> datetime:
    """The time meant: ISO 8601, or as ``10:40`` the last such time on this computer's clock that is not after ``now``.

    ``now``: the controller's time. Ends the program with exit 2 when it is no time.
    """
    here = now.astimezone()
    if (clock := _CLOCK.fullmatch(text.strip())) is not None:
        meant = here.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return meant if meant <= here else meant - timedelta(days=1)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        stop(f"--at {text!r}: not understood (accepted: 10:40, or 2026-01-12T10:40)", BAD_INPUT)
    return found.astimezone() if found.tzinfo is None else found


def local(text: str) -> str:
    """A UTC instant on this computer's clock face, to the minute."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
