"""The fault library: every trouble is a small named function whose docstring says what a technician would see.

A fault function changes one cabinet and returns how to undo it, or None when there is nothing to undo. To add one,
write the function and put it into ``LIBRARY``; the command line, the tests and the control channel then know it.

Written form: ``NAME:STATION[:ARGUMENT][@START[+DURATION]]``, START and DURATION in plant seconds;
without START at once, without DURATION until cleared.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from simulator.plc import Answer, Plc

_log = logging.getLogger(__name__)
Undo = Callable[[], Awaitable[None]] | None


class Plug(Protocol):
    """The connection of a PLC to the world; see ``simulator.gate.Gate``."""

    is_silent: bool

    async def open(self) -> None: ...
    def close(self) -> None: ...
    def cut(self) -> None: ...


class Face(Protocol):
    """What faults can reach of what stands in front of a PLC."""

    refusing: int

    @property
    def gate(self) -> Plug: ...

    def failure_code(self, text: str) -> int:
        """The protocol's own number for this failure; "" = its usual one. Raises ValueError."""
        ...


class Target(Protocol):
    """A cabinet as faults see it."""

    @property
    def plc(self) -> Plc: ...
    @property
    def face(self) -> Face: ...


class FaultError(ValueError):
    """A fault cannot be read or does not fit this line; the text says what is accepted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned trouble. ``start_s`` and ``end_s`` are plant times [s]."""

    name: str
    station: str
    argument: str = ""
    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def key(self) -> str:
        """What ``clear`` names."""
        return ":".join(part for part in (self.name, self.station, self.argument) if part)


def nan(target: Target, argument: str) -> Undo:
    """A wire breaks at the terminal: the transmitter is gone and the PLC shows no value.

    A float register shows NaN, an integer one its bad code, OPC UA Null with BadSensorFailure. The PLC's own
    interlocks see no value either.
    """
    return _override(target, argument, lambda _value: math.nan)


def stuck(target: Target, argument: str) -> Undo:
    """The reading freezes: crust on the probe, or a transmitter in simulation mode someone forgot.

    The value stays plausible, GOOD and perfectly still; even its noise is gone.
    """
    still = target.plc.value(_tag(target, argument))
    return _override(target, argument, lambda _value: still)


def offset(target: Target, argument: str) -> Undo:
    """The instrument reads wrong by a constant: a calibration done with the wrong sample, a shifted zero.

    Argument ``TAG=VALUE``, VALUE in the tag's unit. It moves and looks healthy; only a second opinion shows it.
    """
    name, value = _assignment(target, argument)
    return _override(target, name, lambda true: true + value)


def exception(target: Target, argument: str) -> Undo:
    """The PLC answers, but only with a failure: program stopped, memory card out, firmware being loaded.

    Every Modbus request gets exception 4 (or the code given), every OPC UA value BadDeviceFailure. The network lights
    blink as ever, and a ping is answered.
    """
    target.face.refusing = target.face.failure_code(argument)

    async def undo() -> None:
        target.face.refusing = 0

    return undo


def silent(target: Target, _argument: str) -> Undo:
    """The communication card hangs: connections are accepted and stay open, and nothing is ever answered.

    What was asked meanwhile is lost, not answered late. The PLC program itself runs on, misses the heartbeat and trips.
    """
    target.face.gate.is_silent = True

    async def undo() -> None:
        target.face.gate.is_silent = False

    return undo


def refuse(target: Target, _argument: str) -> Undo:
    """Somebody pulled the plug of the communication card: connections break and new ones are refused.

    The PLC program itself runs on, misses the heartbeat and trips.
    """
    target.face.gate.close()
    return target.face.gate.open


def reboot(target: Target, _argument: str) -> Undo:
    """The cabinet loses power for a moment: connections break, all registers come back as after a cold start.

    The start number is one up, the sequence counter starts again, outputs are safe and the station does not run. With a
    duration the cabinet stays dark that long.
    """
    target.face.gate.close()
    target.plc.reboot()

    return target.face.gate.open


def ignore_writes(target: Target, _argument: str) -> Undo:
    """The key switch on the cabinet is turned to LOCAL: writes are acknowledged and change nothing.

    Only a read-back shows it. Heartbeat and owner are still taken, so the watchdog stays content.
    """
    target.plc.ignore_writes = True

    async def undo() -> None:
        target.plc.ignore_writes = False

    return undo


def external_write(target: Target, argument: str) -> Undo:
    """Someone at the local panel changes a set point behind the controller's back.

    Argument ``TAG=VALUE``, VALUE in the tag's unit. The register simply shows another value than the one last written
    over the wire; nothing else tells.
    """
    name, value = _assignment(target, argument)
    if (answer := target.plc.write(name, value)) is not Answer.DONE:
        _log.warning("external-write %s: the PLC says %s", argument, answer.value)
    return None


LIBRARY: Mapping[str, Callable[[Target, str], Undo]] = {
    "nan": nan,
    "stuck": stuck,
    "offset": offset,
    "exception": exception,
    "silent": silent,
    "refuse": refuse,
    "reboot": reboot,
    "ignore-writes": ignore_writes,
    "external-write": external_write,
}
_NEED_TAG = frozenset({"nan", "stuck"})
_NEED_VALUE = frozenset({"offset", "external-write"})
_AT_ONCE = frozenset({"reboot", "external-write"})  # over as soon as begun, unless a duration is given


def read_fault(text: str, targets: Mapping[str, Target]) -> Fault:
    """Read one fault as written on the command line and see that this line can have it.

    Raises:
        FaultError: it cannot be read, or names a station, tag or number that is not there.
    """
    what, _, when = text.strip().partition("@")
    name, _, rest = what.partition(":")
    station, _, argument = rest.partition(":")
    if name not in LIBRARY:
        raise FaultError(f"fault {text!r}: {name!r} is not known (known: {', '.join(LIBRARY)})")
    if station not in targets:
        raise FaultError(f"fault {text!r}: station {station!r} is not on this line (it has: {', '.join(targets)})")
    try:
        start, _, duration = when.partition("+")
        start_s = float(start) if start else 0.0
        end_s = start_s + float(duration) if duration else math.inf
        if name in _NEED_TAG:
            _tag(targets[station], argument)
        elif name in _NEED_VALUE:
            _assignment(targets[station], argument)
        elif name == "exception":
            targets[station].face.failure_code(argument)
    except ValueError as error:
        raise FaultError(f"fault {text!r}: {error}") from error
    return Fault(name, station, argument, start_s, end_s)


class FaultBoard:
    """Begins and ends faults on their time. ``clear`` and ``begin`` may be called at any time between scans."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._planned: list[Fault] = []
        self._active: dict[str, tuple[Fault, Undo]] = {}

    def plan(self, faults: Iterable[Fault]) -> None:
        self._planned.extend(faults)

    async def advance(self, plant_time_s: float) -> None:
        """Begin and end what is due at this plant time [s]."""
        if self._planned:
            due = [fault for fault in self._planned if fault.start_s <= plant_time_s]
            self._planned = [fault for fault in self._planned if fault.start_s > plant_time_s]
            for fault in due:
                await self.begin(fault)
        over = [key for key, (fault, _) in self._active.items() if fault.end_s <= plant_time_s]
        for key in over:
            await self.clear(key)

    async def begin(self, fault: Fault) -> None:
        """Begin now, whatever its start time says."""
        await self.clear(fault.key)
        _log.warning("fault begins: %s", fault.key)
        undo = LIBRARY[fault.name](self._targets[fault.station], fault.argument)
        if fault.name not in _AT_ONCE or math.isfinite(fault.end_s):
            self._active[fault.key] = (fault, undo)
        elif undo is not None:
            await undo()

    async def clear(self, key: str) -> bool:
        """End one fault, or ``all``; also forgets what is only planned. False when there was none of that name."""
        planned = [fault for fault in self._planned if key in (fault.key, "all")]
        self._planned = [fault for fault in self._planned if fault not in planned]
        keys = list(self._active) if key == "all" else [key] * (key in self._active)
        for each in keys:
            _, undo = self._active.pop(each)
            if undo is not None:
                await undo()
            _log.warning("fault ends: %s", each)
        return bool(keys or planned)


def _tag(target: Target, name: str) -> str:
    if name not in target.plc.points:
        raise ValueError(f"tag {name!r} is not at this station (it has: {', '.join(target.plc.points)})")
    return name


def _assignment(target: Target, text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not accepted (accepted: TAG=VALUE)")
    return _tag(target, name), float(value)


def _override(target: Target, name: str, override: Callable[[float], float]) -> Undo:
    overrides = target.plc.overrides
    overrides[name] = override

    async def undo() -> None:
        if overrides.get(name) is override:
            del overrides[name]

    return undo
