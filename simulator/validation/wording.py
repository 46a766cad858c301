"""Rows in words and figures, for a table on a screen and for the one in the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from math import inf

from simulator.validation.check import Row, Span

HEADINGS = ("check", "simulated", "reference", "error", "verdict", "note")


@dataclass(frozen=True)
class Part:
    """One group: lines in the order of ``HEADINGS``, and the notes that their last cells point to."""

    title: str
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def figure(value: float, digits: int = 3) -> str:
    """So many digits, or what a whole number needs; tiny ones by their power."""
    if value == 0.0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:.0e}"
    return f"{value:.0f}" if abs(value) >= 10.0**digits else f"{value:.{digits}g}"


def simulated(row: Row) -> str:
    """The value with its unit."""
    return f"{figure(row.value)} {row.unit}" if row.unit != "-" else figure(row.value)


def reference(span: Span) -> str:
    """``7``, ``25 to 26``, ``up to 0.65``, ``from 0``."""
    low, high = figure(span.low, 4), figure(span.high, 4)
    if span.point is not None:
        return figure(span.point)
    if span.high == inf:
        return f"from {low}"
    if span.low == span.high:
        return high
    return f"up to {high}" if span.low in (0.0, -inf) else f"{low} to {high}"


def error(row: Row) -> str:
    """Relative error in per cent where there is one, else the error in the row's unit; ``-`` inside a range."""
    if row.reference.point is None and row.off_by == 0.0:
        return "-"
    share = row.error_pct
    return f"{row.error:+.2g}" if share is None else f"{share:+.1f} %" if abs(share) < 100 else f"{share:+.0f} %"


def verdict(row: Row) -> str:
    """``inside``, ``outside by 0.3``, ``kept``, ``BROKEN``."""
    if row.verdict == "outside":
        return f"outside by {figure(abs(row.off_by), 2)}"
    return {"bound kept": "kept", "bound broken": "BROKEN"}.get(row.verdict, row.verdict)


def parts(rows: Iterable[Row]) -> list[Part]:
    """Groups one after the other; each says once what it is compared with, under its evidence mark and a number."""
    found = []
    for title, members in groupby(rows, key=lambda row: row.group):
        labels: dict[tuple[str, str], str] = {}
        lines = []
        for row in members:
            label = labels.setdefault((row.kind.value, row.source), f"{row.evidence}{len(labels) + 1}")
            lines.append((row.name, simulated(row), reference(row.reference), error(row), verdict(row), label))
        notes = tuple(f"{label} {kind}: {source}" for (kind, source), label in labels.items())
        found.append(Part(title, tuple(lines), notes))
    return found


def counted(rows: Iterable[Row]) -> str:
    """``88 checks: 60 inside, 10 outside; 18 bounds, all kept``."""
    found = [row.verdict for row in rows]
    inside, outside = found.count("inside"), found.count("outside")
    kept, broken = found.count("bound kept"), found.count("bound broken")
    bounds = f"{kept + broken} bounds, {'all kept' if not broken else f'{broken} BROKEN'}"
    return f"{len(found)} checks: {inside} inside, {outside} outside; {bounds}"


def markdown(rows: Iterable[Row]) -> str:
    """The table of the documentation, and its notes below it."""
    found = parts(rows)
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for part in found:
        lines.append(f"| **{part.title}** |" + " |" * (len(HEADINGS) - 1))
        lines += ["| " + " | ".join(line) + " |" for line in part.lines]
    lines += ["", "Notes, group by group:", ""]
    lines += [f"* {part.title}: {'; '.join(part.notes)}." for part in found]
    return "\n".join(lines) + "\n"
