"""Addresses as people write them, turned into what goes on the wire. Pure.

A brand says how its addresses read by a list of areas: a prefix, the first and last number, and the wire register of
the first one. Maps in several pieces (Delta DVP) are several areas with one prefix. Wire registers count from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol


class Table(StrEnum):
    """The four tables of Modbus."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def is_bits(self) -> bool:
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def is_writable(self) -> bool:
        return self in (Table.COIL, Table.HOLDING)


class Wire(NamedTuple):
    """A place on Modbus.

    Attributes:
        table: one of the four.
        register: register or coil as it goes on the wire, 0..65535.
        left: registers from here to the end of its area, this one counted; a value must not reach beyond.
    """

    table: Table
    register: int
    left: int


class AddressArea(Protocol):
    """What ``locate`` must know of an area."""

    @property
    def prefix(self) -> str: ...
    @property
    def table(self) -> Table: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def wire(self) -> int: ...
    @property
    def radix(self) -> int: ...
    @property
    def digits(self) -> tuple[int, ...]: ...


class AddressError(ValueError):
    """An address no area accepts; ``accepted`` says what would be."""

    def __init__(self, message: str, accepted: str) -> None:
        super().__init__(message)
        self.accepted = accepted


_DIGITS = {8: re.compile(r"[0-7]{1,7}"), 10: re.compile(r"[0-9]{1,7}"), 16: re.compile(r"[0-9A-Fa-f]{1,6}")}
_NODE = re.compile(r"(?:s=[^\x00-\x1f]{1,200}|i=[0-9]{1,10}|g=[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")
NODE_FORMS = 's=Name, i=number or g=guid, without "ns="'


def locate(address: str, areas: Sequence[AddressArea]) -> Wire:
    """Where a Modbus address lies.

    Letters may be of either case. Raises AddressError when no area accepts the address.
    """
    for area in areas:
        number = number_in(address, area)
        if number is not None and area.first <= number <= area.last:
            return Wire(area.table, area.wire + number - area.first, area.last - number + 1)
    raise AddressError(f"the address {address[:40]!r} lies in no area of the brand", areas_text(areas))


def number_in(address: str, area: AddressArea) -> int | None:
    """The number behind the prefix as the area writes it; None when the notation is another one."""
    if address[: len(area.prefix)].casefold() != area.prefix.casefold():
        return None
    digits = address[len(area.prefix) :]
    if not _DIGITS[area.radix].fullmatch(digits) or (area.digits and len(digits) not in area.digits):
        return None
    return int(digits, area.radix)


def notation(area: AddressArea, number: int) -> str:
    """The address of one number of an area, in the area's own notation."""
    code = {8: "o", 10: "d", 16: "X"}[area.radix]
    text = format(number, code)
    wanted = [width for width in area.digits if width >= len(text)]
    if area.digits and not wanted:
        raise ValueError(f"{number} does not fit in {area.digits} digits")
    return area.prefix + (text.zfill(min(wanted)) if wanted else text)


def areas_text(areas: Sequence[AddressArea]) -> str:
    """The areas for a person: ``D0..D4095, X0..X377``."""
    return ", ".join(f"{_end(area, area.first)}..{_end(area, area.last)}" for area in areas)


def _end(area: AddressArea, number: int) -> str:
    try:
        return notation(area, number)
    except ValueError:
        return area.prefix + "9" * max(area.digits)


def check_node(address: str) -> None:
    """Accept an OPC UA identifier without namespace index. Raises AddressError."""
    if address.startswith("ns="):
        raise AddressError(
            "the namespace index is not written down: servers change it, it is looked up by its URI", NODE_FORMS
        )
    if not _NODE.fullmatch(address):
        raise AddressError(f"{address[:40]!r} is not an OPC UA node identifier", NODE_FORMS)
