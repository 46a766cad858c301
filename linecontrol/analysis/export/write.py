"""Tables as CSV (with CSVW metadata beside it), JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

from linecontrol import __version__
from linecontrol.analysis.export.table import Column, Table
from linecontrol.analysis.needs import needed
from linecontrol.core.errors import ConfigError, Problem

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")
_FORMULA = frozenset("=+-@\t\r\n|")
_CSVW = {"text": "string", "number": "number", "time": "dateTime"}
MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}


def safe_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that would begin one gets an apostrophe before it.

    Full-width signs count too, since some spreadsheets read them as the plain ones.
    """
    first = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\u3000\ufeff\u200b"))[:1]
    return f"'{text}" if first in _FORMULA or text[:1] in _FORMULA else text


def describe(table: Table) -> dict[str, Any]:
    """What a program needs to know of a table: CSV on the Web metadata, with a unit for every column that has one."""
    columns = [_described(column) for column in table.columns]
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "dc:title": f"{table.name} of a kudzu starch line",
        "dc:creator": f"linecontrol {__version__}",
        "tableSchema": {"columns": columns},
        **{f"linecontrol:{name}": value for name, value in table.about.items()},
    }


def _described(column: Column) -> dict[str, str]:
    found = {"name": column.name, "titles": column.name, "datatype": _CSVW[column.kind]}
    if column.about:
        found["dc:description"] = column.about
    if column.unit:
        found["linecontrol:unit"] = column.unit
    return found


def csv_pieces(table: Table) -> Iterator[str]:
    """The table as CSV (RFC 4180), a piece at a time; a header first. Texts are made safe for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    yield _taken(out)
    for rows in table.pieces:
        writer.writerows([_cell(value) for value in row] for row in rows)
        if text := _taken(out):
            yield text


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, datetime):
        return _iso(value)
    return "" if value is None else value


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_pieces(table: Table) -> Iterator[str]:
    """One object: ``meta`` as CSVW, and ``rows`` as objects by column."""
    names = [column.name for column in table.columns]
    yield f'{{"meta":{json.dumps(describe(table), ensure_ascii=False)},"rows":['
    comma = ""
    for rows in table.pieces:
        for row in rows:
            found = {n: _iso(v) if isinstance(v, datetime) else v for n, v in zip(names, row, strict=True)}
            yield comma + json.dumps(found, ensure_ascii=False, allow_nan=False)
            comma = ",\n"
    yield "]}\n"


def write_parquet(table: Table, out: IO[bytes]) -> None:
    """The table as Parquet; what ``describe`` says is in the metadata of file and columns. Needs pyarrow."""
    pa, pq = needed("pyarrow", "Parquet"), needed("pyarrow.parquet", "Parquet")
    kinds = {"text": pa.string(), "number": pa.float64(), "time": pa.timestamp("us", tz="UTC")}
    fields = [
        pa.field(c.name, kinds[c.kind], metadata={k: v for k, v in (("unit", c.unit), ("about", c.about)) if v})
        for c in table.columns
    ]
    schema = pa.schema(fields, metadata={"csvw": json.dumps(describe(table), ensure_ascii=False)})
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for rows in table.pieces:
            if rows:
                cells = list(zip(*rows, strict=True))
                arrays = [pa.array(cell, type=kinds[c.kind]) for cell, c in zip(cells, table.columns, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def write_file(table: Table, form: Format, path: Path) -> list[Path]:
    """Write a table; returns the files written. A CSV has its metadata beside it, as the standard names it.

    Raises OSError, and ConfigError for a format that is none.
    """
    if form not in FORMATS:
        raise ConfigError([Problem("", None, "format", f"{form!r} is no format", ", ".join(FORMATS))])
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "parquet":
        with path.open("wb") as out:
            write_parquet(table, out)
        return [path]
    pieces: Callable[[Table], Iterator[str]] = csv_pieces if form == "csv" else json_pieces
    with path.open("w", encoding="utf-8-sig" if form == "csv" else "utf-8", newline="") as text:
        for piece in pieces(table):
            text.write(piece)
    if form == "json":
        return [path]
    beside = path.with_name(f"{path.name}-metadata.json")
    found = {"url": path.name, **describe(table)}
    beside.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return [path, beside]
