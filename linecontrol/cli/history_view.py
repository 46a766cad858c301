"""How `linecontrol history` shows statistics and samples."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from linecontrol.analysis.export.write import safe_text
from linecontrol.history.rows import decode

if TYPE_CHECKING:
    from linecontrol.history.series import Series
    from linecontrol.history.stats import HistoryStats

_QUALITIES = ("GOOD", "UNCERTAIN", "BAD", "BAD")


def iso_of(time_s: float | None) -> str | None:
    """Line time as people and programs read it."""
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sample_rows(tag: str, series: Series, unit: str) -> Iterator[dict[str, Any]]:
    columns = zip(series.times.tolist(), series.values.tolist(), series.statuses.tolist(), strict=True)
    for at, (time_us, value, status) in enumerate(columns):
        shown = decode(None if value != value else value, series.texts.get(at))
        quality = _QUALITIES[int(status) >> 30]
        yield {"tag": tag, "time": iso_of(time_us / 1e6), "value": shown, "unit": unit, "quality": quality}


def csv_rows(found: Mapping[str, Series], units: Mapping[str, str]) -> Iterator[str]:
    """Lines of a CSV file. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    yield "tag,time,value,unit,quality\r\n"
    for tag, series in found.items():
        for row in sample_rows(tag, series, units[tag]):
            line = io.StringIO()
            csv.writer(line).writerow(safe_text(cell) if isinstance(cell, str) else cell for cell in row.values())
            yield line.getvalue()


def stats_json(found: HistoryStats) -> dict[str, Any]:
    return {
        "line": found.line,
        "rows": found.rows,
        "bytes": found.bytes,
        "bytes_per_row": found.bytes_per_row,
        "blocks": found.blocks,
        "tail_rows": found.tail_rows,
        "tail_bytes": found.tail_bytes,
        "first": iso_of(found.first),
        "last": iso_of(found.last),
        "days_kept": found.days_kept,
        "bytes_per_day": found.bytes_per_day,
        "days_left": found.days_left,
        "database_bytes": found.database_bytes,
        "free_bytes": found.free_bytes,
        "disk_free_bytes": found.disk_free_bytes,
        "archived_rows": found.archived_rows,
        "quarantined": found.quarantined,
        "tags": [
            {
                "tag": tag.tag,
                "unit": tag.unit,
                "rows": tag.rows,
                "bytes": tag.bytes,
                "bytes_per_row": tag.bytes_per_row,
            }
            for tag in found.tags
        ],
    }


def stats_table(found: HistoryStats) -> Group:
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(justify="right")
    facts.add_column()
    per_row = "-" if found.bytes_per_row is None else f"{found.bytes_per_row:.2f}"
    left = "-" if found.days_left is None else f"{found.days_left:,.0f}"
    a_day = "-" if found.bytes_per_day is None else f"{found.bytes_per_day / 2**20:,.2f}"
    for name, value, unit in (
        ("Samples, compressed", f"{found.rows:,}", f"in {found.blocks} blocks"),
        ("Bytes a sample", per_row, ""),
        ("Samples not yet compressed", f"{found.tail_rows:,}", f"{found.tail_bytes / 2**20:.1f} MiB"),
        ("Kept", f"{found.days_kept:,.2f}", f"days, {iso_of(found.first) or '-'} to {iso_of(found.last) or '-'}"),
        ("A day takes", a_day, "MiB"),
        ("The disk lasts", left, "days" if found.disk_free_bytes is not None else "(not known for a server)"),
        (
            "Database",
            f"{found.database_bytes / 2**20:,.1f}",
            f"MiB, {found.free_bytes / 2**20:,.1f} of them free again",
        ),
        ("Archived", f"{found.archived_rows:,}", "of the samples"),
        ("Set aside", f"{found.quarantined:,}", "rows (linecontrol history quarantine)"),
    ):
        facts.add_row(name, value, unit)
    tags = Table(box=None, pad_edge=False)
    tags.add_column("Tag")
    for title in ("Samples", "Bytes", "Bytes a sample"):
        tags.add_column(title, justify="right")
    for tag in sorted(found.tags, key=lambda tag: -tag.bytes):
        per = "-" if tag.bytes_per_row is None else f"{tag.bytes_per_row:.2f}"
        tags.add_row(tag.tag, f"{tag.rows:,}", f"{tag.bytes:,}", per)
    return Group(facts, "", tags)
