"""Which registers to ask for together, and where a write goes. Pure: points and limits in, block reads out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from linecontrol.core.errors import ConfigError
from linecontrol.core.model import DataType, Tag

Table = Literal["coil", "discrete", "holding", "input"]
BIT_TABLES: tuple[Table, ...] = ("coil", "discrete")
MAX_BITS = 2000  # coils or discrete inputs in one request, Modbus application protocol 1.1b3, 6.1
LAST_ADDRESS = 65535


@dataclass(frozen=True, slots=True)
class Point:
    """Where a tag lies in a Modbus device. ``register``: 0-based address on the wire."""

    tag: Tag
    table: Table
    register: int

    @property
    def words(self) -> int:
        """Addresses it takes: registers, or one coil."""
        return 1 if self.table in BIT_TABLES else self.tag.type.words

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.register + self.words


@dataclass(frozen=True, slots=True)
class Run:
    """Addresses ``first`` to ``last`` of a table, both included."""

    table: Table
    first: int
    last: int

    def touches(self, table: Table, start: int, end: int) -> bool:
        """True when it holds one of the addresses from ``start`` up to, not including, ``end``."""
        return table == self.table and start <= self.last and end > self.first


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask.

    Attributes:
        max_read_words: registers in one answer, 1..125.
        max_gap_words: unused addresses between two points that may be read along, >= 0. Some devices answer
            "illegal address" to a block with a hole in it.
        forbidden: addresses no request may touch, not even to read along.
    """

    max_read_words: int = 125
    max_gap_words: int = 0
    forbidden: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteRules:
    """Where a device may be written.

    Attributes:
        forbidden: addresses that must not be written.
        worn: addresses kept in memory that wears out with writes.
        ram_offset: added to a worn address to write the value in effect without the memory behind it; such an address
            cannot be read. 0: the device has no such way.
    """

    forbidden: tuple[Run, ...] = ()
    worn: tuple[Run, ...] = ()
    ram_offset: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """One read request: ``count`` addresses of ``table`` from ``start``. Points in rising order of address."""

    table: Table
    start: int
    count: int
    points: tuple[Point, ...]


def check_points(points: Iterable[Point], limits: Limits) -> None:
    """Raise ConfigError for a point no request can read."""
    for point in points:
        tag, table = point.tag, point.table
        if table in BIT_TABLES and (tag.type is not DataType.BOOL or tag.bit is not None):
            raise ConfigError(f"{tag.name}: a {table} holds one bool (accepted: type bool, no bit)")
        if tag.type is DataType.STRING:
            raise ConfigError(f"{tag.name}: texts are not read over Modbus (accepted: bool or a number type)")
        if tag.bit is not None and (tag.type is not DataType.BOOL or not 0 <= tag.bit <= 15):
            raise ConfigError(f"{tag.name}: bit {tag.bit} is not accepted (accepted: 0..15 of a bool)")
        if not 0 <= point.register <= LAST_ADDRESS + 1 - point.words:
            raise ConfigError(f"{tag.name}: {table} {point.register} is outside 0..{LAST_ADDRESS}")
        if table not in BIT_TABLES and point.words > limits.max_read_words:
            raise ConfigError(f"{tag.name}: {point.words} registers exceed a block of {limits.max_read_words}")
        if _touches(limits.forbidden, table, point.register, point.end):
            raise ConfigError(f"{tag.name}: {table} {point.register} must not be touched in this device")


def write_register(point: Point, rules: WriteRules) -> int:
    """The address a write of this point goes to; reads, reading back included, go to ``point.register``.

    Raises ConfigError when it must not be written.
    """
    table, offset = point.table, 0
    if _touches(rules.worn, table, point.register, point.end):
        offset = rules.ram_offset
    start, end = point.register + offset, point.end + offset
    if end > LAST_ADDRESS + 1:
        raise ConfigError(f"{point.tag.name}: {table} {start}, where it is written, is outside 0..{LAST_ADDRESS}")
    if _touches(rules.forbidden, table, start, end):
        raise ConfigError(f"{point.tag.name}: {table} {start} must not be written in this device")
    return start


def plan(points: Iterable[Point], limits: Limits) -> tuple[Block, ...]:
    """The fewest block reads that cover all points.

    Every point lies in exactly one block and is never split; no block exceeds the limits, bridges a hole wider than
    ``max_gap_words`` or touches a forbidden address. Going from the lowest address up and closing a block only when it
    must be is optimal.
    """
    blocks: list[Block] = []
    run: list[Point] = []
    end = 0
    for point in sorted(points, key=lambda p: (p.table, p.register, p.end)):
        if run:
            first = run[0]
            most = MAX_BITS if first.table in BIT_TABLES else limits.max_read_words
            fits = max(end, point.end) - first.register <= most
            is_near = point.table == first.table and point.register - end <= limits.max_gap_words
            if not (is_near and fits) or _touches(limits.forbidden, point.table, end, point.register):
                blocks.append(_block(run))
                run = []
        end = max(end, point.end) if run else point.end
        run.append(point)
    if run:
        blocks.append(_block(run))
    return tuple(blocks)


def split(block: Block) -> tuple[Block, ...]:
    """Smaller blocks for the same points, for a device that refused this one: at its holes, else in two halves.

    A block whose points all overlap, or with one point only, cannot be split and comes back alone.
    """
    runs = _runs(block.points)
    if len(runs) == 1:
        cuts = _cuts(block.points)
        if not cuts:
            return (block,)
        cut = cuts[len(cuts) // 2]
        runs = [block.points[:cut], block.points[cut:]]
    return tuple(_block(run) for run in runs)


def _touches(runs: Iterable[Run], table: Table, start: int, end: int) -> bool:
    return start < end and any(run.touches(table, start, end) for run in runs)


def _runs(points: Sequence[Point]) -> list[Sequence[Point]]:
    """Points without a hole between them, together."""
    runs: list[Sequence[Point]] = []
    first, end = 0, points[0].end
    for i, point in enumerate(points):
        if point.register > end:
            runs.append(points[first:i])
            first = i
        end = max(end, point.end)
    runs.append(points[first:])
    return runs


def _cuts(points: Sequence[Point]) -> list[int]:
    """Indices before which the block can be cut without splitting a value or reading an address twice."""
    cuts, end = [], points[0].end
    for i, point in enumerate(points):
        if i and point.register >= end:
            cuts.append(i)
        end = max(end, point.end)
    return cuts


def _block(points: Sequence[Point]) -> Block:
    start = points[0].register
    return Block(points[0].table, start, max(p.end for p in points) - start, tuple(points))
