"""The link to a simulated PLC in the same process: no socket, the same values, faults and errors as over a wire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import DataType, Status, Tag, Value
from linecontrol.links.codec import Convert, converter, encode, engineering
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
        self.refusing = 0

    def failure_code(self, text: str) -> int:
        """Any failure is the same here; the code only has to be a number."""
        return int(text, 0) if text else 4


class _Row(NamedTuple):
    name: str
    value: Callable[[], float]
    raw: Callable[[float], float] | None
    convert: Convert


class TwinLink:
    """See ``linecontrol.core.link.Link`` for the contract. Values go through the tag's own type, as on a wire.

    Args:
        timeout_s: how long a mute PLC is waited for [s].
    """

    def __init__(self, plc: Plc, face: TwinFace, tags: Collection[Tag], timeout_s: float) -> None:
        self.counters = LinkCounters()
        self.notices: Sequence[str] = ()
        self._plc = plc
        self._face = face
        self._timeout_s = timeout_s
        self._cuts = -1
        self._tags = {tag.name: tag for tag in tags}
        self._rows = {tag.name: _row(tag, plc) for tag in tags}
        self._all = list(self._rows.values())

    async def open(self) -> None:
        """Connect. Raises LinkDown when the plug is out; a mute PLC is found out by the first read."""
        if not self._face.gate.is_open:
            raise LinkDown(f"twin:{self._plc.station.name}: connection refused")
        self._cuts = self._face.gate.cuts
        self.counters.connects += 1

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        """Read these tags, or all. Raises LinkDown, LinkTimeout; KeyError for a name that is not on this link."""
        rows = self._all if names is None else [self._rows[name] for name in names]
        await self._request()
        self.counters.reads += 1
        if self._face.refusing:
            self.counters.exceptions += 1
            return dict.fromkeys((row.name for row in rows), Reading(None, Status.BAD_DEVICE_FAILURE))
        out: dict[str, Reading] = {}
        for name, value, raw, convert in rows:
            shown = value()
            if shown != shown:
                out[name] = _NO_VALUE
            else:
                out[name] = convert(raw(shown) if raw is not None else shown, None)
        return out

    def earlier(self) -> Sequence[dict[str, Reading]]:
        """Nothing: a twin is read, it does not report."""
        return ()

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once. Raises DeviceRefused, LinkDown, LinkTimeout, LinkError, KeyError as every link."""
        tag = self._tags[name]
        try:
            raw = encode(tag, value)
        except ValueError as error:
            raise LinkError(str(error)) from error
        await self._request()
        if self._face.refusing:
            self.counters.exceptions += 1
            raise DeviceRefused(f"twin:{self._plc.station.name}: {name}: device failure")
        number = float(raw) if isinstance(raw, (bool, str)) else engineering(tag, raw)
        answer = self._plc.write(name, number)
        if answer is not Answer.DONE and (answer is not Answer.NOT_NOW or tag.methods):
            self.counters.exceptions += 1
            raise DeviceRefused(f"twin:{self._plc.station.name}: {name} = {value} refused: {answer.value}")

    async def close(self) -> None:
        """Nothing is left behind."""
        self._cuts = -1

    async def _request(self) -> None:
        gate, self.counters.requests = self._face.gate, self.counters.requests + 1
        if self._cuts != gate.cuts:
            self._cuts = -1
            raise LinkDown(f"twin:{self._plc.station.name}: not connected")
        if gate.is_silent:
            await asyncio.sleep(self._timeout_s)
            self.counters.timeouts += 1
            self._cuts = -1
            raise LinkTimeout(f"twin:{self._plc.station.name}: no answer within {self._timeout_s:g} s")
        self.counters.answers += 1


def _row(tag: Tag, plc: Plc) -> _Row:
    source = plc.reader(tag.name)
    if tag.type is DataType.BOOL and tag.bit is not None:
        mask = 1 << tag.bit
        return _Row(tag.name, source, lambda value: mask if value > 0.5 else 0, converter(tag))
    if tag.type is DataType.BOOL:
        return _Row(tag.name, source, round, converter(tag))
    if tag.type.is_float and tag.scale == 1.0 and tag.offset == 0.0:
        return _Row(tag.name, source, None, converter(tag))
    scale, offset = tag.scale, tag.offset
    if tag.type.is_float:
        return _Row(tag.name, source, lambda value: (value - offset) / scale, converter(tag))
    low, high = tag.type.limits
    inverse = 1.0 / scale

    def whole(value: float) -> float:
        raw = round((value - offset) * inverse)
        return raw if low <= raw <= high else math.inf

    return _Row(tag.name, source, whole, converter(tag))
