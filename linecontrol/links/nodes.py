"""OPC UA nodes, as far as they are data: addresses, kinds of values, time stamps. Pure; knows no library."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from linecontrol.core.errors import ConfigError, LinkError
from linecontrol.core.link import Reading
from linecontrol.core.model import DataType, Status, Tag, Value
from linecontrol.links.codec import Convert

_KINDS: dict[DataType, tuple[type, ...]] = {
    DataType.BOOL: (bool,),
    DataType.FLOAT32: (float, int),
    DataType.FLOAT64: (float, int),
    DataType.STRING: (str,),
}
_WHOLE: dict[str, tuple[int, int]] = {
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
}


def kinds(tag: Tag) -> tuple[type, ...]:
    """Python types a value of this tag may come as; any other is BAD_TYPE_MISMATCH."""
    return _KINDS.get(tag.type, (int,))


def identifier(address: str, tag_name: str = "") -> str | int:
    """Identifier part of a node id written ``s=<text>`` or ``i=<number>``; ConfigError for anything else."""
    kind, _, rest = address.partition("=")
    if kind == "s" and rest:
        return rest
    if kind == "i" and rest.isdecimal() and int(rest) < 2**32:
        return int(rest)
    raise ConfigError(
        f"{tag_name}: node {address!r} is not accepted (accepted: s=<text> or i=<number>; the namespace is the "
        "station's, by URI, for its index changes)"
    )


def unix_seconds(stamp: datetime | None) -> float | None:
    """Seconds since 1970 UTC; None for no time, or one before 1970, which is how servers say they have none."""
    if stamp is None:
        return None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    seconds = stamp.timestamp()
    return seconds if seconds >= 0.0 else None


def odd_reading(raw: Any, accepted: tuple[type, ...], convert: Convert, code: int, seconds: float | None) -> Reading:
    """A Reading for anything but a plain good value of the right kind."""
    status = Status.from_code(code)
    if status >> 30 >= 2:
        return Reading(None, status, seconds)
    if raw is None:
        return Reading(None, Status.BAD_WAITING_FOR_INITIAL_DATA, seconds)
    if type(raw) not in accepted:
        return Reading(None, Status.BAD_TYPE_MISMATCH, seconds)
    reading = convert(raw, seconds)
    return reading._replace(status=status) if reading.status is Status.GOOD else reading


def cast(tag: Tag, value: Value, raw: Value, kind: str) -> Value:
    """The raw value as the node's own type; LinkError when it does not fit."""
    if (kind == "Boolean" and isinstance(raw, bool)) or (kind == "String" and isinstance(raw, str)):
        return raw
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        if kind == "Double" or (kind == "Float" and abs(raw) <= DataType.FLOAT32.limits[1]):
            return float(raw)
        if kind in _WHOLE and _WHOLE[kind][0] <= round(raw) <= _WHOLE[kind][1]:
            return round(raw)
    raise LinkError(f"{tag.name}: {value!r} cannot be written (the server's node is a {kind})")
