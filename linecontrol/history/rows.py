"""What the historian keeps, as plain rows: the same tuples go to memory, to the spool file and to the database.

Times in rows are line time in whole microseconds UTC, because two floats that look alike need not be equal.
No I/O here, and no database.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linecontrol.core.model import Command, Event, Outcome, Receipt, Severity, Value

Row = tuple[Any, ...]

SAMPLE, EVENT, COMMAND, RUN, RECIPE, QUARANTINE = "sample", "event", "command", "run", "recipe", "quarantine"
LAB, ALARM, AUDIT, VERSION = "lab", "alarm", "audit", "run_version"
DEVIATION, CALIBRATION, BYPASS = "deviation", "calibration", "bypass"
LOT, LOT_USE, BAG, ACT = "lot", "lot_use", "bag", "signed_act"
TAG, RECIPE_VERSION = "tag", "recipe_version"

COLUMNS: dict[str, tuple[str, ...]] = {
    SAMPLE: ("tag", "time_us", "value", "text", "status"),
    EVENT: ("time_us", "kind", "source", "severity", "active", "text", "data"),
    COMMAND: (
        "time_us",
        "who",
        "tag",
        "value",
        "expected",
        "why",
        "old",
        "readback",
        "outcome",
        "reason",
    ),
    RUN: (
        "run_id",
        "recipe",
        "recipe_hash",
        "state",
        "started_us",
        "ended_us",
        "record",
        "snapshot",
        "updated_us",
    ),
    RECIPE: ("hash", "name", "version", "text", "saved_us"),
    QUARANTINE: ("time_us", "kind", "row", "reason"),
    LAB: ("lab_id", "tag", "value", "u", "sampled_us", "entered_us", "who", "note", "run_id", "replaces"),
    ALARM: ("name", "state", "updated_us"),
    VERSION: ("run_id", "version", "made_us", "who", "why", "record"),
    AUDIT: (
        "time_us",
        "who",
        "role",
        "session",
        "address",
        "action",
        "target",
        "old",
        "new",
        "why",
        "outcome",
        "detail",
    ),
    DEVIATION: (
        *("deviation_id", "run_id", "ccp", "kind", "stage", "since_us", "opened_us", "until_us", "value", "limit"),
        *("unit", "text", "text_zh", "corrective_action", "corrective_action_zh", "responsible", "suspect_kg"),
        *("state", "action", "acted_by", "acted_us", "closed_by", "closed_us", "note"),
    ),
    CALIBRATION: (
        *("calibration_id", "item", "kind", "tag", "done_us", "due_us", "entered_us", "who", "result"),
        *("found", "certificate"),
    ),
    BYPASS: ("bypass_id", "interlock", "who", "reason", "since_us", "until_us", "ended_us", "ended_by"),
    LOT: (
        "lot_id",
        "species",
        "origin",
        "grower",
        "harvested",
        "received_kg",
        "received_us",
        "season",
        "note",
        "who",
    ),
    LOT_USE: ("use_id", "run_id", "lot_id", "from_us", "entered_us", "who", "note"),
    BAG: (
        "bag_id",
        "run_id",
        "number",
        "status",
        "opened_us",
        "closed_us",
        "weight_kg",
        "moisture_mean",
        "moisture_max",
        "temp_c",
        "aw",
        "aw_low",
        "aw_high",
        "suspect_kg",
        "lots",
        "suspects",
        "passage",
        "note",
        "updated_us",
    ),
    TAG: ("name", "alias", "station", "unit", "type"),
    RECIPE_VERSION: (
        *("name", "version", "state", "text", "hash", "based_on", "author", "note", "made_us", "judged_by"),
        *("judgement", "judged_us", "activated_by", "activation", "activated_us", "retired_us"),
    ),
    ACT: ("act_id", "run_id", "target", "kind", "time_us", "who", "role", "reason", "meaning"),
}
"""Kinds of rows and the columns of each, in the order of the tuple."""

STARTED, STOPPED = "historian.started", "historian.stopped"
"""Kinds of the events between which a recording lies."""

_TIME_AT = {SAMPLE: 1, EVENT: 0, COMMAND: 0, RUN: 8, RECIPE: 4, QUARANTINE: 0, LAB: 5, ALARM: 2, AUDIT: 0, VERSION: 2}
_TIME_AT |= {DEVIATION: 6, CALIBRATION: 6, BYPASS: 4}
_TIME_AT |= {LOT: 6, LOT_USE: 4, BAG: 18, ACT: 4}
_EXACT_INT = 2**53


class SampleRow(NamedTuple):
    """One stored sample. ``value`` holds every number a float can; ``text`` what it cannot (see ``encode``)."""

    tag: str
    time_us: int
    value: float | None
    text: str | None
    status: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One recipe run as it is kept. Saving it again replaces what was there.

    Attributes:
        started_at, ended_at, updated_at: line time [s since 1970, UTC]; None = not yet.
        record: the batch record so far. snapshot: what the controller needs to take the run up again.
    """

    run_id: str
    recipe: str
    recipe_hash: str
    state: str
    updated_at: float
    started_at: float | None = None
    ended_at: float | None = None
    record: dict[str, Any] = field(default_factory=dict)
    snapshot: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """A recipe text as it was when a run froze it. The hash is its identity: saved once, never changed."""

    hash: str
    name: str
    version: str
    text: str
    saved_at: float = 0.0


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be stored, kept until a person has looked at it."""

    time: float
    kind: str
    row: str
    reason: str


class PoisonError(ValueError):
    """This row can never be stored; the message says why."""


def micros(time_s: float) -> int:
    """Seconds to whole microseconds. Raises PoisonError when it is no time a database can hold."""
    if not abs(time_s) < 9.0e12:  # NaN compares false
        raise PoisonError(f"time {time_s!r} is not a time")
    return round(time_s * 1e6)


def seconds(time_us: int) -> float:
    return time_us / 1e6


def encode(value: Value | None) -> tuple[float | None, str | None]:
    """A value as (number, text), losslessly.

    Numbers go in the first. Strings go in the second, and so do NaN and integers a float cannot hold, marked with a
    leading ``=`` (a string that begins with one gets another). Raises PoisonError for anything else.
    """
    if type(value) is float and value == value:  # not NaN; the usual case first
        return value, None
    if value is None:
        return None, None
    if isinstance(value, str):
        return None, "=" + value if value.startswith("=") else value
    if isinstance(value, float):
        return (None, "=nan") if math.isnan(value) else (float(value), None)
    if isinstance(value, int):
        if -_EXACT_INT <= value <= _EXACT_INT:
            return float(value), None
        if value.bit_length() <= 64:
            return None, f"={value}"
        raise PoisonError("an integer beyond 64 bits")
    raise PoisonError(f"a value of type {type(value).__name__}")


def decode(value: float | None, text: str | None, is_bool: bool = False) -> Value | None:
    """The inverse of ``encode``; numbers come back as float, or as bool when the tag is one."""
    if text is not None:
        if not text.startswith("="):
            return text
        rest = text[1:]
        if rest.startswith("="):
            return rest
        return math.nan if rest == "nan" else int(rest)
    if is_bool and value in (0.0, 1.0):
        return bool(value)
    return value


def as_json(value: object) -> str:
    """JSON of anything; what JSON does not know becomes its repr, so that no event is lost over a detail."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: no database takes it as it is
        return json.dumps(value, separators=(",", ":"), default=repr)
    except (TypeError, ValueError):  # keys that are no strings, circular references
        return json.dumps({"unreadable": repr(value)})
    return text


def _value_json(value: Value) -> str:
    """JSON of what somebody asked for; NaN and infinity, which JSON does not know, as texts."""
    return as_json(str(value) if isinstance(value, float) and not math.isfinite(value) else value)


def event_row(event: Event) -> Row:
    active = None if event.active is None else int(event.active)
    data = as_json(event.data) if event.data else None
    return (micros(event.time), event.kind, event.source, event.severity.value, active, event.text, data)


def event_of(row: Row) -> Event:
    time_us, kind, source, severity, active, text, data = row
    return Event(
        seconds(time_us),
        kind,
        source,
        text,
        Severity(severity),
        None if active is None else bool(active),
        json.loads(data) if data else {},
    )


def command_row(receipt: Receipt) -> Row:
    asked = receipt.command
    return (
        micros(receipt.time),
        asked.who,
        asked.tag,
        _value_json(asked.value),
        None if asked.expected is None else _value_json(asked.expected),
        asked.reason,
        None if receipt.old is None else as_json(receipt.old),
        None if receipt.readback is None else as_json(receipt.readback),
        receipt.outcome.value,
        receipt.reason,
    )


def receipt_of(row: Row) -> Receipt:
    time_us, who, tag, value, expected, why, old, readback, outcome, reason = row
    command = Command(tag, json.loads(value), who, why, None if expected is None else json.loads(expected))
    return Receipt(
        command,
        Outcome(outcome),
        seconds(time_us),
        reason,
        None if readback is None else json.loads(readback),
        None if old is None else json.loads(old),
    )


def run_row(run: RunRow) -> Row:
    return (
        run.run_id,
        run.recipe,
        run.recipe_hash,
        run.state,
        None if run.started_at is None else micros(run.started_at),
        None if run.ended_at is None else micros(run.ended_at),
        as_json(run.record),
        as_json(run.snapshot),
        micros(run.updated_at),
    )


def run_of(row: Row) -> RunRow:
    run_id, recipe, recipe_hash, state, started_us, ended_us, record, snapshot, updated_us = row
    return RunRow(
        run_id,
        recipe,
        recipe_hash,
        state,
        seconds(updated_us),
        None if started_us is None else seconds(started_us),
        None if ended_us is None else seconds(ended_us),
        json.loads(record),
        json.loads(snapshot),
    )


def recipe_row(recipe: RecipeRow) -> Row:
    return (recipe.hash, recipe.name, recipe.version, recipe.text, micros(recipe.saved_at))


@dataclass(slots=True)
class Batch:
    """Rows kept or spooled together, in one transaction or one frame.

    ``writer`` and ``number`` name the batch for ever: a database that has seen the number skips the batch, so
    replaying it, or repeating a commit whose outcome is unknown, stores nothing twice.
    ``acks`` are called, from the writer's thread, when every row is durable.
    """

    writer: str
    number: int
    rows: dict[str, Sequence[Row]]
    acks: list[Callable[[], None]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))

    @property
    def latest_us(self) -> int:
        """Newest line time in it; 0 when it is empty."""
        return max((row[_TIME_AT[kind]] for kind, rows in self.rows.items() for row in rows), default=0)

    def to_bytes(self) -> bytes:
        content = {
            "writer": self.writer,
            "number": self.number,
            "rows": {kind: list(rows) for kind, rows in self.rows.items()},
        }
        return zlib.compress(json.dumps(content, separators=(",", ":"), default=repr).encode("ascii"), 1)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Batch:
        content = json.loads(zlib.decompress(payload))
        rows: dict[str, Sequence[Row]] = {kind: [tuple(row) for row in rows] for kind, rows in content["rows"].items()}
        return cls(content["writer"], content["number"], rows)
