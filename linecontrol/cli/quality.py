"""`linecontrol ccp`, `deviations`, `calibrations`: the HACCP plan as it stands and what people do about it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from linecontrol.cli.lab import local
from linecontrol.cli.options import Json, Language, Url, Who
from linecontrol.cli.output import paper, print_json
from linecontrol.cli.passwords import PasswordStdin, ask_password

deviations_app = typer.Typer(
    help="Deviations from critical limits: list, record the corrective action, close.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
calibrations_app = typer.Typer(
    help="Calibrations, test pieces, magnet, cleaning: what is due, and entering that it was done.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
Id = Annotated[str, typer.Argument(help="The deviation, as listed.")]


_PLAN = {
    "en": {"limit": "limit", "to": " to ", "aw": "Water activity"},
    "zh": {
        "limit": "限值",
        "to": " 至 ",
        "aw": "水分活度",
        "inside": "正常",
        "operational": "超操作限",
        "deviation": "偏差",
        "unmeasured": "无测量值",
        "unknown": "无测量值",
        "above": "高于限值",
        "doubtful": "不能确定",
        "below": "低于限值",
    },
}
"""Words of ``ccp``; states that are missing stand as the API has them."""


def ccp(lang: Language = "en", url: Url = None, as_json: Json = False) -> None:
    """Critical and operational limits as they stand, and whether the powder being bagged may spoil."""
    from linecontrol.cli.client import ask

    plan = ask("GET", url, "/ccp")
    if as_json:
        print_json(plan)
        return
    word = "zh" if lang == "zh" else "en"
    said = _PLAN[word]
    for row in plan["limits"]:
        value = "-" if row["value"] is None else f"{row['value']:.2f}"
        limits = said["to"].join(f"{row[side]:g}" for side in ("low", "high") if row[side] is not None)
        state = said.get(row["state"], row["state"])
        text = f"{state:11} {row['kind']:4} {row['name']}: {row['title'][word]} {value} {row['unit']}"
        paper.print(f"{text} ({said['limit']} {limits})", markup=False, soft_wrap=True)
        if row["state"] == "deviation" and row["corrective_action"] is not None:
            paper.print(f"            {row['corrective_action'][word]}", markup=False, soft_wrap=True)
    spoilage = plan["spoilage"]
    if spoilage is not None and spoilage["aw"] is not None:
        between = f"{spoilage['aw_low']:.2f}{said['to']}{spoilage['aw_high']:.2f}"
        outlook = said.get(spoilage["outlook"], spoilage["outlook"])
        text = f"{said['aw']} {spoilage['aw']:.2f} ({between}), {said['limit']} {spoilage['limit']:g}: {outlook}"
        paper.print(text, markup=False, soft_wrap=True)


@deviations_app.callback()
def list_deviations(
    context: typer.Context,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="open, acted or closed.")] = None,
    lang: Language = "en",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Without a command: deviations, newest first."""
    if context.invoked_subcommand is not None:
        return
    from linecontrol.cli.client import ask

    wanted = {key: value for key, value in (("run_id", run), ("state", state)) if value is not None}
    rows = ask("GET", url, "/deviations" + (f"?{urlencode(wanted)}" if wanted else ""))
    if as_json:
        print_json(rows)
        return
    if not rows:
        paper.print("No deviations.")
    for row in rows:
        _deviation(row, "zh" if lang == "zh" else "en")


@deviations_app.command()
def action(
    deviation_id: Id,
    text: Annotated[str, typer.Argument(help="What was done.")],
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Record the corrective action, with your name. Nothing of it is released before."""
    _act(url, deviation_id, "action", {"who": who, "action": text}, as_json)


@deviations_app.command()
def close(
    deviation_id: Id,
    reason: Annotated[str, typer.Option(help="What was looked at.")],
    user: Annotated[str | None, typer.Option(help="Who signs; needed on the controller's own computer.")] = None,
    password_stdin: PasswordStdin = False,
    lang: Language = "en",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Sign that the action was enough. A supervisor's right; asks for the password."""
    password = ask_password(from_stdin=password_stdin, is_new=False)
    body = {"reason": reason, "password": password, "lang": "zh" if lang == "zh" else "en"}
    _act(url, deviation_id, "close", body | ({"user": user} if user else {}), as_json)


@calibrations_app.callback()
def list_checks(context: typer.Context, lang: Language = "en", url: Url = None, as_json: Json = False) -> None:
    """Without a command: every item, what is due first."""
    if context.invoked_subcommand is not None:
        return
    from linecontrol.cli.client import ask

    rows = ask("GET", url, "/calibrations")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        _check(row, "zh" if lang == "zh" else "en")


@calibrations_app.command()
def done(
    item: Annotated[str, typer.Argument(help="The item, e.g. METAL-TEST.")],
    failed: Annotated[bool, typer.Option("--failed", help="It was not passed.")] = False,
    found: Annotated[str, typer.Option("--found", help="What was found; needed for a failure.")] = "",
    certificate: Annotated[str, typer.Option("--certificate", help="Number or file of its certificate.")] = "",
    at: Annotated[
        str | None, typer.Option("--at", help="When, with offset: 2026-01-12T10:40+08:00; default: now.")
    ] = None,
    who: Who = "operator",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Enter that a check was done. A failed one makes suspect what was made since the last passed one."""
    from linecontrol.cli.client import ask

    body = {"item": item, "result": "failed" if failed else "passed", "found": found, "certificate": certificate}
    row = ask("POST", url, "/calibrations", {**body, "who": who} | ({"done_at": at} if at else {}))
    if as_json:
        print_json(row)
    else:
        _check(row, "en")


def _act(url: str | None, deviation_id: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    from linecontrol.cli.client import ask

    row = ask("POST", url, f"/deviations/{quote(deviation_id)}/{verb}", body)
    if as_json:
        print_json(row)
    else:
        _deviation(row, "en")


def _deviation(row: dict[str, Any], lang: str) -> None:
    until = local(row["until"]) if row["until"] else "now"
    text = f"{row['state']:6} {row['deviation_id']}: {row['text'][lang]}"
    paper.print(text, markup=False, soft_wrap=True)
    paper.print(f"       suspect: {row['stage']}, {local(row['since'])} to {until}", markup=False, soft_wrap=True)
    if row["state"] == "open":
        paper.print(f"       {row['responsible']}: {row['corrective_action'][lang]}", markup=False, soft_wrap=True)
    else:
        paper.print(f"       {row['acted_by']}: {row['action']}", markup=False, soft_wrap=True)


def _check(row: dict[str, Any], lang: str) -> None:
    mark = "DUE" if row["is_overdue"] else "   "
    paper.print(f"{mark} {row['why'][lang]}", markup=False, soft_wrap=True)
    if row["is_overdue"]:
        paper.print(f"    {row['responsible']}: {row['how'][lang]}", markup=False, soft_wrap=True)
