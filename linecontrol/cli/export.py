"""`linecontrol export` and `report`: runs for other programs, and for people who were not there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linecontrol.cli.histories import Data, Plot, Where, asked, check_plot, drawn
from linecontrol.cli.options import Database, LineName
from linecontrol.cli.output import BAD_INPUT, people, print_json, stop
from linecontrol.cli.records import Place

if TYPE_CHECKING:
    from linecontrol.history import HistoryReader


def export(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, as `linecontrol runs` lists them, or last.")] = None,
    where: Where = "",
    what: Annotated[str, typer.Option(help="samples, runs (one row each, every figure) or events.")] = "samples",
    signal: Annotated[
        list[str] | None, typer.Option(help="Tag or alias; default: every recorded one. Repeatable.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(help="Instead of every recorded value, the one that holds each so many seconds.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="csv, parquet or json.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    plot: Plot = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
) -> None:
    """Write runs as a tidy table: a row for each sample, run or event, with units, safe to open in a spreadsheet."""
    from linecontrol.analysis.export.write import FORMATS

    if form not in FORMATS:
        stop(f"--format {form}: not understood (accepted: {', '.join(FORMATS)})", BAD_INPUT)
    if form == "parquet" and out is None:
        stop("--format parquet needs --out FILE", BAD_INPUT)
    if not runs and not where:
        stop("which runs? Name them, or give --where (--where 'yield > 0' is all that have one)", BAD_INPUT)
    check_plot(plot)
    if plot is not None and what != "samples":
        stop(f"--plot draws samples over time; it does not go with --what {what}", BAD_INPUT)
    place = Place(data, database, line)
    if plot is not None:  # before the table, so that what cannot be drawn is told at once
        from linecontrol.cli.run_plots import curves_of, draw_curves

        drawn(draw_curves, asked(place, curves_of, runs or [], where, signal or []), plot)
    written: list[Path] = asked(place, _written, runs or [], where, what, signal or [], every, form, out)
    for path in written:
        people.print(f"written: {path}", markup=False, soft_wrap=True)


def _written(
    reader: HistoryReader,
    runs: list[str],
    where: str,
    what: Any,
    signals: list[str],
    every: float | None,
    form: Any,
    out: Path | None,
) -> list[Path]:
    from linecontrol.analysis.export.table import table_of
    from linecontrol.analysis.export.write import csv_pieces, json_pieces, write_file
    from linecontrol.analysis.records import find_records

    table = table_of(reader, find_records(reader, where, runs), what, signals, every)
    if out is not None:
        return write_file(table, form, out)
    for piece in csv_pieces(table) if form == "csv" else json_pieces(table):
        sys.stdout.write(piece)
    return []


def report(
    run_id: Annotated[str, typer.Argument(help="Run, as `linecontrol runs` lists them, or last.")],
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    out: Annotated[
        Path | None, typer.Option(help="File to write: .html or .pdf; default: RUN.html in this folder.")
    ] = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the report says as JSON instead.")] = False,
) -> None:
    """Write the report of a run: its record, trends, alarms and phases in one file, in English or Chinese."""
    from linecontrol.analysis.report.content import report_content
    from linecontrol.analysis.report.write import FORMS, asked_report

    place = Place(data, database, line)
    if as_json:
        found = asked(place, report_content, run_id, lang)
        print_json({name: value for name, value in found.items() if name not in ("t", "charts")})
        return
    form = "html" if out is None else out.suffix.lower().removeprefix(".")
    if form not in FORMS:
        stop(f"--out {out}: a report is not written in this format (accepted: .html, .pdf)", BAD_INPUT)
    page = asked(place, asked_report, run_id, lang, form)
    path = out or Path(f"{asked(place, _name, run_id)}.html")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        stop(f"--out {path}: cannot be written: {error.strerror}", BAD_INPUT)
    people.print(f"written: {path}", markup=False, soft_wrap=True)


def _name(reader: HistoryReader, run_id: str) -> str:
    from linecontrol.analysis.records import find_records

    return str(find_records(reader, "", [run_id])[0]["run_id"])
