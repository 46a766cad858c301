"""`linecontrol users`, `tokens`, `audit`: who may do what on the running controller, and who did."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from linecontrol.cli.csv_out import write_csv
from linecontrol.cli.options import Json, Url
from linecontrol.cli.output import DONE, paper, people, print_json
from linecontrol.cli.passwords import PasswordStdin, ask_password

users = typer.Typer(help="Users: add, list, change, remove.", no_args_is_help=True, rich_markup_mode=None)
tokens = typer.Typer(help="Tokens for scripts: make, list, revoke.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The user's name.")]
RoleOption = Annotated[str, typer.Option(help="operator, technician, researcher, supervisor or admin")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@users.command("add")
def add_user(
    name: Name,
    role: RoleOption,
    language: Annotated[str, typer.Option(help="en or zh")] = "en",
    password_stdin: PasswordStdin = False,
    reason: Reason = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Add a user; asks for the password."""
    body = {
        "name": name,
        "role": role,
        "language": language,
        "reason": reason,
        "password": ask_password(from_stdin=password_stdin, is_new=True),
    }
    _tell_user(_ask("POST", url, "/users", body), as_json)


@users.command("list")
def list_users(url: Url = None, as_json: Json = False) -> None:
    """Everybody who may log in."""
    rows = _ask("GET", url, "/users")
    if as_json:
        print_json(rows)
        return
    table = _table("Name", "Role", "", "Language", "Since", "Sessions")
    for row in rows:
        state = "" if row["is_enabled"] else "disabled"
        table.add_row(
            *_cells(row["name"], row["role"], state, row["language"], row["created_at"][:10], row["sessions"])
        )
    paper.print(table)


@users.command("role")
def set_role(
    name: Name,
    role: Annotated[str, typer.Argument(help="operator, technician, researcher, supervisor or admin")],
    reason: Reason = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Give a user another role; the user's sessions end."""
    _tell_user(_ask("PATCH", url, f"/users/{_quoted(name)}", {"role": role, "reason": reason}), as_json)


@users.command("disable")
def disable(
    name: Name,
    again: Annotated[bool, typer.Option("--undo", help="Let the user in again.")] = False,
    reason: Reason = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Shut a user out, at once; what was done under the name stays on record."""
    _tell_user(_ask("PATCH", url, f"/users/{_quoted(name)}", {"is_enabled": again, "reason": reason}), as_json)


@users.command("password")
def set_password(
    name: Name, password_stdin: PasswordStdin = False, reason: Reason = "", url: Url = None, as_json: Json = False
) -> None:
    """Give a user a new password; the user's sessions end, and failed tries are forgotten."""
    body = {"password": ask_password(from_stdin=password_stdin, is_new=True), "reason": reason}
    _tell_user(_ask("PATCH", url, f"/users/{_quoted(name)}", body), as_json)


@users.command("remove")
def remove_user(name: Name, url: Url = None) -> None:
    """Remove a user; what was done under the name stays on record."""
    _ask("DELETE", url, f"/users/{_quoted(name)}")
    people.print(f"{name} is removed", markup=False)


@tokens.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="Name of the script, for the record.")],
    role: RoleOption = "researcher",
    scope: Annotated[
        list[str] | None, typer.Option(help="A right it is narrowed to, e.g. view. Repeatable; default: its role's.")
    ] = None,
    days: Annotated[float, typer.Option(min=0, help="It ends after so many days; 0 = never.")] = 90.0,
    reason: Reason = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a token for a script. It is printed once, and kept nowhere."""
    body: dict[str, Any] = {"name": name, "role": role, "scope": scope or [], "reason": reason, "days": days or None}
    row = _ask("POST", url, "/tokens", body)
    if as_json:
        print_json(row)
        return
    typer.echo(row["token"])
    people.print(f"Token {row['name']} ({row['role']}), id {row['id']}, until {row['expires_at'] or 'it is revoked'}.")


@tokens.command("list")
def list_tokens(url: Url = None, as_json: Json = False) -> None:
    """Tokens of scripts; not the tokens themselves."""
    rows = _ask("GET", url, "/tokens")
    if as_json:
        print_json(rows)
        return
    table = _table("Id", "Name", "Role", "Scope", "Made by", "Ends")
    for row in rows:
        scope, ends = " ".join(row["scope"]) or "all", (row["expires_at"] or "never")[:10]
        table.add_row(*_cells(row["id"], row["name"], row["role"], scope, row["made_by"], ends))
    paper.print(table)


@tokens.command("revoke")
def revoke(token_id: Annotated[str, typer.Argument(help="Id, as `tokens list` shows it.")], url: Url = None) -> None:
    """Revoke a token, at once."""
    _ask("DELETE", url, f"/tokens/{_quoted(token_id)}")
    people.print(f"{token_id} is revoked", markup=False)


AUDIT_COLUMNS = (
    "number", "time", "who", "role", "address", "action", "target", "old", "new", "why", "outcome", "detail",
)  # fmt: skip


def audit(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    who: Annotated[str | None, typer.Option(help="Only this one, e.g. operator:li.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only done, repeated, refused, denied or failed.")] = None,
    before: Annotated[int | None, typer.Option(help="Only rows with a smaller number, to turn the page.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Who asked for which change, when, why, and what came of it; newest first."""
    from urllib.parse import urlencode

    wanted = {"limit": limit, "who": who, "outcome": outcome, "before": before}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    rows = _ask("GET", url, f"/audit?{query}")
    if as_json:
        print_json(rows)
        return
    if as_csv:
        write_csv(sys.stdout, AUDIT_COLUMNS, ([row[name] for name in AUDIT_COLUMNS] for row in rows))
        return
    table = _table("No.", "When (line)", "Who", "Asked for", "New", "Why", "Outcome")
    for row in rows:
        when = str(row["time"])[:19].replace("T", " ")
        outcome_text = f"{row['outcome']}: {row['detail']}" if row["detail"] else row["outcome"]
        asked = f"{row['action'].partition(' ')[0]} {row['target']}"
        table.add_row(*_cells(row["number"], when, row["who"], asked, row["new"] or "", row["why"], outcome_text))
    paper.print(table)


def _ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> Any:
    from linecontrol.cli.client import ask

    return ask(method, url, path, body)


def _tell_user(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        state = "" if row["is_enabled"] else ", disabled"
        people.print(f"{row['name']}: {row['role']}{state}", markup=False)
    raise typer.Exit(DONE)


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def _cells(*values: Any) -> list[Text]:
    """Cells as they are: nothing that somebody has typed is taken for markup."""
    return [Text(str(value)) for value in values]
