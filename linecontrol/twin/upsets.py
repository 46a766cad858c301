"""Random schedules of faults for campaigns: what a bad day on a plant looks like."""

from __future__ import annotations

from random import Random

RANDOM = "random"
_STATIONS = ("screening", "grinding", "drying")
_SENSORS = {
    "screening": ("WT-102", "AT-106", "FT-104", "ST-103"),
    "grinding": ("JT-201", "DT-204", "FT-203", "LT-205"),
    "drying": ("MT-306", "TT-303", "TT-305", "WT-301", "WT-313", "FT-307"),
}
_LONGEST_S = 900.0


def random_faults(draw: Random, latest_s: float = 4500.0) -> list[str]:
    """One to four faults of the wire, the PLCs and the instruments, some of them overlapping.

    Args:
        latest_s: plant time by which the last of them has begun [s].
    """
    return [_fault(draw, latest_s) for _ in range(draw.randint(1, 4))]


def _fault(draw: Random, latest_s: float) -> str:
    station = draw.choice(_STATIONS)
    kind = draw.choice(("refuse", "silent", "exception", "reboot", "nan", "stuck", "nan"))
    what = f"{kind}:{station}"
    if kind in ("nan", "stuck"):
        what += f":{draw.choice(_SENSORS[station])}"
    start_s = draw.uniform(5.0, latest_s)
    lasts_s = 10.0 ** draw.uniform(0.0, 2.95)
    return f"{what}@{start_s:.0f}+{min(lasts_s, _LONGEST_S):.0f}"
