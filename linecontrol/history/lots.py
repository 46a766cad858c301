"""Root lots, bags and what people decided about them, as they are kept. No I/O here, and no database.

Times are line time [s since 1970, UTC].
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linecontrol.history.rows import ACT, BAG, COLUMNS, LOT, LOT_USE, PoisonError, Row, as_json, micros, seconds


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot of roots as it was received. Never changed.

    Attributes:
        lot_id: its name, unique on the line. harvested: ISO date, or empty when nobody knows.
        received_kg: gross mass, > 0. season: as the buyer calls it, e.g. ``winter 2026``.
    """

    lot_id: str
    species: str
    received_kg: float
    received_at: float
    who: str
    origin: str = ""
    grower: str = ""
    harvested: str = ""
    season: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LotUseRow:
    """From ``from_at`` on, roots of this lot are tipped into the hopper, until the next use in the same run."""

    use_id: str
    run_id: str
    lot_id: str
    from_at: float
    entered_at: float
    who: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BagRow:
    """A bag of powder. Saving it again replaces what was there; each version that counts is a link of the chain.

    Attributes:
        status: open, good, held, released or rejected; ``suspect`` while open and touched by a suspect interval.
        weight_kg: net. moisture_mean, moisture_max [% wb], temp_c [°C], aw with aw_low and aw_high (95 %): None = was
            not measured.
        suspect_kg: of it, made while a critical limit was broken or not measured.
        lots: [lot id, share of the bag 0..1, kg], largest first; ``?`` is powder of roots of no known lot.
        suspects: [id, share of the bag 0..1, why].
        passage: when its powder was in every machine; see ``linecontrol.guard.genealogy.Passage``.
    """

    bag_id: str
    run_id: str
    number: int
    status: str
    opened_at: float
    updated_at: float
    closed_at: float | None = None
    weight_kg: float = 0.0
    moisture_mean: float | None = None
    moisture_max: float | None = None
    temp_c: float | None = None
    aw: float | None = None
    aw_low: float | None = None
    aw_high: float | None = None
    suspect_kg: float = 0.0
    lots: Sequence[tuple[str, float, float]] = ()
    suspects: Sequence[tuple[str, float, str]] = ()
    passage: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class ActRow:
    """A decision under somebody's name: ``hold``, ``release`` or ``reject`` a bag, or the corrective ``action`` for a
    suspect interval.

    Attributes:
        target: bag id, or id of the suspect interval. role: in which they decided.
        meaning: what the signature stands for; empty = it was not signed with a password.
    """

    act_id: str
    run_id: str
    target: str
    kind: str
    time: float
    who: str
    role: str
    reason: str
    meaning: str = ""


TraceRow = LotRow | LotUseRow | BagRow | ActRow


@dataclass(frozen=True, slots=True)
class Traced:
    """What is known of the lots and bags of a run."""

    lots: Sequence[LotRow] = ()
    uses: Sequence[LotUseRow] = ()
    bags: Sequence[BagRow] = ()
    acts: Sequence[ActRow] = ()


def trace_row(row: TraceRow) -> tuple[str, Row]:
    """Kind and cells. Raises PoisonError for numbers and times that no database holds."""
    match row:
        case LotRow():
            if not (math.isfinite(row.received_kg) and row.received_kg > 0.0):
                raise PoisonError(f"{row.received_kg!r} kg is no mass of roots")
            return LOT, (
                *(row.lot_id, row.species, row.origin, row.grower, row.harvested, float(row.received_kg)),
                *(micros(row.received_at), row.season, row.note, row.who),
            )
        case LotUseRow():
            times = (micros(row.from_at), micros(row.entered_at))
            return LOT_USE, (row.use_id, row.run_id, row.lot_id, *times, row.who, row.note)
        case BagRow():
            return BAG, _bag_row(row)
        case ActRow():
            who = (row.who, row.role, row.reason, row.meaning)
            return ACT, (row.act_id, row.run_id, row.target, row.kind, micros(row.time), *who)


def _bag_row(bag: BagRow) -> Row:
    measured = (bag.moisture_mean, bag.moisture_max, bag.temp_c, bag.aw, bag.aw_low, bag.aw_high)
    return (
        *(bag.bag_id, bag.run_id, bag.number, bag.status, micros(bag.opened_at)),
        None if bag.closed_at is None else micros(bag.closed_at),
        _number(bag.weight_kg) or 0.0,
        *(_number(value) for value in measured),
        _number(bag.suspect_kg) or 0.0,
        as_json([list(lot) for lot in bag.lots]),
        as_json([list(suspect) for suspect in bag.suspects]),
        as_json(dict(bag.passage)),
        bag.note,
        micros(bag.updated_at),
    )


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def lot_of(row: Row) -> LotRow:
    lot_id, species, origin, grower, harvested, kg, received_us, season, note, who = row
    return LotRow(lot_id, species, kg, seconds(received_us), who, origin, grower, harvested, season, note)


def lot_use_of(row: Row) -> LotUseRow:
    use_id, run_id, lot_id, from_us, entered_us, who, note = row
    return LotUseRow(use_id, run_id, lot_id, seconds(from_us), seconds(entered_us), who, note)


def bag_of(row: Row) -> BagRow:
    cells = dict(zip(COLUMNS[BAG], row, strict=True))
    opened_us, closed_us, updated_us = (cells.pop(name) for name in ("opened_us", "closed_us", "updated_us"))
    return BagRow(
        **cells
        | {
            "opened_at": seconds(opened_us),
            "updated_at": seconds(updated_us),
            "closed_at": None if closed_us is None else seconds(closed_us),
            "lots": tuple(tuple(lot) for lot in json.loads(cells["lots"])),
            "suspects": tuple(tuple(suspect) for suspect in json.loads(cells["suspects"])),
            "passage": json.loads(cells["passage"]),
        }
    )


def act_of(row: Row) -> ActRow:
    act_id, run_id, target, kind, time_us, who, role, reason, meaning = row
    return ActRow(act_id, run_id, target, kind, seconds(time_us), who, role, reason, meaning)
