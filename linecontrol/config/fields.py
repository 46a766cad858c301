"""The words all files share: strict scalars, names, texts in two languages, units."""

from __future__ import annotations

import difflib
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from linecontrol.core.model import Text, Value


class Row(BaseModel):
    """A mapping in a file. Unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)


def _scalar(value: Any) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "must be a finite number")
    if isinstance(value, (bool, int, float, str)):
        return value
    raise PydanticCustomError("scalar", "must be a number, true or false, or a text")


NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
SLUG = r"^[a-z0-9][a-z0-9-]{0,59}$"
ALIAS = r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,59}){0,3}$"
TARGET = r"^[A-Za-z][A-Za-z0-9_-]{0,39}(\.SP)?$"
PATTERNS = {
    NAME: "letters, digits, - and _, first a letter, up to 40",
    SLUG: "small letters, digits and -, up to 60",
    ALIAS: "small letters, digits and _, parts joined by dots, as drying.inlet_air_temp",
    TARGET: "a tag, or the set point of another loop as TIC-303.SP",
}

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[str, Field(pattern=NAME)]
Slug = Annotated[str, Field(pattern=SLUG)]
Alias = Annotated[str, Field(pattern=ALIAS)]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=2000)]
Scalar = Annotated[
    Value,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["number", "boolean", "string"]}),
]
Pair = tuple[Number, Number]
Register = Annotated[int, Field(strict=True, ge=0, le=65535)]
WordOrder = Literal["high_first", "low_first"]
ByteOrder = Literal["big", "little"]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.05, le=3600)]


class Bilingual(Row):
    """A text in both languages of the house."""

    en: Line
    zh: Line

    def text(self) -> Text:
        return Text(self.en, self.zh)


UNITS: tuple[str, ...] = (
    *("", "%", "% wb", "% db", "ppm", "pH", "NTU", "pcs"),
    *("g", "kg", "t", "g/s", "kg/s", "kg/min", "kg/h", "t/h"),
    *("L", "m3", "L/s", "L/min", "L/h", "m3/s", "m3/h", "kg/m3", "g/m3", "g/L", "1/cm2"),
    *("°C", "K", "Pa", "hPa", "kPa", "MPa", "mbar", "bar"),
    *("mA", "A", "mV", "V", "W", "kW", "kVA", "Wh", "kWh", "MWh", "J", "kJ", "MJ", "kJ/kg", "Hz"),
    *("rpm", "N", "Nm", "µm", "mm", "cm", "m", "mm/s", "m/s", "°"),
    *("ms", "s", "min", "h", "d", "1/s", "1/min", "1/h", "µS/cm", "mS/cm", "W/m2", "kg/kg", "g/kg"),
)
_ALSO = {
    word: unit
    for unit, words in {
        "°C": ("degc", "deg c", "c", "℃", "celsius"),
        "K": ("kelvin",),
        "m3": ("m³", "m^3"),
        "m3/h": ("m³/h", "m^3/h"),
        "kg/m3": ("kg/m³", "kg/m^3"),
        "% wb": ("%wb", "wb", "wb%"),
        "%": ("percent", "pct", "％"),
        "rpm": ("r/min", "1/min", "u/min"),
        "s": ("sec", "seconds"),
        "h": ("hour", "hours"),
        "kg": ("公斤", "kgs"),
        "t": ("ton", "tons"),
        "L": ("liter", "litre"),
        "A": ("amp", "ampere"),
        "V": ("volt",),
    }.items()
    for word in words
}


def unit_problem(unit: str) -> tuple[str, str] | None:
    """What is wrong with a unit, and what is accepted; None when it is one of UNITS."""
    if unit in UNITS:
        return None
    low = unit.strip().casefold()
    near = [_ALSO[low]] if low in _ALSO else []
    near += [known for known in UNITS if known and known.casefold() == low and known not in near]
    near += [u for u in difflib.get_close_matches(unit, [u for u in UNITS if u], 3, 0.6) if u not in near]
    accepted = ", ".join(near) if near else ", ".join(u or '""' for u in UNITS)
    return f"the unit {unit[:20]!r} is not known", accepted


def near_names(name: str, known: list[str]) -> str:
    """Names for the 'accepted' part of a message: the nearest ones, else the first of all."""
    known = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, known, 3, 0.6)
    if close:
        return ", ".join(close)
    return ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
