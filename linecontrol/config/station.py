"""A station file: the tags of one PLC cabinet, its safe outputs, and the tags that show that both sides are alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.alarm import TagAlarm
from linecontrol.config.brand import Brand, Choices, Point
from linecontrol.config.fields import (
    Alias,
    Bilingual,
    Flag,
    Line,
    Name,
    Note,
    Number,
    Pair,
    Row,
    Scalar,
    Seconds,
    Slug,
    Whole,
)
from linecontrol.config.interlock import InterlockRow
from linecontrol.core.model import DataType, Tag, Text, Value


class Probe(Row):
    """What a technician's probe expects of a tag: a known constant, or a plausible range [tag unit]."""

    equals: Number | None = None
    between: Pair | None = None


class Methods(Row):
    """OPC UA method nodes called instead of a write."""

    on: Line
    off: Line


class StationTag(Row):
    """One row of ``tags``. With ``point``, address, type and bit come from the brand's known register.

    ``deadband``: the history may be off by this much, never more [tag unit]; 0 = every change is kept. Control, alarms
    and displays always see every value.
    """

    name: Name
    alias: Alias | None = None
    title: Bilingual | None = None
    point: Name | None = None
    address: Line | None = None
    type: DataType | None = None
    bit: Annotated[Whole, Field(ge=0, le=15)] | None = None
    unit: Annotated[str, Field(max_length=20)] = ""
    scale: Number = 1.0
    offset: Number = 0.0
    range: Pair | None = None
    choices: Choices = Field(default_factory=dict)
    writable: Flag = False
    deadband: Annotated[Number, Field(ge=0)] = 0.0
    probe: Probe | None = None
    methods: Methods | None = None
    note: Note = ""


class SafeOutputs(Row):
    """Values written when a run is held, stopped or aborted, by tag [tag unit]."""

    held: dict[Name, Scalar] = Field(default_factory=dict)
    stopped: dict[Name, Scalar] = Field(default_factory=dict)
    aborted: dict[Name, Scalar] = Field(default_factory=dict)

    def named(self) -> tuple[tuple[str, dict[str, Value]], ...]:
        return (("held", self.held), ("stopped", self.stopped), ("aborted", self.aborted))


class StationProfile(Row):
    """A station file.

    Attributes:
        scan_s: scan period [s, real time].
        heartbeat: tag we count up so that the PLC knows we are alive; it trips after ``heartbeat_timeout_s`` without.
        owner: tag that holds the number of the controller that may write; takes a heartbeat.
        boot: tag that changes when the PLC starts anew.
        alive: tag that counts up when the PLC's program runs.
        trip: tag that is on while the PLC has tripped; a run is held then.
        keep: outputs that stay as they are when the station is stopped, so ``safe_outputs.stopped`` leaves them out.
        alarms: what calls for a person, beside the tags it is seen in.
        interlocks: what is refused, held or diverted while a condition on its tags is not met.
    """

    kind: Literal["station"]
    name: Slug
    title: Bilingual
    brand: Slug
    namespace: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    scan_s: Seconds = 1.0
    heartbeat: Name | None = None
    heartbeat_timeout_s: Annotated[Number, Field(ge=0.5, le=600)] = 5.0
    owner: Name | None = None
    boot: Name | None = None
    alive: Name | None = None
    trip: Name | None = None
    tags: Annotated[tuple[StationTag, ...], Field(min_length=1, max_length=5000)]
    safe_outputs: SafeOutputs = SafeOutputs()
    keep: tuple[Name, ...] = ()
    alarms: tuple[TagAlarm, ...] = ()
    interlocks: tuple[InterlockRow, ...] = ()
    notes: Note = ""

    @property
    def roles(self) -> dict[str, str]:
        """Tag names by role, of those given: heartbeat, owner, boot, alive, trip."""
        given = {
            "heartbeat": self.heartbeat,
            "owner": self.owner,
            "boot": self.boot,
            "alive": self.alive,
            "trip": self.trip,
        }
        return {role: name for role, name in given.items() if name is not None}


@dataclass(frozen=True, slots=True)
class Placed:
    """A tag with everything the brand adds, and where its row stands.

    Attributes:
        row: as written.
        index: its place in ``tags`` of the file, from 0.
        tag: as the line uses it.
        point: the brand's known register it takes over, if any.
    """

    row: StationTag
    index: int
    tag: Tag
    point: Point | None = None


def tag_of(row: StationTag, brand: Brand | None, station: str) -> tuple[Tag, Point | None]:
    """The tag of a row. What the row leaves out comes from its point.

    An integer or bool without a range gets what its register can hold; address and type may be "" and float64 when
    the file is wrong there (the rules say so).
    """
    point = brand.point(row.point) if brand is not None and row.point is not None else None
    given = row.model_fields_set
    source: StationTag | Point = point if point is not None else row
    data_type = source.type or DataType.FLOAT64
    scale = row.scale if "scale" in given or point is None else point.scale
    offset = row.offset if "offset" in given or point is None else point.offset
    limits = row.range or (point.range if point is not None else None) or full_range(data_type, scale, offset)
    title = row.title or (point.title if point is not None else None)
    choices = row.choices or (point.choices if point is not None else {})
    tag = Tag(
        name=row.name,
        alias=row.alias or "",
        station=station,
        title=title.text() if title is not None else Text(row.name, row.name),
        unit=row.unit if "unit" in given or point is None else point.unit,
        type=data_type,
        address=source.address or "",
        low=limits[0],
        high=limits[1],
        scale=scale,
        offset=offset,
        bit=source.bit,
        writable=row.writable if point is None else point.writable and ("writable" not in given or row.writable),
        methods=(row.methods.on, row.methods.off) if row.methods is not None else (),
        choices=tuple(choices.items()),
        deadband=row.deadband,
    )
    return tag, point


def full_range(data_type: DataType, scale: float, offset: float) -> tuple[float, float]:
    """Engineering values a register of this type can hold; without limits for floats and texts."""
    low, high = data_type.limits
    if data_type.is_float or data_type is DataType.STRING:
        return -float("inf"), float("inf")
    ends = (low * scale + offset, high * scale + offset)
    return min(ends), max(ends)
