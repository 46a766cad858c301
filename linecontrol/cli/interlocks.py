"""`linecontrol interlocks`: how each condition stands, bypassing one for a time, resetting a latched one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from linecontrol.cli.lab import local
from linecontrol.cli.options import Json, Language, Reason, Url, Who
from linecontrol.cli.output import paper, print_json

app = typer.Typer(
    help="Interlocks: condition, value, limit, what clears it; bypass, reset.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(help="The interlock, e.g. IL-301.")]
_ACTS_ZH = {"start": "启动", "hold": "运行（转保持）", "stop": "运行（转停止）", "divert": "装合格袋（转返工）"}
_MARKS = {"blocking": "XX", "bypassed": "!!", "met": "ok", "idle": "--"}


@app.callback()
def list_interlocks(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are met.")] = False,
    lang: Language = "en",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Without a command: those that are not met or are bypassed, each with its value, its limit and what clears it."""
    if context.invoked_subcommand is not None:
        return
    from linecontrol.cli.client import ask

    rows = ask("GET", url, "/interlocks")
    if as_json:
        print_json(rows)
        return
    shown = rows if everything else [row for row in rows if row["state"] in ("blocking", "bypassed")]
    if not shown:
        paper.print("Every interlock is met.")
    for row in shown:
        _show(row, "zh" if lang == "zh" else "en")


@app.command()
def bypass(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; it must be given.")],
    minutes: Annotated[float, typer.Option(help="For how long; it ends by itself.")] = 30.0,
    who: Who = "supervisor",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Set an interlock out of action for a time. A supervisor's right; some have no bypass."""
    _act(url, name, "bypass", {"who": who, "reason": reason, "for_s": 60.0 * minutes}, as_json)


@app.command("end-bypass")
def end_bypass(name: Name, reason: Reason = "", who: Who = "operator", url: Url = None, as_json: Json = False) -> None:
    """End a bypass before its time."""
    _act(url, name, "bypass/end", {"who": who, "reason": reason}, as_json)


@app.command()
def reset(name: Name, reason: Reason = "", who: Who = "operator", url: Url = None, as_json: Json = False) -> None:
    """Let a latched interlock go whose cause is gone."""
    _act(url, name, "reset", {"who": who, "reason": reason}, as_json)


def _act(url: str | None, name: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    from linecontrol.cli.client import ask

    row = ask("POST", url, f"/interlocks/{quote(name)}/{verb}", body)
    if as_json:
        print_json(row)
    else:
        _show(row, "en")


def _show(row: dict[str, Any], lang: str) -> None:
    value = "-" if row["value"] is None else f"{row['value']:g}"
    low, high = row["low"], row["high"]
    limits = " ".join(([f">= {low:g}"] if low is not None else []) + ([f"<= {high:g}"] if high is not None else []))
    measured = f"[{row['called'][lang]} = {value} {row['unit']}, {limits}]"
    text = f"{_MARKS[row['state']]} {row['name']:8} {row['title'][lang]}  {measured}"
    paper.print(text, markup=False, soft_wrap=True)
    if row["state"] == "blocking":
        blocked = [refused["tag"] for refused in row["refuses"]] + row["then"]
        words = f"阻止：{'、'.join(_ACTS_ZH.get(one, one) for one in blocked)}。" if lang == "zh" else ""
        words = words or f"blocks {', '.join(blocked)}. "
        paper.print(f"            {words}{row['clears'][lang]}", markup=False, soft_wrap=True)
    if row["bypass"] is not None:
        by = row["bypass"]
        paper.print(f"            bypassed by {by['who']} until {local(by['until'])}: {by['reason']}", markup=False)
