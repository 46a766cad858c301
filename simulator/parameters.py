"""Plant parameters: typed, read from ``data/parameters.yaml`` where each has a unit, an evidence mark and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any, TypeVar

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
from simulator.wet_clocks import ClockParameters
from simulator.yaml_text import load_yaml

EVIDENCE = {"S": "public source", "G": "general knowledge, unverified", "D": "derived here"}
_ROW_KEYS = {"value", "unit", "evidence", "source"}
_T = TypeVar("_T")


@dataclass(frozen=True)
class SiteParameters:
    """Weather, water and the rinse of the wet machines."""

    ambient_c: float
    ambient_sd_k: float
    ambient_humidity_pct: float
    humidity_sd_pct: float
    ambient_tau_s: float
    water_c: float
    rinse_m3_h: float
    rinse_flush_s: float
    month: float


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
    species: Mapping[str, Species]
    season: tuple[float, ...]
    default_species: str = "lobata_cultivated"

    def with_species(self, name: str) -> Parameters:
        """A copy whose trucks bring roots of another species.

        Raises:
            KeyError: no such species.
        """
        if name not in self.species:
            raise KeyError(f"no species {name!r} (accepted: {', '.join(self.species)})")
        return replace(self, default_species=name)

    def with_values(self, changes: Mapping[str, float]) -> Parameters:
        """A copy with some values changed, by dotted name such as ``rasp.size_um``.

        Raises:
            KeyError: no such parameter.
            ValueError: not a finite number.
        """
        changed = self
        for name, value in changes.items():
            section, _, key = name.partition(".")
            group = getattr(changed, section, None)
            if not is_dataclass(group) or isinstance(group, type) or key not in {f.name for f in fields(group)}:
                raise KeyError(f"no plant parameter {name!r}")
            if not isfinite(value):
                raise ValueError(f"plant parameter {name} = {value} is not a finite number")
            variant: dict[str, Any] = {section: replace(group, **{key: float(value)})}
            changed = replace(changed, **variant)
        return changed


def _rows(section: str, group: type[_T], content: Mapping[str, Any]) -> _T:
    """One dataclass from its rows; refuses missing, unknown and unmarked ones."""
    wanted = {field.name for field in fields(group)}  # type: ignore[arg-type]
    if wanted != set(content):
        raise ValueError(f"parameters.yaml {section}: missing {wanted - set(content)}, unknown {set(content) - wanted}")
    values: dict[str, float] = {}
    for name, row in content.items():
        if set(row) != _ROW_KEYS or row["evidence"] not in EVIDENCE:
            raise ValueError(
                f"parameters.yaml {section}.{name}: needs {sorted(_ROW_KEYS)}, evidence of {list(EVIDENCE)}"
            )
        values[name] = float(row["value"])
    return group(**values)


def parse_parameters(content: Mapping[str, Any]) -> Parameters:
    """Parameters from the parsed file.

    Raises:
        ValueError: a row is missing, unknown or without unit, evidence and source.
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
    }
    unknown = set(content) - set(groups) - {"species", "season"}
    if unknown:
        raise ValueError(f"parameters.yaml: unknown sections {unknown}")
    built: dict[str, Any] = {name: _rows(name, group, content[name]) for name, group in groups.items()}
    species = {name: _rows(f"species.{name}", Species, rows) for name, rows in content["species"].items()}
    season = tuple(float(share) for share in content["season"]["value"])
    if len(season) != 12:
        raise ValueError("parameters.yaml season: needs twelve months")
    return Parameters(species=species, season=season, **built)


@cache
def default_parameters() -> Parameters:
    """The shipped plant."""
    text = files("simulator").joinpath("data", "parameters.yaml").read_text(encoding="utf-8")
    return parse_parameters(load_yaml(text))
