"""The words of the house: Status, Sample, Tag, Command, Receipt, Event. Plain records, no behaviour beyond them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

Value = float | int | bool | str


class Quality(StrEnum):
    """The three qualities of OPC UA Part 8. Anything but GOOD is never acted on as if it were good."""

    GOOD = "GOOD"
    UNCERTAIN = "UNCERTAIN"
    BAD = "BAD"


class Status(IntEnum):
    """OPC UA status codes used for every value, whatever wire it came by (OPC 10000-4, 7.39; OPC 10000-8, 6.3)."""

    GOOD = 0x00000000
    GOOD_LOCAL_OVERRIDE = 0x00960000
    UNCERTAIN = 0x40000000
    UNCERTAIN_LAST_USABLE_VALUE = 0x40900000
    UNCERTAIN_SENSOR_NOT_ACCURATE = 0x40930000
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x40940000
    UNCERTAIN_SUB_NORMAL = 0x40950000
    BAD = 0x80000000
    BAD_COMMUNICATION_ERROR = 0x80050000
    BAD_TIMEOUT = 0x800A0000
    BAD_NO_COMMUNICATION = 0x80310000
    BAD_WAITING_FOR_INITIAL_DATA = 0x80320000
    BAD_NODE_ID_UNKNOWN = 0x80340000
    BAD_OUT_OF_RANGE = 0x803C0000
    BAD_TYPE_MISMATCH = 0x80740000
    BAD_CONFIGURATION_ERROR = 0x80890000
    BAD_NOT_CONNECTED = 0x808A0000
    BAD_DEVICE_FAILURE = 0x808B0000
    BAD_SENSOR_FAILURE = 0x808C0000
    BAD_OUT_OF_SERVICE = 0x808D0000

    @property
    def quality(self) -> Quality:
        top = int(self) >> 30
        return Quality.GOOD if top == 0 else Quality.UNCERTAIN if top == 1 else Quality.BAD

    @property
    def text(self) -> str:
        """OPC UA spelling, e.g. ``BadSensorFailure``."""
        return _TEXTS[self]

    @classmethod
    def from_code(cls, code: int) -> Status:
        """The nearest known status for any 32-bit OPC UA code: the code itself, else its severity's general one."""
        try:
            return cls(code & 0xFFFF0000)
        except ValueError:
            top = (code >> 30) & 3
            return cls.GOOD if top == 0 else cls.UNCERTAIN if top == 1 else cls.BAD


_UNCERTAIN = int(Status.UNCERTAIN)  # from here on a status is not GOOD
_TEXTS = {status: "".join(part.capitalize() for part in status.name.split("_")) for status in Status}


class Sample(NamedTuple):
    """One value of one tag.

    Attributes:
        value: engineering value in the tag's unit; None unless the quality is GOOD or UNCERTAIN.
        status: OPC UA status code.
        time: when the *device* said it [s, line time, UTC since 1970]. Never renewed by our own tick.
    """

    value: Value | None
    status: Status
    time: float

    @property
    def is_good(self) -> bool:
        return self.status < _UNCERTAIN

    @property
    def number(self) -> float:
        """The value as a float; NaN when it is not GOOD, so that arithmetic cannot mistake it."""
        value, status, _ = self
        if value.__class__ is float and status < _UNCERTAIN:  # most are, and this is asked a hundred times a cycle
            return value
        if status >= _UNCERTAIN or value is None or isinstance(value, str):
            return math.nan
        return float(value)


def numbers(samples: Mapping[str, Sample], names: Iterable[str]) -> dict[str, float]:
    """``number`` of each of these samples, for who looks at many in every cycle."""
    found = {}
    for name in names:
        value, status, _ = sample = samples[name]
        found[name] = value if value.__class__ is float and status < _UNCERTAIN else sample.number
    return found


NO_DATA = Sample(None, Status.BAD_WAITING_FOR_INITIAL_DATA, 0.0)


class DataType(StrEnum):
    """How a value lies on the wire."""

    BOOL = "bool"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"

    @property
    def words(self) -> int:
        """16-bit registers it takes on Modbus (a bool takes one register, or one coil)."""
        return {"int32": 2, "uint32": 2, "float32": 2, "float64": 4}.get(self.value, 1)

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest raw value the type can hold."""
        return _LIMITS[self._value_]

    @property
    def is_float(self) -> bool:
        return self is DataType.FLOAT32 or self is DataType.FLOAT64


_LIMITS = {
    "bool": (0.0, 1.0),
    "int16": (-32768.0, 32767.0),
    "uint16": (0.0, 65535.0),
    "int32": (-2147483648.0, 2147483647.0),
    "uint32": (0.0, 4294967295.0),
    "float32": (-3.4028234663852886e38, 3.4028234663852886e38),
    "float64": (-math.inf, math.inf),
    "string": (-math.inf, math.inf),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages of the house."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Tag:
    """One point of a station: a row of its profile.

    Attributes:
        name: ISA-5.1 tag, unique on the line, e.g. ``TT-303``.
        alias: readable name, e.g. ``drying.inlet_air_temp``.
        station: the station it belongs to.
        address: as the profile writes it (``%MW10``, ``s=Drying.TT-303``); only the link reads it.
        low, high: engineering range. A reading more than 5 % of the span outside is UNCERTAIN, more than 20 % BAD; a
            write outside is refused.
        scale, offset: engineering = raw * scale + offset.
        bit: bit of a register for a bool, 0 = least significant; None = the whole register is 0 or 1.
        methods: OPC UA method nodes called for a write of True and of False (start, stop); empty = plain write.
        deadband: the history may be off by this much [tag unit]; 0 = every change is kept.
        step: smallest change the wire can carry [tag unit]; the read-back of a write must lie within half of it.
    """

    name: str
    station: str
    title: Text
    unit: str
    type: DataType
    address: str
    alias: str = ""
    low: float = -math.inf
    high: float = math.inf
    scale: float = 1.0
    offset: float = 0.0
    bit: int | None = None
    writable: bool = False
    methods: tuple[str, str] | tuple[()] = ()
    choices: tuple[tuple[int, str], ...] = ()
    deadband: float = 0.0
    step: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        step = abs(self.scale)
        if self.type.is_float:
            largest = max(abs(self.high) if math.isfinite(self.high) else 1.0, 1.0)
            step = largest * (2.0**-23 if self.type is DataType.FLOAT32 else 2.0**-50)
        object.__setattr__(self, "step", step)


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to change one tag. Only the gate can grant it.

    Attributes:
        who: person or part of the program (``operator:li``, ``loop:TIC-303``, ``recipe``, ``guard``, ``system``).
        expected: what the asker saw as the present value; if given and no longer true, the command is refused.
    """

    tag: str
    value: Value
    who: str
    reason: str = ""
    expected: Value | None = None

    @property
    def source(self) -> str:
        """Which kind of asker: operator, loop, recipe, guard or system."""
        return self.who.split(":", 1)[0]


class Outcome(StrEnum):
    CONFIRMED = "confirmed"  # written and read back
    REFUSED = "refused"  # a rule said no; nothing was written
    FAILED = "failed"  # written, but not read back as asked, or the device refused


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command. Every receipt is journalled.

    Attributes:
        reason_zh: the reason in Chinese, where whoever refused knows it; "" = only in English.
    """

    command: Command
    outcome: Outcome
    time: float
    reason: str = ""
    readback: Value | None = None
    old: Value | None = None
    reason_zh: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.CONFIRMED


class Severity(Enum):
    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a line in the record.

    Attributes:
        kind: stable machine word, dotted: ``link.down``, ``link.up``, ``run.state``, ``guard.divert``.
        source: station, loop, run or tag it is about.
        text: one sentence for a person.
        active: for alarms: True when it begins, False when it ends; None for a plain event.
    """

    time: float
    kind: str
    source: str
    text: str
    severity: Severity = Severity.INFO
    active: bool | None = None
    data: dict[str, Any] = field(default_factory=dict)
