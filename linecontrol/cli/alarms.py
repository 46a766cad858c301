"""`linecontrol alarms`: what stands, what to do about it, and acting on it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from linecontrol.cli.lab import local
from linecontrol.cli.options import Json, Language, Reason, Url, Who
from linecontrol.cli.output import paper, print_json

app = typer.Typer(
    help="Alarms: list them, acknowledge, shelve, comment.", invoke_without_command=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The alarm, e.g. TT-305.HIGH.")]

_MARKS = {"critical": "!!!!", "high": "!!!", "medium": "!!", "low": "!"}


@app.callback()
def list_alarms(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are normal.")] = False,
    lang: Language = "en",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Without a command: the alarms that are not normal, the most urgent first, each with what to do."""
    if context.invoked_subcommand is not None:
        return
    from linecontrol.cli.client import ask

    rows = ask("GET", url, "/alarms" + ("?all=true" if everything else ""))
    if as_json:
        print_json(rows)
        return
    shown = rows if everything else [row for row in rows if row["state"] != "DSUPR"]
    if not shown:
        paper.print("No alarms.")
    for row in shown:
        _show(row, "zh" if lang == "zh" else "en", whole=not everything)


@app.command()
def ack(
    names: Annotated[list[str] | None, typer.Argument(help="Alarms; default: all that wait for it.")] = None,
    comment_: Annotated[str, typer.Option("--comment", help="What you found; kept with the alarms.")] = "",
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Acknowledge alarms: you have seen them. Also those that have gone already."""
    from linecontrol.cli.client import ask

    answer = ask("POST", url, "/alarms/acknowledge", {"names": names or None, "who": who, "comment": comment_})
    if as_json:
        print_json(answer)
        return
    for row in answer["acknowledged"]:
        _line(row)
    for row in answer["refused"]:
        paper.print(f"{row['name']}: {row['reason']}", markup=False, soft_wrap=True)
    if not answer["acknowledged"] and not answer["refused"]:
        paper.print("Nothing waits to be acknowledged.")


@app.command()
def shelve(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; it must be given.")],
    minutes: Annotated[float, typer.Option(help="For how long; it comes back by itself.")] = 60.0,
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take an alarm from view for a time."""
    _act(url, name, "shelve", {"who": who, "reason": reason, "for_s": 60.0 * minutes}, as_json)


@app.command()
def unshelve(name: Name, reason: Reason = "", who: Who = "operator", url: Url = None, as_json: Json = False) -> None:
    """Bring a shelved alarm back before its time."""
    _act(url, name, "unshelve", {"who": who, "reason": reason}, as_json)


@app.command()
def reset(name: Name, reason: Reason = "", who: Who = "operator", url: Url = None, as_json: Json = False) -> None:
    """Let a latched alarm go whose cause is gone."""
    _act(url, name, "reset", {"who": who, "reason": reason}, as_json)


@app.command("out-of-service")
def out_of_service(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; it must be given.")],
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take an alarm out of service for maintenance, until you return it."""
    _act(url, name, "out-of-service", {"who": who, "reason": reason}, as_json)


@app.command("return")
def return_(name: Name, reason: Reason = "", who: Who = "operator", url: Url = None, as_json: Json = False) -> None:
    """Put an alarm back into service."""
    _act(url, name, "return", {"who": who, "reason": reason}, as_json)


@app.command()
def comment(
    name: Name,
    text: Annotated[str, typer.Argument(help="What you found or did.")],
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Write something down about an alarm."""
    _act(url, name, "comment", {"who": who, "text": text}, as_json)


@app.command()
def journal(
    name: Annotated[str | None, typer.Argument(help="Only this alarm.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    lang: Language = "en",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """What happened to alarms, newest first."""
    from linecontrol.cli.client import ask

    rows = ask("GET", url, f"/alarms/journal?limit={limit}" + (f"&name={quote(name)}" if name else ""))
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Time", "", "What", "Who"):
        table.add_column(title)
    for row in rows:
        text = row["text"]["zh" if lang == "zh" else "en"]
        table.add_row(local(row["time"]), row["verb"], text, "" if row["who"] == "controller" else row["who"])
    paper.print(table)


@app.command()
def kpis(
    hours: Annotated[float, typer.Option(min=0.1, max=24.0)] = 24.0, url: Url = None, as_json: Json = False
) -> None:
    """Is the alarm system itself in order? Rate, floods, chattering, stale, the most frequent."""
    from linecontrol.cli.client import ask

    row = ask("GET", url, f"/alarms/kpis?hours={hours:g}")
    if as_json:
        print_json(row)
        return
    shares = ", ".join(f"{word} {share:.0f} %" for word, share in row["priorities"].items())
    for text in (
        f"In {row['hours']:.1f} h: {row['alarms']} alarms, {row['annunciated']} told ({row['per_day']:.0f} a day).",
        f"In ten minutes: {row['rate_10_min']:.2f} on average, at most {row['peak_10_min']}.",
        f"Floods: {len(row['floods'])}, {row['in_flood_pct']:.1f} % of the time.",
        f"Chattering: {', '.join(row['chattering']) or 'none'}. Stale: {', '.join(row['stale']) or 'none'}.",
        f"Priorities: {shares}.",
    ):
        paper.print(text, markup=False, soft_wrap=True)
    for top in row["top"]:
        paper.print(f"  {top['alarms']:4d}  {top['name']}", markup=False)


def _act(url: str | None, name: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    from linecontrol.cli.client import ask

    row = ask("POST", url, f"/alarms/{quote(name)}/{verb}", body)
    if as_json:
        print_json(row)
    else:
        _line(row)


def _line(row: dict[str, Any]) -> None:
    until = f" until {local(row['shelved_until'])}" if row["shelved_until"] else ""
    paper.print(f"{row['name']}: {row['state']}{until}", markup=False, soft_wrap=True)


def _show(row: dict[str, Any], lang: str, *, whole: bool) -> None:
    since = local(row["since"]) if row["since"] else "-"
    first = f"  <- {row['first_out']}" if row["first_out"] else ""
    text = f"{_MARKS[row['priority']]:4} {row['state']:5} {since}  {row['name']}: {row['text'][lang]}{first}"
    paper.print(text, markup=False, soft_wrap=True)
    if whole and row["state"] in ("UNACK", "ACKED", "RTNUN", "LUNAK", "LACKD"):
        paper.print(f"           {row['action'][lang]}", markup=False, soft_wrap=True)
    if row["shelve_proposed"]:
        paper.print(f"           shelving is proposed: {row['shelve_proposed']}", markup=False, soft_wrap=True)
