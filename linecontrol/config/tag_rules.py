"""Rules for one tag or known register, whatever file it stands in. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

from linecontrol.config.address import AddressError, Wire, check_node, locate
from linecontrol.config.brand import Brand
from linecontrol.config.fields import unit_problem
from linecontrol.config.station import Probe
from linecontrol.core.model import DataType, Tag, Value


class Finding(NamedTuple):
    """Something wrong with a key of a row."""

    key: str
    message: str
    accepted: str = ""


_INTEGERS = (DataType.INT16, DataType.UINT16, DataType.INT32, DataType.UINT32)


def tag_findings(tag: Tag, brand: Brand | None) -> Iterator[Finding]:
    """Everything wrong with a tag by itself. Places are judged only when the brand is known."""
    unit = unit_problem(tag.unit)
    if unit is not None:
        yield Finding("unit", *unit)
    yield from _range_findings(tag)
    yield from _choice_findings(tag)
    yield from _deadband_findings(tag)
    if brand is None:
        return
    if brand.protocol == "opcua":
        yield from _opcua_findings(tag)
    else:
        yield from _modbus_findings(tag, brand)


def _deadband_findings(tag: Tag) -> Iterator[Finding]:
    if tag.deadband == 0.0:
        return
    if tag.type in (DataType.BOOL, DataType.STRING):
        yield Finding("deadband", f"a {tag.type} has no deadband", "leave it out")
    elif math.isfinite(tag.high - tag.low) and tag.deadband > 0.05 * (tag.high - tag.low):
        most = 0.05 * (tag.high - tag.low)
        yield Finding("deadband", f"{tag.deadband:g} {tag.unit} hides more than 5 % of the range", f"0 to {most:g}")


def wire_of(tag: Tag, brand: Brand) -> Wire | None:
    """Where the tag lies on Modbus; None when its address is wrong or the brand speaks OPC UA."""
    if brand.protocol != "modbus":
        return None
    try:
        return locate(tag.address, brand.areas)
    except AddressError:
        return None


def _range_findings(tag: Tag) -> Iterator[Finding]:
    if tag.type in (DataType.BOOL, DataType.STRING):
        if tag.scale != 1.0 or tag.offset != 0.0:
            yield Finding("scale", f"a {tag.type} has no scale or offset", "leave them out")
        if tag.type is DataType.STRING and math.isfinite(tag.low):
            yield Finding("range", "a string has no range", "leave it out")
        return
    if tag.scale == 0.0:
        yield Finding("scale", "a scale of 0 makes every reading the same", "any other number")
        return
    if not tag.low < tag.high:
        yield Finding("range", f"the range {tag.low:g} to {tag.high:g} is empty", "[low, high] with low below high")
        return
    if not (math.isfinite(tag.low) and math.isfinite(tag.high)):
        return
    raw = sorted(((tag.low - tag.offset) / tag.scale, (tag.high - tag.offset) / tag.scale))
    least, most = tag.type.limits
    slack = 1e-9 * max(abs(raw[0]), abs(raw[1]))
    if raw[0] < least - slack or raw[1] > most + slack:
        low, high = sorted((least * tag.scale + tag.offset, most * tag.scale + tag.offset))
        yield Finding(
            "range",
            f"the range {tag.low:g} to {tag.high:g} does not fit in {tag.type} with scale {tag.scale:g}",
            f"{low:g} to {high:g}, or another type or scale",
        )


def _choice_findings(tag: Tag) -> Iterator[Finding]:
    if not tag.choices:
        return
    if tag.type not in _INTEGERS:
        yield Finding("choices", f"a {tag.type} has no choices", "int16, uint16, int32 or uint32")
        return
    words = [word for _, word in tag.choices]
    for number, word in tag.choices:
        if not tag.low <= number <= tag.high:
            yield Finding("choices", f"the choice {number} lies outside the range", f"{tag.low:g} to {tag.high:g}")
        elif words.count(word) > 1:
            yield Finding("choices", f"the choice {word!r} is given twice", "a word of its own for each number")
            return


def _opcua_findings(tag: Tag) -> Iterator[Finding]:
    if tag.bit is not None:
        yield Finding("bit", "an OPC UA node has no bits", "leave it out")
    for key, address in (("address", tag.address), *(("methods", node) for node in tag.methods)):
        try:
            check_node(address)
        except AddressError as error:
            yield Finding(key, str(error), error.accepted)
    if tag.methods and not (tag.writable and tag.type is DataType.BOOL):
        yield Finding("methods", "methods stand for writing true and false", "a writable tag of type bool")


def _modbus_findings(tag: Tag, brand: Brand) -> Iterator[Finding]:
    if tag.methods:
        yield Finding("methods", "Modbus has no methods", "leave them out")
    if tag.type is DataType.STRING:
        yield Finding("type", "a string cannot be read over Modbus here", "a number or bool")
        return
    try:
        wire = locate(tag.address, brand.areas)
    except AddressError as error:
        yield Finding("address", str(error), error.accepted)
        return
    yield from _table_findings(tag, wire)
    words = tag.type.words
    if words > wire.left:
        yield Finding(
            "address",
            f"{tag.type} at {tag.address} needs {words} registers and crosses the end of its area",
            f"an address with {words - 1} more behind it",
        )
        return
    for run in brand.forbidden:
        if run.holds(wire.table, wire.register, words) and (run.access == "any" or tag.writable):
            what = "used" if run.access == "any" else "written"
            yield Finding("address", f"{tag.address} must not be {what}: {run.why}", "another address")


def _table_findings(tag: Tag, wire: Wire) -> Iterator[Finding]:
    if wire.table.is_bits and tag.type is not DataType.BOOL:
        yield Finding("type", f"{tag.address} is a single bit ({wire.table})", "bool")
    if wire.table.is_bits and tag.bit is not None:
        yield Finding("bit", f"{tag.address} is a single bit already ({wire.table})", "leave it out")
    elif tag.bit is not None and tag.type is not DataType.BOOL:
        yield Finding("bit", f"a {tag.type} is not a bit of a register", "type bool, or no bit")
    if tag.writable and not wire.table.is_writable:
        yield Finding(
            "writable", f"{tag.address} is read-only ({wire.table})", "false, or an address that can be written"
        )


def probe_findings(tag: Tag, probe: Probe, brand: Brand | None) -> Iterator[Finding]:
    """What is wrong with a probe: it must be able to tell a good reading from a swapped one."""
    if tag.type in (DataType.BOOL, DataType.STRING):
        yield Finding("probe", f"a {tag.type} has no probe", "a number")
        return
    if (probe.equals is None) == (probe.between is None):
        yield Finding("probe", "a probe is one thing", "{equals: number} or {between: [low, high]}")
        return
    if probe.between is not None:
        low, high = probe.between
        if not low < high:
            yield Finding("probe.between", f"{low:g} to {high:g} is empty", "[low, high] with low below high")
        elif high < tag.low or low > tag.high:
            yield Finding("probe.between", "lies outside the range", f"within {tag.low:g} to {tag.high:g}")
        return
    constant = probe.equals
    if constant is None:
        return
    if not tag.low <= constant <= tag.high:
        yield Finding("probe.equals", f"{constant:g} lies outside the range", f"{tag.low:g} to {tag.high:g}")
    elif brand is not None and brand.protocol == "modbus" and not _shows_word_order(tag, constant):
        message = f"{constant:g} reads the same with its words swapped, so it shows nothing"
        yield Finding("probe.equals", message, "another constant, as 1234.5")


def _shows_word_order(tag: Tag, constant: float) -> bool:
    """True unless the constant lies in two equal halves on the wire. One-word types have no word order."""
    if tag.type.words == 1 or tag.scale == 0.0:
        return True
    raw = (constant - tag.offset) / tag.scale
    code = {"int32": ">i", "uint32": ">I", "float32": ">f", "float64": ">d"}[tag.type.value]
    try:
        octets = struct.pack(code, raw if tag.type.is_float else round(raw))
    except (struct.error, OverflowError):
        return True  # the range rule has spoken
    words = [octets[i : i + 2] for i in range(0, len(octets), 2)]
    return words != words[::-1]


def value_finding(tag: Tag, value: Value) -> tuple[str, str] | None:
    """What is wrong with writing ``value`` to the tag, and what is accepted."""
    shown = str(value).lower() if isinstance(value, bool) else str(value)[:30]
    if tag.type is DataType.BOOL:
        return None if isinstance(value, bool) else (f"{shown} is not a switch value", "true or false")
    if tag.type is DataType.STRING:
        return None if isinstance(value, str) else (f"{shown} is not a text", "a text")
    if isinstance(value, (bool, str)):
        return f"{shown} is not a number", f"{tag.low:g} to {tag.high:g}"
    if tag.choices and value not in [number for number, _ in tag.choices]:
        return f"{shown} is none of the choices", ", ".join(f"{number} ({word})" for number, word in tag.choices)
    if not tag.low <= value <= tag.high:
        return f"{shown} lies outside the range", f"{tag.low:g} to {tag.high:g} {tag.unit}".rstrip()
    return None
