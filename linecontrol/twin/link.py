"""The link to a simulated PLC in the same process: no socket, the same values, faults and errors as over a wire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters, Reading, ReadingTable
from linecontrol.core.model import DataType, Status, Tag, Value
from linecontrol.links.codec import Convert, converter, encode, engineering, good_limits
from linecontrol.links.frames import exception
from simulator.encode import WireOrder
from simulator.encode import decode as from_words
from simulator.encode import encode as to_words
from simulator.faults import Wire
from simulator.plc import Answer, Plc

_NO_VALUE = Reading(None, Status.BAD_SENSOR_FAILURE)


class TwinGate:
    """The plug of a PLC without a socket: open, shut, or open and mute."""

    def __init__(self) -> None:
        self.is_silent = False
        self.is_open = True
        self.cuts = 0

    async def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False
        self.cut()

    def cut(self) -> None:
        """Break the connection there is; a new one may be made."""
        self.cuts += 1


class TwinFace:
    """What faults can reach of a PLC in the same process."""

    def __init__(self) -> None:
        self.gate = TwinGate()
        self.wire = Wire()
        self.refusing = 0

    def failure_code(self, text: str) -> int:
        """The code itself; what may be one, the fault has seen to."""
        return int(text, 0) if text else 4


class _Row(NamedTuple):
    """How a tag is read: from what its register shows over the raw number on the wire to a reading.

    Attributes:
        raw: what makes the raw number of what the register shows; None = it is that number.
        low, high: between these, both included, what the register shows is itself a GOOD value; NaN = never.
    """

    name: str
    raw: Callable[[float], float] | None
    convert: Convert
    low: float
    high: float

    def reading(self, shown: float) -> Reading:
        """``shown`` NaN: there is no value."""
        if shown != shown:
            return _NO_VALUE
        return self.convert(shown if self.raw is None else self.raw(shown), None)


class TwinLink:
    """See ``linecontrol.core.link.Link`` for the contract. Values go through the tag's own type, as on a wire.

    Args:
        timeout_s: how long an answer is waited for [s].
    """

    def __init__(self, plc: Plc, face: TwinFace, tags: Collection[Tag], timeout_s: float) -> None:
        self.counters = LinkCounters()
        self.notices: Sequence[str] = ()
        self._plc = plc
        self._face = face
        self._timeout_s = timeout_s
        self._cuts = self._era = -1
        self._lock = asyncio.Lock()
        self._device_s = 0.0
        self._order = plc.station.order  # as commissioned; a fault may change the device's
        self._tags = {tag.name: tag for tag in tags}
        self._rows = {tag.name: _row(tag) for tag in tags}
        # Whole numbers that go over the wire as they are, and what their type holds.
        whole = (DataType.INT16, DataType.UINT16, DataType.INT32, DataType.UINT32)
        self._counts = {
            tag.name: tag.type.limits for tag in tags if tag.type in whole and (tag.scale, tag.offset) == (1.0, 0.0)
        }
        self._all = list(self._rows.values())
        self._show = plc.reader(tuple(self._rows))
        self._places = {name: place for place, name in enumerate(self._rows)}
        count = len(self._all)
        self._before = [math.nan] * count  # what the registers showed last, and what was read in it: most registers
        self._values: list[Any] = [_NO_VALUE.value] * count  # stand still most of the time
        self._statuses = [_NO_VALUE.status] * count
        self._no_times = (None,) * count

    async def open(self) -> None:
        """Connect. Raises LinkDown when the plug is out; a mute PLC is found out by the first read."""
        if not self._face.gate.is_open:
            raise LinkDown(f"{self._place}: connection refused")
        self._cuts, self._era = self._face.gate.cuts, self._face.wire.era
        self.counters.connects += 1

    async def read(self, names: Collection[str] | None = None) -> Mapping[str, Reading]:
        """Read these tags, or all. Raises LinkDown, LinkTimeout; KeyError for a name that is not on this link."""
        rows = None if names is None else [self._rows[name] for name in names]
        if self._is_quick:
            self.counters.requests += 1
            refusing, out = self._face.refusing, self._answer(rows, names)
        else:
            async with self._lock:
                if self._is_asked_in_vain():
                    await self._wait_in_vain()
                refusing, out = self._face.refusing, self._answer(rows, names)
                if self._face.wire.delay_s > 0.0:
                    await self._come_late(self._face.wire.delay_s)
        self.counters.answers += 1
        self.counters.reads += not refusing
        self.counters.exceptions += bool(refusing)
        return out

    def _answer(self, rows: Sequence[_Row] | None, names: Collection[str] | None) -> Mapping[str, Reading]:
        """What the PLC says when it is asked to show these."""
        out = dict.fromkeys(names or self._rows, self._failed()) if self._face.refusing else self._shown(rows)
        return self._stamped(out) if self._face.wire.has_stamps else out

    def earlier(self) -> Sequence[Mapping[str, Reading]]:
        """Nothing: a twin is read, it does not report."""
        return ()

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once. Raises DeviceRefused, LinkDown, LinkTimeout, LinkError, KeyError as every link."""
        tag = self._tags[name]
        limits = self._counts.get(name)
        if limits is not None and value.__class__ is int and limits[0] <= value <= limits[1]:
            number = float(value)  # a heartbeat, as most writes are
        else:
            try:
                raw = encode(tag, value)
            except ValueError as error:
                raise LinkError(str(error)) from error
            number = float(raw) if isinstance(raw, (bool, str)) else engineering(tag, raw)
        if self._is_quick:
            self.counters.requests += 1
            refusal = self._write(tag, number)
        else:
            async with self._lock:
                if self._is_asked_in_vain():
                    await self._wait_in_vain()
                refusal = self._write(tag, number)
                if self._face.wire.delay_s > 0.0:
                    await self._come_late(self._face.wire.delay_s)
        self.counters.answers += 1
        if refusal:
            self.counters.exceptions += 1
            raise DeviceRefused(f"{self._place}: {name} = {value} refused: {refusal}")

    async def close(self) -> None:
        """Nothing is left behind."""
        self._cuts = -1

    @property
    def _place(self) -> str:
        return f"twin:{self._plc.station.name}"

    # -- one request
    @property
    def _is_quick(self) -> bool:
        """Whether an answer comes at once: nobody is waited for, so no other request can get between."""
        face = self._face
        gate, wire = face.gate, face.wire
        return (
            wire.delay_s <= 0.0
            and self._cuts == gate.cuts
            and self._era == wire.era
            and not (gate.is_silent or wire.is_gone)
            and not self._lock.locked()
        )

    def _is_asked_in_vain(self) -> bool:
        """Bring a request to the PLC; whether no answer will come. Raises LinkDown."""
        gate, wire = self._face.gate, self._face.wire
        self.counters.requests += 1
        if self._cuts != gate.cuts:
            self._cuts = -1
            raise LinkDown(f"{self._place}: not connected")
        return gate.is_silent or wire.is_gone or self._era != wire.era

    async def _come_late(self, delay_s: float) -> None:
        """Bring its answer back after a while, or not at all."""
        if delay_s >= self._timeout_s:
            await self._wait_in_vain()
        cuts, self._cuts = self._cuts, -1  # whoever goes away meanwhile leaves the connection closed
        await asyncio.sleep(delay_s)
        if cuts != self._face.gate.cuts:
            raise LinkDown(f"{self._place}: connection lost")
        self._cuts = cuts

    async def _wait_in_vain(self) -> None:
        try:
            await asyncio.sleep(self._timeout_s)
        finally:
            self._cuts = -1
        self.counters.timeouts += 1
        raise LinkTimeout(f"{self._place}: no answer within {self._timeout_s:g} s")

    def _shown(self, rows: Sequence[_Row] | None) -> Mapping[str, Reading]:
        """What these registers show, or all."""
        if self._is_rewired:
            return {row.name: self._rewired(row) for row in rows or self._all}
        if rows is not None:
            return {row.name: row.reading(self._plc.value(row.name)) for row in rows}
        shown, values, statuses = self._show(), self._values, self._statuses
        rows, good = self._all, Status.GOOD
        for place in compress(self._places.values(), map(ne, shown, self._before)):
            now, (_, raw, convert, low, high) = shown[place], rows[place]
            if low <= now <= high:
                values[place], statuses[place] = now, good
            elif now != now:
                values[place], statuses[place], _ = _NO_VALUE
            else:  # as ``reading`` does, without a call more for each
                values[place], statuses[place], _ = convert(now if raw is None else raw(now), None)
        self._before = shown
        return ReadingTable(self._places, (tuple(values), tuple(statuses), self._no_times))

    def _stamped(self, readings: Mapping[str, Reading]) -> Mapping[str, Reading]:
        """With the time that the device says it is."""
        wire = self._face.wire
        if not wire.is_clock_held:
            self._device_s = asyncio.get_running_loop().time() + wire.clock_ahead_s
        now_s = self._device_s
        if isinstance(readings, ReadingTable):
            values, statuses, _ = readings.columns
            return ReadingTable(self._places, (values, statuses, (now_s,) * len(values)))
        return {name: Reading(value, status, now_s) for name, (value, status, _) in readings.items()}

    def _failed(self) -> Reading:
        is_modbus = self._plc.station.is_modbus
        return Reading(None, exception(self._face.refusing)[0] if is_modbus else Status.BAD_DEVICE_FAILURE)

    def _write(self, tag: Tag, number: float) -> str:
        """Let the PLC have a value; returns why it refused, "" when it did not."""
        if self._face.refusing:
            return "device failure"
        if self._is_rewired:
            number = self._across(tag.name, number, self._order, self._plc.station.order)
        answer = self._plc.write(tag.name, number)
        is_taken = answer is Answer.DONE or (answer is Answer.NOT_NOW and not tag.methods)
        return "" if is_taken else answer.value

    # -- a device whose words lie in another order than they did
    @property
    def _is_rewired(self) -> bool:
        order = self._plc.station.order
        return order is not self._order and order != self._order

    def _rewired(self, row: _Row) -> Reading:
        shown = self._plc.value(row.name)
        if self._plc.points[row.name].words > 1:
            shown = self._across(row.name, shown, self._plc.station.order, self._order)
        return row.reading(shown) if math.isfinite(shown) else _NO_VALUE

    def _across(self, name: str, value: float, written: WireOrder, read: WireOrder) -> float:
        """The value that one side reads where the other wrote this one."""
        point = self._plc.points[name]
        return from_words(point.kind, to_words(point.kind, value, written, point.scaling), read, point.scaling)


def _row(tag: Tag) -> _Row:
    raw = _raw(tag)
    limits = good_limits(tag) if raw is None and tag.type.is_float else (math.nan, math.nan)
    return _Row(tag.name, raw, converter(tag), *limits)


def _raw(tag: Tag) -> Callable[[float], float] | None:
    """What makes the raw number on the wire of what the register shows; None = it is that number."""
    if tag.type is DataType.BOOL and tag.bit is not None:
        mask = 1 << tag.bit
        return lambda value: mask if value > 0.5 else 0
    if tag.type is DataType.BOOL:
        return round
    if tag.type.is_float and tag.scale == 1.0 and tag.offset == 0.0:
        return None
    scale, offset = tag.scale, tag.offset
    if tag.type.is_float:
        return lambda value: (value - offset) / scale
    low, high = tag.type.limits
    inverse = 1.0 / scale

    def whole(value: float) -> float:
        raw = round((value - offset) * inverse)
        return raw if low <= raw <= high else math.inf

    return whole
