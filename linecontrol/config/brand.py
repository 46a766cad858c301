"""A brand file: how one make of PLC, drive or instrument speaks. Facts with their source, and honest doubts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.address import Table
from linecontrol.config.fields import (
    Bilingual,
    ByteOrder,
    Flag,
    Line,
    Name,
    Note,
    Number,
    Pair,
    Register,
    Row,
    Slug,
    Whole,
    WordOrder,
)
from linecontrol.core.model import DataType

Evidence = Literal["manual page", "community map", "standard", "unverified"]
Choices = dict[Annotated[int, Field(ge=-(2**31), le=2**32 - 1)], Line]


class Area(Row):
    """A run of addresses: ``first`` lies at wire register ``wire``, and so on up to ``last``."""

    prefix: Annotated[str, Field(max_length=8)]
    table: Table
    first: Annotated[Whole, Field(ge=0, le=9_999_999)]
    last: Annotated[Whole, Field(ge=0, le=9_999_999)]
    wire: Register
    radix: Literal[8, 10, 16] = 10
    digits: Annotated[
        tuple[Annotated[Whole, Field(ge=1, le=6)], ...],
        Field(description="accepted numbers of digits after the prefix; empty = any"),
    ] = ()


class WireRange(Row):
    """A run of wire registers, and why it is special."""

    table: Table = Table.HOLDING
    first: Register
    last: Register
    why: Line

    def holds(self, table: Table, register: int, words: int = 1) -> bool:
        """True when a value of ``words`` registers at ``register`` touches this run."""
        return table is self.table and register <= self.last and register + words - 1 >= self.first


class Forbidden(WireRange):
    """Registers that must not be read or written, or only not written."""

    access: Literal["any", "write"] = "any"


class WritePolicy(Row):
    """What a writer must know.

    Attributes:
        wear_limited: registers kept in memory that wears out; nothing may write them every cycle.
        ram_write_offset: added to a wire register to write it without wearing the memory; 0 = no such way.
    """

    wear_limited: tuple[WireRange, ...] = ()
    ram_write_offset: Register = 0
    note: Note = ""


class Point(Row):
    """A known register of a device with a fixed map; a station tag takes it over with ``point: NAME``."""

    name: Name
    title: Bilingual
    address: Line
    type: DataType
    bit: Annotated[Whole, Field(ge=0, le=15)] | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    unit: Annotated[str, Field(max_length=20)] = ""
    range: Pair | None = None
    choices: Choices = Field(default_factory=dict)
    writable: Flag = False
    readable: Flag = True
    note: Note = ""


class Brand(Row):
    """A brand file. Fields of the other protocol must not be given."""

    kind: Literal["brand"]
    name: Slug
    title: Line
    protocol: Literal["modbus", "opcua"]
    source: Annotated[str, Field(min_length=1, max_length=1000)]
    evidence: Evidence
    verified_on_hardware: Flag
    unverified: tuple[Line, ...] = ()
    timeout_s: Annotated[Number, Field(ge=0.05, le=60)] = 1.0
    notes: Note = ""
    # Modbus
    word_order: WordOrder = "high_first"
    byte_order: ByteOrder = "big"
    max_read_words: Annotated[Whole, Field(ge=1, le=125)] = 125
    max_write_words: Annotated[Whole, Field(ge=1, le=123)] = 123
    max_gap_words: Annotated[Whole, Field(ge=0, le=124)] = 0
    inter_frame_ms: Annotated[Number, Field(ge=0, le=1000)] = 0.0
    serial: Annotated[str, Field(pattern=r"^$|^[0-9]{3,6} [78][NEO][12]$")] = ""
    areas: tuple[Area, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    points: tuple[Point, ...] = ()
    write_policy: WritePolicy = WritePolicy()
    # OPC UA
    namespace: Annotated[str, Field(max_length=200)] = ""
    max_nodes_per_read: Annotated[Whole, Field(ge=1, le=10_000)] = 500

    def point(self, name: str) -> Point | None:
        """The known register of that name."""
        return next((point for point in self.points if point.name == name), None)

    def is_wear_limited(self, table: Table, register: int, words: int = 1) -> WireRange | None:
        """The run of registers with limited writes that this value touches, if any."""
        runs = self.write_policy.wear_limited
        return next((run for run in runs if run.holds(table, register, words)), None)


MODBUS_MUST = ("word_order", "byte_order", "max_read_words", "max_write_words", "max_gap_words", "areas")
MODBUS_ONLY = (*MODBUS_MUST, "inter_frame_ms", "serial", "forbidden", "points", "write_policy")
OPCUA_ONLY = ("namespace", "max_nodes_per_read")
