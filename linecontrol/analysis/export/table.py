"""Tidy tables of runs: one row a run, or one row a sample; every column with its unit. Writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from linecontrol.analysis.metrics import MAPPINGS, METRICS, PLACES, TRIAL_PLACES, named
from linecontrol.analysis.overlay.read import MOST_ROWS, seconds_of, tags_meant
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Sample
from linecontrol.history.reader import HistoryReader

What = Literal["runs", "samples", "events"]
WHATS: tuple[What, ...] = ("runs", "samples", "events")
Kind = Literal["text", "number", "time"]
LEAST_EVERY_S = 0.1
MOST_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """Attributes: unit: of a number; empty where it has none, or another column says it."""

    name: str
    kind: Kind = "text"
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and their rows in pieces that fit into memory. Times are datetimes in UTC; None is no value."""

    name: str
    columns: tuple[Column, ...]
    pieces: Iterator[list[tuple[Any, ...]]]
    about: dict[str, Any] = field(default_factory=dict)


def table_of(
    reader: HistoryReader,
    records: Sequence[dict[str, Any]],
    what: What = "samples",
    signals: Sequence[str] = (),
    every_s: float | None = None,
) -> Table:
    """The table of runs.

    Args:
        what: runs (one row each, every figure), samples (one row a recorded value), or events.
        signals: tags or aliases; empty = every recorded tag. every_s: instead of every recorded value, the one that
            holds at each multiple of this since the run began [s].
    Raises ConfigError for what is not there.
    """
    if what not in WHATS:
        raise ConfigError([Problem("", None, "what", f"{what!r} is no table", ", ".join(WHATS))])
    if every_s is not None and not every_s >= LEAST_EVERY_S:
        raise ConfigError([Problem("", None, "every", f"{every_s:g} s", f"from {LEAST_EVERY_S:g} s")])
    if what == "runs":
        return _runs(records)
    began = [row for row in records if row.get("started_at")]
    if what == "events":
        return _events(reader, began)
    known = reader.tags_by_name()
    tags = tags_meant(known, signals) if signals else list(known)
    return _samples(reader, began, {tag: known[tag] for tag in tags}, every_s)


def _runs(records: Sequence[dict[str, Any]]) -> Table:
    chosen = [
        f"{key}.{name}" for key in MAPPINGS for name in sorted({n for row in records for n in row.get(key) or {}})
    ]
    of_trials = [name for name in TRIAL_PLACES if any(name in row for row in records)]
    places = [name for name in PLACES if name != "recipe_hash" and (name not in TRIAL_PLACES or name in of_trials)]
    columns = (
        Column("run_id"),
        *(Column(name) for name in places),
        Column("started_at", "time", "UTC"),
        Column("ended_at", "time", "UTC"),
        *(Column(m.name, "number", m.unit, m.title.en) for m in METRICS.values()),
        Column("yield_u", "number", "%", "Standard uncertainty of the extraction yield (k = 1)"),
        *(Column(n, "number", "", "Recipe value" if n.startswith("values.") else "Plant parameter") for n in chosen),
    )

    def row(record: dict[str, Any]) -> tuple[Any, ...]:
        words = [record.get(name) for name in ("run_id", *places)]
        times = [_moment(record.get(name)) for name in ("started_at", "ended_at")]
        u = record.get("extraction_yield_u")
        figures = [_known(metric.of(record)) for metric in METRICS.values()] + [None if u is None else 100.0 * u]
        said = (named(record, name) for name in chosen)
        return (*words, *times, *figures, *(None if value is None else float(value) for value in said))

    return Table("runs", columns, iter([[row(record) for record in records]]))


def _samples(
    reader: HistoryReader, records: Sequence[dict[str, Any]], tags: dict[str, dict[str, str]], every_s: float | None
) -> Table:
    columns = (
        Column("run_id"),
        Column("time", "time", "UTC"),
        Column("t_s", "number", "s", "Time since the run began"),
        Column("tag"),
        Column("alias"),
        Column("station"),
        Column("value", "number", "", "In the unit of the column `unit`; none where the quality is BAD"),
        Column("unit"),
        Column("text", "text", "", "What a value that is no number says"),
        Column("quality", "text", "", "GOOD, UNCERTAIN or BAD"),
    )

    def pieces() -> Iterator[list[tuple[Any, ...]]]:
        for record in records:
            began, ended = seconds_of(record["started_at"]), seconds_of(record.get("ended_at"))
            until = None if math.isnan(ended) else ended + 1e-6
            for tag, row in tags.items():
                found = reader.samples([tag], began, until, MOST_ROWS)[tag]
                if every_s is not None:
                    found = _held(found, began, ended, every_s)
                elif found and found[0].time < began:
                    found = [Sample(found[0].value, found[0].status, began), *found[1:]]  # what held when it began
                yield [_sample_row(str(record["run_id"]), began, tag, row, sample) for sample in found]

    units = {tag: row["unit"] for tag, row in tags.items()}
    return Table("samples", columns, pieces(), {"units": units, "every_s": every_s})


def _held(found: Sequence[Sample], began: float, ended: float, every_s: float) -> list[Sample]:
    if not found:
        return []
    end = found[-1].time if math.isnan(ended) else ended
    grid = began + np.arange(int((end - began) / every_s) + 1) * every_s
    places = np.searchsorted([sample.time for sample in found], grid + 1e-6, side="right") - 1
    return [
        Sample(found[int(k)].value, found[int(k)].status, float(t)) for t, k in zip(grid, places, strict=True) if k >= 0
    ]


def _sample_row(run_id: str, began: float, tag: str, row: dict[str, str], sample: Sample) -> tuple[Any, ...]:
    value = sample.value
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return (
        run_id,
        datetime.fromtimestamp(sample.time, UTC),
        round(sample.time - began, 6),
        tag,
        row["alias"],
        row["station"],
        float(value) if is_number and value is not None and not isinstance(value, str) else None,
        row["unit"],
        value if isinstance(value, str) else None,
        sample.status.quality.value,
    )


def _events(reader: HistoryReader, records: Sequence[dict[str, Any]]) -> Table:
    columns = (
        Column("run_id"), Column("time", "time", "UTC"), Column("t_s", "number", "s", "Time since the run began"),
        Column("kind"), Column("source"), Column("severity"), Column("text"),
    )  # fmt: skip

    def pieces() -> Iterator[list[tuple[Any, ...]]]:
        for record in records:
            began, ended = seconds_of(record["started_at"]), seconds_of(record.get("ended_at"))
            found = reader.events(began, None if math.isnan(ended) else ended + 1e-6, MOST_EVENTS)
            run_id = str(record["run_id"])
            yield [
                (run_id, datetime.fromtimestamp(e.time, UTC), round(e.time - began, 6), e.kind, e.source,
                 e.severity.value, e.text)
                for e in found
            ]  # fmt: skip

    return Table("events", columns, pieces())


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _known(value: float) -> float | None:
    return round(value, 9) if math.isfinite(value) else None
