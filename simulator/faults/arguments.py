"""What may stand behind a fault's place. Each reads its text and says in every error what is accepted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from simulator.faults.scene import Scene
from simulator.modbus_pdu import ExceptionCode


class Argument(Protocol):
    """The argument of one kind of fault."""

    @property
    def form(self) -> str:
        """How it is written behind the place, as ``[:SECONDS]``; "" = there is none."""
        ...

    @property
    def meaning(self) -> str:
        """Unit, default and range in words."""
        ...

    def read(self, text: str, scene: Scene) -> Any:
        """Raises ValueError naming what is accepted."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """No argument."""

    form: str = ""
    meaning: str = ""

    def read(self, text: str, _scene: Scene) -> None:
        if text:
            raise ValueError(f"argument {text!r} is not accepted (it takes none)")


@dataclass(frozen=True, slots=True)
class ModbusOnly:
    """No argument, and no station on OPC UA."""

    form: str = ""
    meaning: str = "only of a station on Modbus"

    def read(self, text: str, scene: Scene) -> None:
        Nothing().read(text, scene)
        if not scene.target.plc.station.is_modbus:
            able = [name for name, cabinet in scene.site.cabinets.items() if cabinet.plc.station.is_modbus]
            raise ValueError(f"{scene.place} has no words to swap (accepted: {', '.join(able) or 'no station here'})")


@dataclass(frozen=True, slots=True)
class Number:
    """A number with a default."""

    name: str
    unit: str
    default: float
    low: float
    high: float

    @property
    def form(self) -> str:
        return f"[:{self.name}]"

    @property
    def meaning(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} {self.low:g}..{self.high:g}{unit}, {self.default:g} if left out"

    def read(self, text: str, _scene: Scene) -> float:
        value = _number(text) if text else self.default
        if not self.low <= value <= self.high:
            raise ValueError(f"argument {text!r} is not accepted (accepted: {self.meaning})")
        return value


@dataclass(frozen=True, slots=True)
class Stamped(Number):
    """A number with a default, and only a station whose values carry time stamps."""

    @property
    def meaning(self) -> str:
        return f"only of a station on OPC UA; {Number.meaning.__get__(self)}"

    def read(self, text: str, scene: Scene) -> float:
        if not scene.target.wire.has_stamps:
            able = [name for name, cabinet in scene.site.cabinets.items() if cabinet.wire.has_stamps]
            raise ValueError(
                f"{scene.place} is on Modbus, which carries no time stamps: nobody can see its clock "
                f"(accepted: {', '.join(able) or 'no station here'})"
            )
        return Number.read(self, text, scene)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the station."""

    form: str = ":TAG"
    meaning: str = "a tag of the station"

    def read(self, text: str, scene: Scene) -> str:
        points = scene.target.plc.points
        if text not in points:
            raise ValueError(f"tag {text!r} is not at this station (it has: {', '.join(points)})")
        return text


@dataclass(frozen=True, slots=True)
class TagValue:
    """A tag of the station and a number."""

    name: str = "VALUE"
    unit: str = "in the tag's unit"
    low: float = -math.inf
    high: float = math.inf

    @property
    def form(self) -> str:
        return f":TAG={self.name}"

    @property
    def meaning(self) -> str:
        bounds = f" {self.low:g}..{self.high:g}" if math.isfinite(self.low) else ""
        return f"{self.name}{bounds} {self.unit}"

    def read(self, text: str, scene: Scene) -> tuple[str, float]:
        name, equals, written = text.partition("=")
        if not equals:
            raise ValueError(f"argument {text!r} is not accepted (accepted: TAG={self.name})")
        tag, value = Tag().read(name, scene), _number(written)
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise ValueError(f"argument {text!r} is not accepted (accepted: {self.meaning})")
        return tag, value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words, the first if left out."""

    words: Mapping[str, str]

    @property
    def form(self) -> str:
        return f"[:{'|'.join(self.words)}]"

    @property
    def meaning(self) -> str:
        told = "; ".join(f"{word}: {what}" for word, what in self.words.items())
        return f"{told}; {next(iter(self.words))} if left out"

    def read(self, text: str, _scene: Scene) -> str:
        word = text or next(iter(self.words))
        if word not in self.words:
            raise ValueError(f"argument {text!r} is not accepted (accepted: {', '.join(self.words)})")
        return word


@dataclass(frozen=True, slots=True)
class FailureCode:
    """The number with which a device refuses."""

    form: str = "[:CODE]"
    meaning: str = "a Modbus exception code, 4 if left out; on OPC UA a bad status code, BadDeviceFailure if left out"

    def read(self, text: str, scene: Scene) -> int:
        target = scene.target
        if target.plc.station.is_modbus:
            codes = [str(int(code)) for code in ExceptionCode]
            if text and _whole(text) not in list(ExceptionCode):
                raise ValueError(f"argument {text!r} is not accepted (accepted: {', '.join(codes)})")
        elif text and not 0 < _whole(text) < 2**32:
            raise ValueError(f"argument {text!r} is not accepted (accepted: a status code, as 0x808B0000)")
        return target.face.failure_code(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _whole(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None
