"""The simulated dryer's operating map: a grid of points, and where each comes to rest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from linecontrol.core.errors import ConfigError, Problem
from linecontrol.twin.trial import plant_parameters
from simulator.dryer_map import LEAST_FEED_KG_H, DryerMap, Duty
from simulator.machines.many_dryers import Floats
from simulator.parameters import Parameters

MOST_POINTS = 100_000
LEAST_AIR = 8.0  # kg per kg dry starch: a duct with less is flooded, beyond what its equations were held against
CAKE_C = 17.0  # as it comes from the centrifuge
_AT_ONCE = 4_000  # more would leave the processor's cache


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column of the map. ``low`` and ``high``: where an axis may lie."""

    key: str
    title: str
    unit: str
    digits: int = 1
    low: float = -math.inf
    high: float = math.inf


AXES = (
    Quantity("inlet_c", "Inlet", "°C", 0, 40.0, 230.0),
    Quantity("cake_pct", "Cake", "% wb", 1, 20.0, 60.0),
    Quantity("fan_pct", "Fan", "%", 0, 5.0, 100.0),
    Quantity("room_c", "Room", "°C", 0, -10.0, 45.0),
    Quantity("room_pct", "Humidity", "%", 0, 1.0, 99.0),
)
FEED = Quantity("cake_kg_h", "Feed", "kg/h", 0, LEAST_FEED_KG_H)
FOUND = (
    Quantity("powder_pct", "Powder", "% wb", 2),
    Quantity("powder_kg_h", "Powder", "kg/h", 0),
    Quantity("outlet_c", "Outlet", "°C", 1),
    Quantity("product_c", "Product", "°C", 1),
    Quantity("gel_margin_k", "Gel margin", "K", 1),
    Quantity("valve_pct", "Valve", "%", 0),
    Quantity("fuel_kwh_kg", "Fuel", "kWh/kg", 2),
    Quantity("heat_kwh_kg", "Heat", "kWh/kg", 2),
    Quantity("evaporated_kg_h", "Evaporated", "kg/h", 0),
    Quantity("air_per_solid", "Air", "kg/kg dry", 1),
    Quantity("per_k", "Per inlet", "% wb/K", 3),
    Quantity("per_cake", "Per cake", "%/%", 2),
    Quantity("per_feed", "Per feed", "% wb/%", 2),
)


def usual_axes(plant: Mapping[str, float]) -> dict[str, Sequence[float]]:
    """What an axis is when nothing is said of it. Raises ConfigError for a plant that cannot be."""
    site = plant_parameters(plant).site
    return {
        "inlet_c": [100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 160.0, 170.0],
        "cake_pct": [36.0, 38.0, 40.0],
        "fan_pct": [65.0],
        "room_c": [site.ambient_c],
        "room_pct": [site.ambient_humidity_pct],
    }


def dryer_map(
    axes: Mapping[str, Sequence[float]],
    plant: Mapping[str, float],
    *,
    feeds_kg_h: Sequence[float] = (),
    powder_pct: float = 13.0,
) -> dict[str, Floats]:
    """Every combination of the axes: column to values, in the order of AXES, FEED and FOUND.

    Args:
        axes: values of each of ``AXES`` by key. plant: plant parameters changed, by dotted name.
        feeds_kg_h: wet feeds, one more axis; without them the feed is sought that leaves ``powder_pct`` [% wb].
    Raises:
        ConfigError: a value or the number of points is out of range.
    """
    parameters = plant_parameters(plant)
    full_kg_h = parameters.feeder.screw_full_kg_h
    _check(axes, feeds_kg_h, replace(FEED, high=full_kg_h))
    if not 1.0 <= powder_pct <= 35.0:
        raise _wrong("--moisture", f"{powder_pct:g} % wb is no powder", "1 to 35")
    grid = [axes[axis.key] for axis in AXES]
    count = math.prod(len(values) for values in grid) * max(1, len(feeds_kg_h))
    if not 1 <= count <= MOST_POINTS:
        raise _wrong("dryer-map", f"{count} points", f"1 to {MOST_POINTS}")
    points = np.array(list(itertools.product(*grid, feeds_kg_h or [math.nan])))
    parts = [_solved(parameters, points[n : n + _AT_ONCE].T, powder_pct) for n in range(0, len(points), _AT_ONCE)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _solved(parameters: Parameters, columns: Floats, powder_pct: float) -> dict[str, Floats]:
    inlet_c, cake_pct, fan_pct, room_c, room_pct, feed = columns
    asked = Duty(inlet_c, feed, cake_pct, np.full(inlet_c.shape, CAKE_C), fan_pct, room_c, room_pct)
    dryers = DryerMap(parameters, asked)
    if np.isnan(feed).any():
        feed = dryers.feed_for(asked, powder_pct)
    has_feed = np.isfinite(feed)
    duty = replace(asked, cake_kg_h=np.where(has_feed, feed, 100.0))  # what comes of the others is dropped
    made = {**asdict(dryers.rest(duty)), **asdict(dryers.gains(duty))}
    rows = {column.key: np.where(has_feed, made[column.key], np.nan) for column in FOUND}
    return {**{axis.key: getattr(asked, axis.key) for axis in AXES}, FEED.key: feed, **rows}


def _check(axes: Mapping[str, Sequence[float]], feeds_kg_h: Sequence[float], feed: Quantity) -> None:
    for axis, values in [*((axis, axes[axis.key]) for axis in AXES), (feed, feeds_kg_h)]:
        for value in values:
            if not axis.low <= value <= axis.high:
                accepted = f"{axis.low:g} to {axis.high:g} {axis.unit}"
                raise _wrong(f"--{axis.title.lower()}", f"{value:g} cannot be", accepted)


def _wrong(key: str, message: str, accepted: str) -> ConfigError:
    return ConfigError([Problem("", None, key, message, accepted)])
