"""Random schedules of faults for campaigns: what a bad day on a plant looks like.

Drawn from the simulator's catalogue. A kind that is new there is drawn, too, with its default argument, or not at all
when it has none. The same ``Random`` gives the same schedule, in whatever order the catalogue is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random

from simulator.faults import GROUPS, Kind

RANDOM = "random"
_STATIONS = ("screening", "grinding", "drying")
_MODBUS = ("screening", "grinding")
_OPCUA = "drying"
_SENSORS: Mapping[str, Mapping[str, float]] = {
    "screening": {"WT-102": 40.0, "AT-106": 1.5, "FT-104": 0.2, "ST-103": 0.5},
    "grinding": {"JT-201": 2.0, "DT-204": 4.0, "FT-203": 0.3, "LT-205": 3.0},
    "drying": {"MT-306": 0.8, "TT-303": 4.0, "TT-305": 2.0, "WT-301": 5.0, "WT-313": 15.0, "FT-307": 80.0},
}
"""Instruments that matter, and an error of each that a person might overlook, in its unit."""

_SETTINGS: Mapping[str, tuple[str, float, float]] = {
    "SC-101": ("screening", 20.0, 80.0),
    "FV-104": ("screening", 10.0, 90.0),
    "FV-203": ("grinding", 10.0, 90.0),
    "SC-206": ("grinding", 10.0, 90.0),
    "SC-302": ("drying", 10.0, 60.0),
    "SC-307": ("drying", 30.0, 90.0),
}
"""What somebody might turn at a local panel: tag, station, range."""

_GROUP_WEIGHTS = {"wire": 4.0, "PLC": 2.0, "instruments": 4.0, "wet process": 1.0, "dry process": 1.0, "site": 0.4}
_OTHER_GROUP = 1.0
_KIND_WEIGHTS = {"refuse": 2.0, "silent": 2.0, "exception": 2.0, "nan": 3.0, "stuck": 2.0, "reboot": 2.0}
_LONGEST_S = 900.0


def random_faults(draw: Random, latest_s: float = 4500.0) -> list[str]:
    """One to four faults, most of the wire, the PLCs and the instruments; some of them overlap.

    Args:
        latest_s: plant time by which the last of them has begun [s].
    """
    return [_fault(draw, latest_s) for _ in range(draw.randint(1, 4))]


def _fault(draw: Random, latest_s: float) -> str:
    kind, group = _kind(draw)
    what = _DRAWN[kind.name](draw) if kind.name in _DRAWN else _plain(draw, kind)
    start_s = draw.uniform(5.0, latest_s)
    # process troubles last until somebody has come
    lasts_s = draw.uniform(60.0, _LONGEST_S) if "process" in group else min(10.0 ** draw.uniform(0.0, 2.95), _LONGEST_S)
    if kind.name == "power-dip":
        lasts_s = draw.uniform(0.5, 15.0)
    end = "" if kind.is_momentary else f"+{max(1.0, lasts_s):.0f}"
    return f"{kind.name}:{what}@{start_s:.0f}{end}"


def _kind(draw: Random) -> tuple[Kind, str]:
    groups = sorted(GROUPS)
    group = draw.choices(groups, [_GROUP_WEIGHTS.get(name, _OTHER_GROUP) for name in groups])[0]
    kinds = sorted((kind for kind in GROUPS[group] if _is_drawable(kind)), key=lambda kind: kind.name)
    return draw.choices(kinds, [_KIND_WEIGHTS.get(kind.name, 1.0) for kind in kinds])[0], group


def _is_drawable(kind: Kind) -> bool:
    return kind.name in _DRAWN or not kind.argument.form or kind.argument.form.startswith("[")


def _plain(draw: Random, kind: Kind) -> str:
    return draw.choice(kind.places or _STATIONS)


def _sensor(draw: Random) -> tuple[str, str, float]:
    station = draw.choice(_STATIONS)
    tag = draw.choice(sorted(_SENSORS[station]))
    return station, tag, _SENSORS[station][tag]


def _tag(draw: Random) -> str:
    station, tag, _ = _sensor(draw)
    return f"{station}:{tag}"


def _wrong(times: float) -> Callable[[Random], str]:
    """An instrument with an error up to so many times what might be overlooked, to either side."""

    def drawn(draw: Random) -> str:
        station, tag, small = _sensor(draw)
        return f"{station}:{tag}={small * draw.uniform(-times, times):.3g}"

    return drawn


def _noisy(draw: Random) -> str:
    station, tag, small = _sensor(draw)
    return f"{station}:{tag}={small * draw.uniform(0.3, 3.0):.3g}"


def _flickering(draw: Random) -> str:
    return f"{_tag(draw)}={draw.uniform(0.05, 0.7):.2f}"


def _slow(draw: Random) -> str:
    return f"{draw.choice(_STATIONS)}:{10.0 ** draw.uniform(-1.5, 0.7):.2g}"  # to both sides of any deadline


def _storm(draw: Random) -> str:
    return f"{draw.choice(_STATIONS)}:{10.0 ** draw.uniform(0.0, 2.0):.0f}"


def _failing(draw: Random) -> str:
    station = draw.choice(_STATIONS)
    return f"{station}:{draw.choice((4, 5, 6, 10, 11))}" if station in _MODBUS else station


def _turned(draw: Random) -> str:
    tag = draw.choice(sorted(_SETTINGS))
    station, low, high = _SETTINGS[tag]
    return f"{station}:{tag}={draw.uniform(low, high):.0f}"


def _jump(draw: Random) -> str:
    ahead_s = math.copysign(10.0 ** draw.uniform(0.0, 6.0), draw.random() - 0.5)
    return f"{_OPCUA}:{ahead_s:.0f}"


def _of(place: str, low: float, high: float) -> Callable[[Random], str]:
    return lambda draw: f"{place}:{draw.uniform(low, high):.2f}"


_DRAWN: Mapping[str, Callable[[Random], str]] = {
    "slow": _slow,
    "rst-storm": _storm,
    "word-order": lambda draw: draw.choice(_MODBUS),
    "exception": _failing,
    "external-write": _turned,
    "clock-jump": _jump,
    "nan": _tag,
    "stuck": _tag,
    "offset": _wrong(3.0),
    "drift": _wrong(8.0),
    "noise": _noisy,
    "dropout": _flickering,
    "wet-lot": _of("hopper", 2.0, 15.0),
    "sandy-lot": _of("hopper", 2.0, 12.0),
    "spray-blocked": _of("trommel", 0.1, 0.8),
    "screen-tear": _of("sieves", 0.02, 0.4),
    "blinding": _of("sieves", 0.2, 0.9),
    "cyclone-plugged": _of("concentrator", 0.05, 0.5),
    "pump-worn": _of("concentrator", 0.4, 0.95),
    "tank-leak": _of("milk_tank", 0.05, 0.5),
    "cloth-tear": _of("peeler", 0.02, 0.3),
    "cloth-glazed": _of("peeler", 1.0, 6.0),
    "cake-arching": _of("cake_hopper", 0.4, 0.95),
    "poor-fuel": _of("heater", 0.6, 0.95),
    "belt-slip": _of("exhaust", 0.05, 0.6),
    "filter-tear": _of("exhaust", 0.01, 0.3),
    "filter-blinding": _of("exhaust", 1.2, 4.0),
    "cooler-warm": _of("packing", 0.0, 0.8),
    "dirty-window": _of("optics", 5.0, 60.0),
    "power-dip": lambda draw: f"site:{draw.choice(('ups', 'no-switch', 'no-ups'))}",
}
"""Place and argument of the kinds whose default would be dull or impossible."""
