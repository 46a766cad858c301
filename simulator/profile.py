"""Reads a line file with its station and brand files into plain records. Knows YAML, no wire and no physics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from simulator.encode import WORDS, Scaling, WireOrder
from simulator.yaml_text import load_yaml

MODBUS_SCHEMES = ("modbus-tcp", "modbus-rtu-tcp")
OPCUA_SCHEME = "opc.tcp"
_TABLES = ("coil", "discrete", "holding", "input")


class ProfileError(ValueError):
    """A line, station or brand file cannot be used; the text names the file and what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One tag of a station as the PLC offers it.

    Attributes:
        table, wire: Modbus table (coil, discrete, holding, input) and 0-based address; "" and -1 on OPC UA.
        node: OPC UA node id without namespace, e.g. ``s=Heater.TT-303``; "" on Modbus.
        low, high: engineering range [unit]; a client's write outside is refused.
        bit: bit of the register for a bool, 0 = least significant; None = the whole register.
        methods: OPC UA nodes (on, off), or ().
        choices: accepted whole numbers; empty = any in range.
        constant: what a probe expects to read here, if the profile says so.
    """

    name: str
    title: str
    unit: str
    kind: str
    table: str
    wire: int
    node: str
    low: float
    high: float
    scaling: Scaling
    bit: int | None
    writable: bool
    methods: tuple[str, str] | tuple[()]
    choices: frozenset[int]
    constant: float | None

    @property
    def words(self) -> int:
        """Registers (or coils) it takes."""
        return 1 if self.table in ("coil", "discrete") else WORDS[self.kind]

    def accepts(self, value: float) -> bool:
        """Whether a client may write this engineering value: a number, in range, one of the choices."""
        if not math.isfinite(value):
            return False
        slack = 1e-9 * max(1.0, abs(value))
        if not self.low - slack <= value <= self.high + slack:
            return False
        return not self.choices or (value == round(value) and round(value) in self.choices)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a station listens. ``unit`` is the Modbus unit id; ``path`` the OPC UA path with its slash."""

    scheme: str
    host: str
    port: int
    unit: int = 1
    path: str = ""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        tail = f"?unit={self.unit}" if self.scheme in MODBUS_SCHEMES else self.path
        return f"{self.scheme}://{host}:{self.port}{tail}"


@dataclass(frozen=True, slots=True)
class Station:
    """A simulated PLC: its tags, its brand's habits, where it listens.

    Attributes:
        heartbeat, owner, boot, alive: tag names with a part to play; "" = the station has none.
        heartbeat_timeout_s: longest real time between two changes of the heartbeat while it runs [s].
    """

    name: str
    endpoint: Endpoint
    points: tuple[Point, ...]
    heartbeat: str
    heartbeat_timeout_s: float
    owner: str
    boot: str
    alive: str
    order: WireOrder
    max_read_words: int
    max_write_words: int
    max_gap_words: int
    max_nodes_per_read: int
    namespace: str

    @property
    def is_modbus(self) -> bool:
        return self.endpoint.scheme in MODBUS_SCHEMES


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    stations: tuple[Station, ...]


def shipped_folder() -> Path:
    """The ``plc_profiles`` folder of this checkout, or the one inside the installed wheel."""
    root = Path(__file__).resolve().parents[1]
    here = root / "plc_profiles"
    return here if (here / "lines").is_dir() else root / "linecontrol" / "_data" / "plc_profiles"


def read_line(path: Path) -> Line:
    """Read a line file and everything it names.

    Station and brand files are looked up beside the line file's folder (``../stations``, ``../brands``), then among
    the shipped ones.

    Raises:
        ProfileError: a file is missing or unusable.
    """
    raw = _mapping(path)
    stations = raw.get("stations")
    if not isinstance(stations, Mapping) or not stations:
        raise ProfileError(f"{path}: stations is missing or empty")
    folders = (path.resolve().parent.parent, shipped_folder())
    return Line(
        name=str(raw.get("name", path.stem)),
        stations=tuple(_station(str(name), entry or {}, folders, path) for name, entry in stations.items()),
    )


def _station(name: str, entry: Mapping[str, Any], folders: Sequence[Path], line: Path) -> Station:
    file = _find("stations", str(entry.get("profile", name)), folders, line)
    raw = _mapping(file)
    brand_file = _find("brands", str(raw.get("brand", "")), folders, file)
    brand = _mapping(brand_file)
    habits = {**brand, **{key: raw[key] for key in raw if key in _OVERRIDABLE}}
    try:
        endpoint = read_endpoint(str(entry["endpoint"]))
        is_modbus = endpoint.scheme in MODBUS_SCHEMES
        if is_modbus != (brand.get("protocol") == "modbus"):
            raise ProfileError(f"{endpoint.scheme} does not fit brand {brand.get('name')} ({brand.get('protocol')})")
        return Station(
            name=name,
            endpoint=endpoint,
            points=tuple(_point(row, brand.get("areas", ()) if is_modbus else None) for row in raw["tags"]),
            heartbeat=str(raw.get("heartbeat", "")),
            heartbeat_timeout_s=float(raw.get("heartbeat_timeout_s", 5.0)),
            owner=str(raw.get("owner", "")),
            boot=str(raw.get("boot", "")),
            alive=str(raw.get("alive", "")),
            order=WireOrder(habits.get("word_order") == "low_first", habits.get("byte_order") == "little"),
            max_read_words=int(habits.get("max_read_words", 125)),
            max_write_words=int(habits.get("max_write_words", 123)),
            max_gap_words=int(habits.get("max_gap_words", 0)),
            max_nodes_per_read=int(habits.get("max_nodes_per_read", 1000)),
            namespace=str(habits.get("namespace", f"urn:simulator:{name}")),
        )
    except KeyError as missing:
        raise ProfileError(f"{file} (station {name} of {line}): {missing.args[0]} is missing") from None
    except (TypeError, ValueError) as error:
        raise ProfileError(f"{file} (station {name} of {line}): {error}") from error


_OVERRIDABLE = frozenset(
    {"word_order", "byte_order", "max_read_words", "max_write_words", "max_gap_words", "namespace"}
)


def _point(row: Mapping[str, Any], areas: Sequence[Mapping[str, Any]] | None) -> Point:
    name, kind, address = str(row["name"]), str(row["type"]), str(row["address"])
    if kind not in WORDS:
        raise ProfileError(f"tag {name}: type {kind!r} is not accepted (accepted: {', '.join(WORDS)})")
    table, wire = ("", -1) if areas is None else resolve_address(address, areas)
    scaling = Scaling(float(row.get("scale", 1.0)), float(row.get("offset", 0.0)))
    low, high = row.get("range") or ((0, 1) if kind == "bool" else (-math.inf, math.inf))
    methods = row.get("methods")
    probe = row.get("probe") or {}
    title = row.get("title", name)
    return Point(
        name=name,
        title=str(title.get("en", name) if isinstance(title, Mapping) else title),
        unit=str(row.get("unit", "")),
        kind=kind,
        table=table,
        wire=wire,
        node=address if areas is None else "",
        low=float(low),
        high=float(high),
        scaling=scaling,
        bit=None if row.get("bit") is None else int(row["bit"]),
        writable=bool(row.get("writable", False)) and table not in ("discrete", "input"),
        methods=(_either(methods, "on", True), _either(methods, "off", False)) if methods else (),
        choices=frozenset(int(key) for key in row.get("choices") or ()),
        constant=float(probe["equals"]) if "equals" in probe else None,
    )


def resolve_address(address: str, areas: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Table and 0-based wire address of a written address such as ``%MW10``, ``D4096``, ``X17`` or ``40001``.

    Each area is a piece ``first..last`` (as numbers, after reading the digits in the area's radix) that begins at
    ``wire``; a device's map may have several pieces for one prefix.

    Raises:
        ProfileError: no area holds it.
    """
    for area in sorted(areas, key=lambda area: -len(str(area["prefix"]))):
        prefix = str(area["prefix"])
        if not address.startswith(prefix):
            continue
        try:
            number = int(address[len(prefix) :], int(area.get("radix", 10)))
        except ValueError:
            continue
        first = _whole(area["first"])
        if first <= number <= _whole(area["last"]):
            if area["table"] not in _TABLES:
                raise ProfileError(f"table {area['table']!r} is not accepted (accepted: {', '.join(_TABLES)})")
            return str(area["table"]), _whole(area["wire"]) + number - first
    raise ProfileError(f"address {address!r} lies in no area of the brand")


def read_endpoint(text: str) -> Endpoint:
    """``modbus-tcp://host:port?unit=1``, ``modbus-rtu-tcp://host:port?unit=1`` or ``opc.tcp://host:port/path``."""
    parts = urlsplit(text)
    if parts.scheme not in (*MODBUS_SCHEMES, OPCUA_SCHEME):
        accepted = ", ".join((*MODBUS_SCHEMES, OPCUA_SCHEME))
        raise ProfileError(f"endpoint {text!r}: {parts.scheme!r} cannot be simulated (can be: {accepted})")
    unit = int(parse_qs(parts.query).get("unit", ["1"])[0])
    default_port = 4840 if parts.scheme == OPCUA_SCHEME else 502
    port = default_port if parts.port is None else parts.port
    return Endpoint(parts.scheme, parts.hostname or "127.0.0.1", port, unit, parts.path)


def _either(methods: Mapping[Any, Any], word: str, truth: bool) -> str:
    """YAML 1.1 reads a bare ``on`` or ``off`` key as true or false."""
    return str(methods[word] if word in methods else methods[truth])


def _whole(number: object) -> int:
    """YAML 1.1 reads 0x10 as a number but leaves 0o17 a string."""
    return int(number, 0) if isinstance(number, str) else int(number)  # type: ignore[call-overload]


def _find(kind: str, name: str, folders: Sequence[Path], asked_by: Path) -> Path:
    for folder in folders:
        if (file := folder / kind / f"{name}.yaml").is_file():
            return file
    looked = ", ".join(str(folder / kind) for folder in folders)
    raise ProfileError(f"{asked_by}: no {name}.yaml in {looked}")


def _mapping(path: Path) -> dict[str, Any]:
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ProfileError(f"{path}: a mapping is expected")
    return raw
