"""`linecontrol lots`: root lots, registered, listed and tipped into the hopper."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from linecontrol.cli.lab import local
from linecontrol.cli.options import Json, Url
from linecontrol.cli.output import paper, print_json

app = typer.Typer(help="Root lots: register, list, change at the hopper.", no_args_is_help=True, rich_markup_mode=None)

Who = Annotated[str | None, typer.Option("--who", help="Your name, for the record.")]


@app.command()
def add(
    lot: Annotated[str, typer.Argument(help="Name of the lot, unique on the line, e.g. YY-0112.")],
    species: Annotated[str, typer.Option(help="Species of the roots.")],
    kg: Annotated[float, typer.Option(help="Mass received [kg].")],
    origin: Annotated[str, typer.Option(help="Where they grew.")] = "",
    grower: Annotated[str, typer.Option(help="Who grew them.")] = "",
    harvested: Annotated[str, typer.Option(help="Date, as 2026-01-10.")] = "",
    season: Annotated[str, typer.Option(help="As your buyers call it.")] = "",
    note: Annotated[str, typer.Option(help="For the record.")] = "",
    who: Who = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Register a lot of roots. It is never changed afterwards."""
    from linecontrol.cli.client import ask

    body = {"lot_id": lot, "species": species, "received_kg": kg, "origin": origin, "grower": grower, "who": who}
    row = ask("POST", url, "/lots", body | {"harvested": harvested, "season": season, "note": note})
    if as_json:
        print_json(row)
    else:
        paper.print(f"{row['lot_id']}: {row['received_kg']:g} kg {row['species']}, registered", markup=False)


@app.command("list")
def list_lots(url: Url = None, as_json: Json = False) -> None:
    """Every lot on record."""
    from linecontrol.cli.client import ask

    rows = ask("GET", url, "/lots")
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Lot", "Species", "Origin", "Grower", "Harvested", "kg", "Received"):
        table.add_column(title)
    for row in rows:
        facts = (row["species"], row["origin"], row["grower"], row["harvested"], f"{row['received_kg']:g}")
        table.add_row(row["lot_id"], *facts, local(row["received_at"]))
    paper.print(table)


@app.command()
def use(
    lot: Annotated[str, typer.Argument(help="Lot that is tipped into the hopper now.")],
    at: Annotated[str | None, typer.Option(help='Since when: "10:40", or a date and time; default: now.')] = None,
    note: Annotated[str, typer.Option(help="For the record.")] = "",
    who: Who = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """A change of lots at the hopper, in the run in hand."""
    from datetime import datetime

    from linecontrol.cli.client import ask
    from linecontrol.cli.lab import moment
    from linecontrol.cli.output import FAILED, stop

    run = ask("GET", url, "/runs/current")
    if run is None:
        stop("there is no run in hand", FAILED)
    body: dict[str, Any] = {"lot": lot, "note": note, "who": who}
    if at is not None:
        body["from_at"] = moment(at, datetime.fromisoformat(ask("GET", url, "/status")["time"])).isoformat()
    row = ask("POST", url, f"/runs/{quote(run['run_id'])}/lots", body)
    if as_json:
        print_json(row)
    else:
        paper.print(f"{row['run_id']}: lot {row['lot_id']} from {local(row['from_at'])}", markup=False)
