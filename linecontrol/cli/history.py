"""`linecontrol history`: what is stored and what it takes, backup and restore, archive, quarantine, readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from linecontrol.cli.history_view import csv_rows, iso_of, sample_rows, stats_json, stats_table
from linecontrol.cli.options import Database, Json, LineName
from linecontrol.cli.output import BAD_INPUT, FAILED, REFUSED, paper, people, print_json, stop
from linecontrol.core.errors import LineError

T = TypeVar("T")

app = typer.Typer(
    help="The history on disk: statistics, samples, backup, restore, archive, quarantine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the history; default: the user data folder.")]


def place(data: Path | None, database: str | None) -> str:
    """URL of the history that is meant. Ends the program when that is not one."""
    if database is not None:
        return database
    if data is not None:
        return f"sqlite:///{data / 'history.sqlite3'}"
    from linecontrol.cli.records import folders

    found = folders(None)
    if len(found) > 1:
        rows = "\n".join(f"  --data {folder}" for folder in found)
        stop(f"there are several histories; say which:\n{rows}", BAD_INPUT)
    return f"sqlite:///{found[0] / 'history.sqlite3'}"


def guarded(work: Callable[[], T]) -> T:
    """What it gives; a reason in one sentence and exit code 3 when it cannot be done."""
    try:
        return work()
    except LineError as error:
        stop(str(error), FAILED)


def _line_of(url: str, line: str | None) -> str:
    from linecontrol.history import open_reader

    def only() -> str:
        with open_reader(url, line) as reader:
            return reader.line_name()

    return guarded(only)


@app.command()
def stats(data: Data = None, database: Database = None, line: LineName = None, as_json: Json = False) -> None:
    """What the samples take: bytes a sample, by tag, days kept, days left on the disk."""
    from linecontrol.history import open_reader

    url = place(data, database)

    def read() -> Any:
        with open_reader(url, line) as reader:
            return reader.stats()

    found = guarded(read)
    if as_json:
        print_json(stats_json(found))
    else:
        paper.print(stats_table(found))


@app.command()
def samples(
    tags: Annotated[list[str], typer.Argument(help="Tags, e.g. MT-306.")],
    since: Annotated[
        str | None, typer.Option("--from", help="Line time, e.g. 2026-03-01T08:00; default: the beginning.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Line time; default: the end.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows of each tag.")] = 1_000_000,
    out: Annotated[Path | None, typer.Option("--out", help="Write a file: .csv, or .parquet (extra research).")] = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """Recorded samples as rows: tag, time, value, unit, quality. A value holds until the next row of its tag."""
    from linecontrol.history import open_reader

    url = place(data, database)
    start, end = _time(since, "--from"), _time(until, "--to")

    def read() -> tuple[dict[str, Any], dict[str, str]]:
        with open_reader(url, line) as reader:
            return reader.series(tags, start or 0.0, end), reader.tags()

    found, units = guarded(read)
    if out is not None:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
    found = {tag: series.part(0, min(len(series), limit)) for tag, series in found.items()}
    if out is not None and out.suffix == ".parquet":
        from linecontrol.history.parquet import write_file

        guarded(lambda: write_file(out, {tag: (units[tag], series) for tag, series in found.items()}))
    elif out is not None:
        if out.suffix != ".csv":
            stop(f"{out}: accepted are names that end in .csv or .parquet", BAD_INPUT)
        out.write_text("".join(csv_rows(found, units)), encoding="utf-8-sig", newline="")
    elif as_json:
        print_json([row for tag in found for row in sample_rows(tag, found[tag], units[tag])])
    else:
        for row in csv_rows(found, units):
            typer.echo(row, nl=False)


def _time(text: str | None, option: str) -> float | None:
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        stop(
            f"{option} {text!r} is no time (accepted: 2026-03-01, 2026-03-01T08:00, 2026-03-01T08:00+08:00)", BAD_INPUT
        )
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy; must not be there yet.")],
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy the whole history, all lines of it, while it is written. The copy is checked before it gets its name."""
    from linecontrol.history.backup import back_up

    url = place(data, database)
    size = guarded(lambda: back_up(url, file))
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        paper.print(f"{file}: {size / 2**20:.1f} MiB", markup=False, soft_wrap=True)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy made by `history backup`.")],
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Put a copy in the place of the history, which is set aside. Stop the controller first."""
    from linecontrol.history.backup import restore as put_back

    if data is None and database is None:
        stop("say where to: --data FOLDER or --database URL", BAD_INPUT)
    url = place(data, database)
    _refuse_while_recording(data)
    aside = guarded(lambda: put_back(url, file))
    if as_json:
        print_json({"restored": str(file), "set_aside": None if aside is None else str(aside)})
        return
    paper.print(f"{file} is now the history.", markup=False, soft_wrap=True)
    if aside is not None:
        paper.print(f"The one that was there: {aside}", markup=False, soft_wrap=True)


def _refuse_while_recording(data: Path | None) -> None:
    from linecontrol.line.lock import running_controllers

    for holder in running_controllers():
        if data is not None and Path(holder.get("data", "")).absolute() == data.absolute():
            stop(f"the controller of line {holder.get('line')!r} is recording there; stop it first", REFUSED)


@app.command()
def keep(
    line_file: Annotated[str, typer.Option("--line-file", help="Line file, or the name of a line that comes along.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Apply `history:` of the line file now: archive old days, remove what is too old. `serve` does it every hour."""
    from linecontrol.config import read_line
    from linecontrol.history.keeping import keep as apply
    from linecontrol.line.wiring import history_policy

    config = guarded(lambda: read_line(line_file))
    asked = config.line.history
    if asked.keep_days is None and asked.archive is None:
        stop(f"the line file says nothing under `history:`: samples of {config.line.name} are kept for ever", 0)
    url = config.line.database or place(data, None)
    folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else (data or Path())
    policy = history_policy(asked, folder)
    done = guarded(lambda: apply(url, config.line.name, policy))
    if as_json:
        print_json(asdict(done))
        return
    for name in done.files:
        paper.print(name, markup=False, soft_wrap=True)
    paper.print(f"{done.archived_rows} samples archived, {done.removed_rows} removed from the database")


@app.command()
def quarantine(
    retry: Annotated[bool, typer.Option("--retry", help="Try to store them again.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write them to a file, one JSON object a line.")
    ] = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """Rows that could not be stored and were set aside: list them, write them out, or try again."""
    from linecontrol.history import open_reader
    from linecontrol.history.quarantine import retry as try_again

    url = place(data, database)
    name = _line_of(url, line)
    if retry:
        stored, left = guarded(lambda: try_again(url, name))
        if as_json:
            print_json({"stored": stored, "left": left})
        else:
            paper.print(f"{stored} rows were stored, {left} stay set aside")
        return

    def read() -> list[Any]:
        with open_reader(url, name) as reader:
            return reader.quarantined(1_000_000)

    rows = [{"time": iso_of(row.time), "kind": row.kind, "reason": row.reason, "row": row.row} for row in guarded(read)]
    if export is not None:
        export.absolute().parent.mkdir(parents=True, exist_ok=True)
        export.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        people.print(f"{len(rows)} rows to {export}", markup=False, soft_wrap=True)
    elif as_json:
        print_json(rows)
    else:
        for row in rows:
            paper.print(f"{row['time']} {row['kind']}: {row['reason']}  {row['row']}", markup=False, soft_wrap=True)
        if not rows:
            paper.print("Nothing is set aside.")


@app.command()
def readers(
    role: Annotated[str, typer.Argument(help="Name of the PostgreSQL role, e.g. researchers.")],
    database: Annotated[str, typer.Option("--database", help="URL of the history.")],
    apply: Annotated[bool, typer.Option("--apply", help="Execute it; without, it is only printed.")] = False,
) -> None:
    """A role that may read the history and change nothing (PostgreSQL): print its SQL, or make it."""
    from linecontrol.history.readers import apply_grants, grants
    from linecontrol.history.sql import parse_url

    if apply:
        guarded(lambda: apply_grants(database, role))
        paper.print(
            f"{role} may read; set its password with: ALTER ROLE {role} PASSWORD '…'", markup=False, soft_wrap=True
        )
        return
    statements = guarded(lambda: grants(role, parse_url(database).database or ""))
    for statement in statements:
        typer.echo(f"{statement};")
