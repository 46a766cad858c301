"""The line at a glance, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


def line_status(line: Line) -> dict[str, Any]:
    """The line at a glance."""
    now = line.clock.now()
    titles = {name: station.profile.title for name, station in line.config.stations.items()}
    return {
        "time": iso(now),
        "line": line.config.line.name,
        "title": {"en": line.config.line.title.en, "zh": line.config.line.title.zh},
        "simulated": line.config.line.simulated,
        "speed": round(line.clock.speed, 1),
        "cycles": line.cycle.count,
        "stations": {
            name: {
                "title": {"en": titles[name].en, "zh": titles[name].zh},
                "is_up": station.is_up,
                "is_claimed": station.is_claimed,
                "is_accepted": station.is_accepted,
                "objection": station.why_not_write(),
                "endpoint": line.config.stations[name].endpoint.url,
                "scans": station.scans,
                "missed": station.missed,
                "down_s": None if station.down_since is None else round(now - station.down_since, 1),
            }
            for name, station in line.stations.items()
        },
        "loops": line.bank.view(now),
        "run": line.runs.view(),
        "history": accounting(line),
    }


def accounting(line: Line) -> dict[str, int]:
    """accepted = stored + spooled + quarantined + dropped + pending."""
    counters = line.historian.counters
    return {
        key: getattr(counters, key)
        for key in ("offered", "unchanged", "accepted", "stored", "spooled", "quarantined", "dropped", "pending")
    }
