"""What a technician runs at a new cabinet: read every tag once, compare with what is expected, write nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linecontrol.config import Probe, StationConfig, Table
from linecontrol.core.errors import LinkError
from linecontrol.core.link import Reading
from linecontrol.core.model import DataType, Status, Tag
from linecontrol.line.links import link_for
from linecontrol.links.codec import ByteOrder, Order, RegisterDecoder, Slot, WordOrder


@dataclass(frozen=True, slots=True)
class Finding:
    """One tag as it was read. ``problem`` is empty when nothing looks wrong; ``hint`` says what may be the cause."""

    tag: Tag
    reading: Reading
    raw: str
    expected: str
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StationProbe:
    """What was found at one station. ``error``: it could not be read at all.

    ``notices``: what a person should know though it works, as a certificate that expires soon.
    """

    station: str
    endpoint: str
    findings: Sequence[Finding] = ()
    error: str = ""
    notices: Sequence[str] = ()

    @property
    def has_passed(self) -> bool:
        return not self.error and all(not finding.problem for finding in self.findings)


async def probe(station: StationConfig) -> StationProbe:
    """Connect once, read once, close."""
    try:
        readings, notices = await _read_once(station)
        raw = (await _read_once(_as_words(station)))[0] if station.wires else {}
    except LinkError as error:
        return StationProbe(station.name, station.endpoint.url, error=str(error))
    findings = []
    for tag in station.tags:
        words = [int(raw[name].value or 0) for name in _word_names(tag) if name in raw]
        findings.append(judge(tag, readings[tag.name], words, station.probes.get(tag.name)))
    return StationProbe(station.name, station.endpoint.url, findings, notices=notices)


async def _read_once(station: StationConfig) -> tuple[Mapping[str, Reading], Sequence[str]]:
    link = link_for(station)
    try:
        await link.open()
        return await link.read(), link.notices
    finally:
        await link.close()


def _word_names(tag: Tag) -> list[str]:
    return [f"{tag.name}#{index}" for index in range(tag.type.words)]


def _as_words(station: StationConfig) -> StationConfig:
    """The same station with every register as a plain number of its own, for the raw view."""
    tags, wires = [], {}
    for tag in station.tags:
        table, register = station.wires[tag.name]
        plain = DataType.BOOL if table in (Table.COIL, Table.DISCRETE) else DataType.UINT16
        for index, name in enumerate(_word_names(tag)):
            tags.append(Tag(name, tag.station, tag.title, "", plain, tag.address, low=0, high=65535))
            wires[name] = (table, register + index)
    brand = station.brand.model_copy(update={"byte_order": "big"})
    return replace(station, tags=tuple(tags), wires=wires, brand=brand)


def judge(tag: Tag, reading: Reading, words: Sequence[int], wanted: Probe | None) -> Finding:
    """Compare one reading with what the profile's probe expects. Pure."""
    shown = " ".join(f"{word:04x}" for word in words)
    problem = _problem(tag, reading, wanted)
    hint = ""
    if problem and len(words) > 1 and wanted is not None:
        for order, value in _by_order(tag, words):
            if _fits(value, wanted):
                hint = f"is {value:g} with word_order {order.word}, byte_order {order.byte}"
                break
    return Finding(tag, reading, shown, _expected(wanted), problem, hint)


def _by_order(tag: Tag, words: Sequence[int]) -> Iterator[tuple[Order, float]]:
    """The value in each of the four orders."""
    payload = struct.pack(f">{len(words)}H", *words)
    orders: list[tuple[WordOrder, ByteOrder]] = [
        ("high_first", "big"),
        ("low_first", "big"),
        ("high_first", "little"),
        ("low_first", "little"),
    ]
    for word, byte in orders:
        out: dict[str, Reading] = {}
        order = Order(word, byte)
        RegisterDecoder([Slot(tag, 0)], len(words), order).decode(payload, out)
        value = out[tag.name].value
        if isinstance(value, (int, float)):
            yield order, float(value)


def _problem(tag: Tag, reading: Reading, wanted: Probe | None) -> str:
    if reading.value is None:
        return (
            ""
            if wanted is None and reading.status is Status.BAD_SENSOR_FAILURE
            else f"no value ({reading.status.text})"
        )
    if wanted is None or isinstance(reading.value, str):
        return ""
    if not _fits(float(reading.value), wanted):
        return f"{float(reading.value):g} {tag.unit} is not {_expected(wanted)}".replace("  ", " ")
    return ""


def _fits(value: float, wanted: Probe) -> bool:
    if wanted.equals is not None:
        return abs(value - wanted.equals) <= 1e-4 * max(1.0, abs(wanted.equals))
    if wanted.between is not None:
        low, high = wanted.between
        return low <= value <= high
    return True


def _expected(wanted: Probe | None) -> str:
    if wanted is None:
        return ""
    if wanted.equals is not None:
        return f"{wanted.equals:g}"
    return f"{wanted.between[0]:g} to {wanted.between[1]:g}" if wanted.between is not None else ""


def rows(found: StationProbe) -> list[dict[str, Any]]:
    """For ``--json``."""
    return [
        {
            "tag": finding.tag.name,
            "alias": finding.tag.alias,
            "address": finding.tag.address,
            "raw": finding.raw,
            "value": finding.reading.value,
            "unit": finding.tag.unit,
            "status": finding.reading.status.text,
            "expected": finding.expected,
            "problem": finding.problem,
            "hint": finding.hint,
        }
        for finding in found.findings
    ]
