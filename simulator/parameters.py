"""Plant parameters: typed, read from ``data/parameters.yaml`` where each has a unit, an evidence mark and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any, NamedTuple, TypeVar

from simulator.constants import EVIDENCE
from simulator.lot import LotParameters, Species
from simulator.machines.concentrator import ConcentratorParameters
from simulator.machines.dewatering import DewateringParameters
from simulator.machines.dryer import DryerParameters
from simulator.machines.exhaust import ExhaustParameters
from simulator.machines.feeder import FeederParameters
from simulator.machines.heater import HeaterParameters
from simulator.machines.hopper import HopperParameters
from simulator.machines.optics import OpticsParameters
from simulator.machines.packing import PackingParameters
from simulator.machines.rasp import RaspParameters
from simulator.machines.sieves import SieveParameters
from simulator.machines.trommel import TrommelParameters
from simulator.psychrometrics import IsothermParameters
from simulator.sentinels import SentinelParameters
from simulator.wet_clocks import ClockParameters
from simulator.yaml_text import load_yaml

_ROW_KEYS = {"value", "range", "unit", "evidence", "source"}
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
_T = TypeVar("_T")


class Range(NamedTuple):
    """Where a variant of a parameter may lie, ends included; outside, its machine's law has no meaning."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class SiteParameters:
    """Weather, water, the rinse of the wet machines, and what their drives and valves do not follow."""

    ambient_c: float
    ambient_sd_k: float
    ambient_humidity_pct: float
    humidity_sd_pct: float
    ambient_tau_s: float
    water_c: float
    rinse_m3_h: float
    rinse_flush_s: float
    month: float
    drive_deadband_pct: float
    valve_stick_pct: float
    valve_slide: float


@dataclass(frozen=True)
class Parameters:
    """Every parameter of the plant; ``with_values`` makes a variant."""

    site: SiteParameters
    lot: LotParameters
    hopper: HopperParameters
    trommel: TrommelParameters
    rasp: RaspParameters
    sieves: SieveParameters
    concentrator: ConcentratorParameters
    dewatering: DewateringParameters
    clocks: ClockParameters
    isotherm: IsothermParameters
    exhaust: ExhaustParameters
    heater: HeaterParameters
    feeder: FeederParameters
    dryer: DryerParameters
    packing: PackingParameters
    optics: OpticsParameters
    sentinels: SentinelParameters
    species: Mapping[str, Species]
    season: tuple[float, ...]
    default_species: str = "lobata_cultivated"
    ranges: Mapping[str, Range] = field(default_factory=dict, repr=False)
    """By dotted name; empty accepts every finite number."""

    def with_species(self, name: str) -> Parameters:
        """A copy whose trucks bring roots of another species.

        Raises:
            KeyError: no such species.
        """
        if name not in self.species:
            raise KeyError(f"no species {name!r} (accepted: {', '.join(self.species)})")
        return replace(self, default_species=name)

    def with_values(self, changes: Mapping[str, float]) -> Parameters:
        """A copy with some values changed, by dotted name.

        ``rasp.size_um``, ``species.lobata_wild.starch_mean_pct``, ``season.april`` (its starch over mid-winter's).

        Raises:
            KeyError: no such parameter.
            ValueError: not a finite number, or outside the parameter's range.
        """
        changed = self
        for name, value in changes.items():
            self._check(name, value)
            section, _, key = name.rpartition(".")
            head, _, kind = section.partition(".")
            if head == "season":
                at = MONTHS.index(key)
                changed = replace(changed, season=(*changed.season[:at], float(value), *changed.season[at + 1 :]))
            elif kind:
                of_kind = {kind: replace(changed.species[kind], **{key: float(value)})}
                changed = replace(changed, species={**changed.species, **of_kind})
            else:
                variant: dict[str, Any] = {head: replace(getattr(changed, head), **{key: float(value)})}
                changed = replace(changed, **variant)
        return changed

    def _check(self, name: str, value: float) -> None:
        found = self.ranges.get(name)
        if found is None:
            raise KeyError(f"no plant parameter {name!r} (accepted: {self._near(name)})")
        if not isfinite(value):
            raise ValueError(f"plant parameter {name} = {value} is not a finite number")
        if not found.low <= value <= found.high:
            accepted = f"{found.low:g} to {found.high:g} {found.unit}".rstrip(" -")
            raise ValueError(f"plant parameter {name} = {value:g} cannot be (accepted: {accepted})")

    def _near(self, name: str) -> str:
        """Names that somebody who wrote ``name`` may have meant: of its section, else the sections."""
        section = name.rpartition(".")[0]
        keys = [known for known in self.ranges if known.rpartition(".")[0] == section]
        return ", ".join(keys or dict.fromkeys(f"{known.rpartition('.')[0]}.*" for known in self.ranges))


def _rows(section: str, group: type[_T], content: Mapping[str, Any], ranges: dict[str, Range]) -> _T:
    """One dataclass from its rows, and their ranges; refuses missing, unknown and unmarked ones."""
    wanted = {row.name for row in fields(group)}  # type: ignore[arg-type]
    if wanted != set(content):
        raise ValueError(f"parameters.yaml {section}: missing {wanted - set(content)}, unknown {set(content) - wanted}")
    values: dict[str, float] = {}
    for name, row in content.items():
        if set(row) != _ROW_KEYS or row["evidence"] not in EVIDENCE:
            raise ValueError(
                f"parameters.yaml {section}.{name}: needs {sorted(_ROW_KEYS)}, evidence of {list(EVIDENCE)}"
            )
        low, high = (float(end) for end in row["range"])
        values[name] = float(row["value"])
        if not low <= values[name] <= high:
            raise ValueError(f"parameters.yaml {section}.{name}: {values[name]:g} lies outside its range")
        ranges[f"{section}.{name}"] = Range(low, high, str(row["unit"]))
    return group(**values)


def _months(row: Mapping[str, Any], ranges: dict[str, Range]) -> tuple[float, ...]:
    """The season's table, and the range of each month, such as ``season.april``."""
    if set(row) != _ROW_KEYS or row["evidence"] not in EVIDENCE:
        raise ValueError(f"parameters.yaml season: needs {sorted(_ROW_KEYS)}, evidence of {list(EVIDENCE)}")
    season = tuple(float(share) for share in row["value"])
    low, high = (float(end) for end in row["range"])
    if len(season) != len(MONTHS) or not all(low <= share <= high for share in season):
        raise ValueError("parameters.yaml season: needs twelve months within its range")
    ranges |= {f"season.{month}": Range(low, high, "") for month in MONTHS}
    return season


def parse_parameters(content: Mapping[str, Any]) -> Parameters:
    """Parameters from the parsed file.

    Raises:
        ValueError: a row is missing, unknown, outside its range, or without range, unit, evidence and source.
    """
    groups = {
        "site": SiteParameters,
        "lot": LotParameters,
        "hopper": HopperParameters,
        "trommel": TrommelParameters,
        "rasp": RaspParameters,
        "sieves": SieveParameters,
        "concentrator": ConcentratorParameters,
        "dewatering": DewateringParameters,
        "clocks": ClockParameters,
        "isotherm": IsothermParameters,
        "exhaust": ExhaustParameters,
        "heater": HeaterParameters,
        "feeder": FeederParameters,
        "dryer": DryerParameters,
        "packing": PackingParameters,
        "optics": OpticsParameters,
        "sentinels": SentinelParameters,
    }
    unknown = set(content) - set(groups) - {"species", "season"}
    if unknown:
        raise ValueError(f"parameters.yaml: unknown sections {unknown}")
    ranges: dict[str, Range] = {}
    built: dict[str, Any] = {name: _rows(name, group, content[name], ranges) for name, group in groups.items()}
    species = {name: _rows(f"species.{name}", Species, rows, ranges) for name, rows in content["species"].items()}
    season = _months(content["season"], ranges)
    return Parameters(species=species, season=season, ranges=ranges, **built)


@cache
def default_parameters() -> Parameters:
    """The shipped plant."""
    text = files("simulator").joinpath("data", "parameters.yaml").read_text(encoding="utf-8")
    return parse_parameters(load_yaml(text))
