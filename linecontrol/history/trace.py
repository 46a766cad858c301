"""Lots and bags, as a history answers for them: what a run used and made, and recall both ways. Never writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.history import schema
from linecontrol.history.lots import (
    ActRow,
    BagRow,
    LotRow,
    Traced,
    act_of,
    bag_of,
    lot_of,
    lot_use_of,
)
from linecontrol.history.reader import HistoryReader
from linecontrol.history.rows import ACT, BAG, COLUMNS, LOT, LOT_USE

NO_LOT = "?"
"""Roots that nobody named: bags have a share of it, and it may be any lot."""


@dataclass(frozen=True, slots=True)
class BagOfLot:
    """A bag that holds powder of a lot: share of the bag (0..1) and kg of powder."""

    bag: BagRow
    share: float
    kg: float


@dataclass(frozen=True, slots=True)
class RootsOfBag:
    """What made a bag, and what was decided about it."""

    bag: BagRow
    lots: tuple[LotRow, ...]
    acts: tuple[ActRow, ...]


def traced(reader: HistoryReader, run_id: str | None = None) -> Traced:
    """The lots, uses, bags and acts of a run, oldest first; without one, all lots and nothing else."""
    with reader.opened() as (connection, line_id):
        if not _has_them(connection):
            return Traced()
        if run_id is None:
            return Traced(lots=[lot_of(row) for row in _rows(connection, line_id, LOT)])
        uses = [lot_use_of(row) for row in _rows(connection, line_id, LOT_USE, run_id=run_id)]
        bags = [bag_of(row) for row in _rows(connection, line_id, BAG, run_id=run_id)]
        acts = [act_of(row) for row in _rows(connection, line_id, ACT, run_id=run_id)]
        named = {use.lot_id for use in uses} | {lot for bag in bags for lot, _, _ in bag.lots}
        lots = [lot_of(row) for row in _rows(connection, line_id, LOT, lot_id=sorted(named))]
    order = sorted(uses, key=lambda use: (use.from_at, use.entered_at))
    return Traced(lots, order, sorted(bags, key=lambda bag: bag.number), acts)


def bags_of_lot(reader: HistoryReader, lot_id: str) -> tuple[LotRow, list[BagOfLot]]:
    """The lot, and every closed bag that holds some of it, oldest first. ``NO_LOT`` asks for roots nobody named.

    Raises StorageError for an unknown lot.
    """
    with reader.opened() as (connection, line_id):
        found = _rows(connection, line_id, LOT, lot_id=lot_id) if _has_them(connection) else []
        if not found and (lot_id != NO_LOT or not _has_them(connection)):
            raise StorageError(f"there is no lot {lot_id!r} on record")
        bag, part = schema.bag, schema.bag_lot
        query = (
            sa.select(*(bag.c[name] for name in COLUMNS[BAG]), part.c.share, part.c.kg)
            .join(part, sa.and_(part.c.line_id == bag.c.line_id, part.c.bag_id == bag.c.bag_id))
            .where(part.c.line_id == line_id, part.c.lot_id == lot_id)
            .order_by(bag.c.opened_us)
        )
        rows = [tuple(row) for row in connection.execute(query)]
    lot = lot_of(found[0]) if found else LotRow(NO_LOT, "unknown", 0.0, 0.0, "")
    return lot, [BagOfLot(bag_of(row[:-2]), row[-2], row[-1]) for row in rows]


def roots_of_bag(reader: HistoryReader, bag_id: str) -> RootsOfBag:
    """The bag, its lots and what was decided about it. Raises StorageError for an unknown bag."""
    with reader.opened() as (connection, line_id):
        found = _rows(connection, line_id, BAG, bag_id=bag_id) if _has_them(connection) else []
        if not found:
            raise StorageError(f"there is no bag {bag_id!r} on record")
        bag = bag_of(found[0])
        names = [lot for lot, _, _ in bag.lots]
        lots = {row.lot_id: row for row in map(lot_of, _rows(connection, line_id, LOT, lot_id=names))}
        targets = [bag_id, *(suspect for suspect, _, _ in bag.suspects)]
        acts = [act_of(row) for row in _rows(connection, line_id, ACT, target=targets)]
    return RootsOfBag(bag, tuple(lots[name] for name in names if name in lots), tuple(acts))


def _has_them(connection: sa.Connection) -> bool:
    """False for a history from before there were lots, which a reader does not migrate."""
    return sa.inspect(connection).has_table(schema.lot.name)


def _rows(connection: sa.Connection, line_id: int, kind: str, **wanted: Any) -> list[tuple[Any, ...]]:
    table = schema.metadata.tables[kind]
    query = sa.select(*(table.c[name] for name in COLUMNS[kind])).where(table.c.line_id == line_id)
    for name, value in wanted.items():
        is_many = isinstance(value, Iterable) and not isinstance(value, str)
        query = query.where(table.c[name].in_(list(value)) if is_many else table.c[name] == value)
    order = table.c.id if "id" in table.c else table.c[COLUMNS[kind][0]]
    return [tuple(row) for row in connection.execute(query.order_by(order))]
