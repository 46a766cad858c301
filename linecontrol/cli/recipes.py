"""`linecontrol recipes`: what can be run, the versions a site has made, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from linecontrol.cli.lab import local
from linecontrol.cli.options import Json, Url
from linecontrol.cli.output import BAD_INPUT, paper, people, print_json, stop

app = typer.Typer(
    help="Recipes: list, show, compare, propose, approve, put in force, export.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="The recipe, e.g. kudzu-lobata-standard.")]
Version = Annotated[str, typer.Argument(help="The version, e.g. 1.1.")]
Of = Annotated[str | None, typer.Option("--version", help="Default: the version in force.")]
Who = Annotated[str | None, typer.Option("--who", help="Your name, for the record.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record; it must be given.")]


@app.callback()
def shipped(context: typer.Context, as_json: Json = False) -> None:
    """Without a command: the recipes in the box, with their formula parameters and limits. Needs no controller."""
    if context.invoked_subcommand is not None:
        return
    from linecontrol.line.recipes import shipped_recipes

    rows = [entry.summary() for entry in shipped_recipes()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        paper.print(f"[bold]{row['name']}[/bold]  {row['title']['en']} / {row['title']['zh']}")
        for name, p in row["formula"].items():
            paper.print(f"    {name} = {p['value']} {p['unit']}  ({p['low']} to {p['high']})  {p['title']['en']}")


@app.command("list")
def list_versions(
    name: Annotated[str | None, typer.Argument(help="Only this recipe.")] = None, url: Url = None, as_json: Json = False
) -> None:
    """Every version the running controller knows, drafts too."""
    rows = _ask("GET", url, "/recipe-versions" if name is None else _path(name))
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Recipe", "Version", "State", "Written by", "When (line)", "What and why"):
        table.add_column(title)
    for row in rows:
        state = "in force" if row["in_force"] else row["state"]
        when = local(row["made_at"]) if row["made_at"] else ""
        cells = (row["name"], row["version"], state, row["author"].removeprefix("operator:"), when, row["note"])
        table.add_row(*(Text(str(cell)) for cell in cells))
    paper.print(table)


@app.command()
def show(name: Name, version: Of = None, url: Url = None, as_json: Json = False) -> None:
    """One version: who made and judged it, and its formula."""
    row = _whole(url, name, version)
    if as_json:
        print_json(row)
        return
    paper.print(f"{row['name']} {row['version']}: {'in force' if row['in_force'] else row['state']}", markup=False)
    for words, who, at, why in (
        ("written", "author", "made_at", "note"),
        ("judged", "judged_by", "judged_at", "judgement"),
        ("put in force", "activated_by", "activated_at", "activation"),
    ):
        if row[who]:
            paper.print(f"  {words} by {row[who]}, {local(row[at])}: {row[why]}", markup=False, soft_wrap=True)
    for key, p in row["recipe"]["formula"].items():
        ends = "" if p.get("low") is None else f"  ({p['low']:g} to {p['high']:g})"
        paper.print(f"    {key} = {p['value']} {p.get('unit', '')}{ends}  {p['title']['en']}", markup=False)


@app.command()
def diff(
    name: Name,
    version: Version,
    against: Annotated[str | None, typer.Option(help="Another version; default: the one in force.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """What differs between two versions."""
    row = _ask("GET", url, _path(name, version) + (f"?against={quote(against)}" if against else ""))
    if as_json:
        print_json(row["changes"])
        return
    paper.print(f"{name}: from {row['against'] or 'nothing'} to {version}", markup=False)
    for change in row["changes"]:
        paper.print(f"  {change['where']}: {change['old']} -> {change['new']}", markup=False, soft_wrap=True)
    if not row["changes"]:
        paper.print("  nothing differs", markup=False)


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help="A recipe file (YAML).")],
    reason: Reason,
    who: Who = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Hand a recipe file in as a draft; the running controller checks it against its line."""
    from linecontrol.core.errors import ConfigError
    from linecontrol.line.recipes import read_recipe

    try:
        entry = read_recipe(file)
    except (ConfigError, OSError) as error:
        stop(str(error), BAD_INPUT)
    body = {"recipe": entry.whole(), "reason": reason, "who": who}
    _tell(_ask("POST", url, _path(entry.name), body), as_json)


@app.command()
def approve(
    name: Name, version: Version, reason: Reason, who: Who = None, url: Url = None, as_json: Json = False
) -> None:
    """Approve a draft. Where the site wants four eyes, somebody else's."""
    _decide("approve", name, version, reason, who, url, as_json)


@app.command()
def reject(
    name: Name, version: Version, reason: Reason, who: Who = None, url: Url = None, as_json: Json = False
) -> None:
    """Reject a draft."""
    _decide("reject", name, version, reason, who, url, as_json)


@app.command()
def activate(
    name: Name, version: Version, reason: Reason, who: Who = None, url: Url = None, as_json: Json = False
) -> None:
    """Put an approved version in force for the runs to come; also an earlier one, or the shipped original."""
    _decide("activate", name, version, reason, who, url, as_json)


@app.command()
def export(
    name: Name,
    version: Of = None,
    out: Annotated[Path | None, typer.Option(help="A file; default: standard output.")] = None,
    url: Url = None,
) -> None:
    """One version as a recipe file, which `linecontrol check` takes."""
    import yaml

    recipe = _whole(url, name, version)["recipe"]
    text = yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False, width=110)
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    people.print(f"{name} {recipe['version']} is in {out}", markup=False, soft_wrap=True)


def _whole(url: str | None, name: str, version: str | None) -> Any:
    if version is None:
        rows = _ask("GET", url, _path(name))
        version = next((row["version"] for row in rows if row["in_force"]), None)
        if version is None:
            stop(f"no version of {name} is in force; say which with --version", BAD_INPUT)
    return _ask("GET", url, _path(name, version))


def _decide(verb: str, name: str, version: str, reason: str, who: str | None, url: str | None, as_json: bool) -> None:
    _tell(_ask("POST", url, f"{_path(name, version)}/{verb}", {"reason": reason, "who": who}), as_json)


def _tell(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        state = "in force" if row["in_force"] else row["state"]
        paper.print(f"{row['name']} {row['version']}: {state}", markup=False)


def _path(name: str, version: str = "") -> str:
    return f"/recipes/{quote(name, safe='')}/versions" + (f"/{quote(version, safe='')}" if version else "")


def _ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> Any:
    from linecontrol.cli.client import ask

    return ask(method, url, path, body)
