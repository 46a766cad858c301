"""Where the material of a run went, by its balance: what every stream carries into and out of every machine. Pure.

A balance named ``quantity, place`` ("starch, wet end") says what of that quantity goes in and out at a place. Streams
stand in it in the first power, so that what one carries is the derivative by the stream times the stream itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linecontrol.analysis.reconcile.expression import parse_balance

MASS, WATER, SOLIDS = "mass", "water", "solids"
NEGLIGIBLE = 1e-9  # of the largest flow of its place


@dataclass(frozen=True, slots=True)
class Flow:
    """``kg`` carried by ``stream`` from a place to a place; "" is outside of all that is balanced."""

    stream: str
    source: str
    target: str
    kg: float


def run_flows(balance: Mapping[str, Any]) -> dict[str, list[Flow]]:
    """The flows of every quantity that is balanced at places, from ``balance`` of a run's record [kg].

    A place whose water and solids are balanced and whose mass is not has the sum of both as its mass. Empty for a
    balance that was refused, or of which a needed stream is not known.
    """
    values = {name: row["reconciled"] for name, row in balance.get("streams", {}).items()}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, text in balance["inputs"]["balances"].items():
        quantity, comma, place = (part.strip() for part in name.partition(","))
        carried = _carried(text, values) if comma and place else None
        if carried is not None:
            found.setdefault(quantity, {})[place] = carried
    water, solids = found.get(WATER, {}), found.get(SOLIDS, {})
    for place in water.keys() & solids.keys() - found.get(MASS, {}).keys():
        both = [*water[place], *solids[place]]
        whole = {name: water[place].get(name, 0.0) + solids[place].get(name, 0.0) for name in both}
        found.setdefault(MASS, {})[place] = whole
    return {quantity: _joined(places) for quantity, places in found.items()}


def _carried(text: str, values: Mapping[str, float | None]) -> dict[str, float] | None:
    """What each stream brings (> 0) or takes away [kg]; None when something in it is not known."""
    balance = parse_balance(text)
    known = {name: value for name in balance.names if (value := values.get(name)) is not None}
    if len(known) < len(balance.names):
        return None
    slopes = balance.gradient(known)
    found = {name: slopes[name] * known[name] for name in balance.names if "." not in name}
    least = NEGLIGIBLE * max((abs(kg) for kg in found.values()), default=0.0)
    return {name: kg for name, kg in found.items() if abs(kg) > least}


def _joined(places: Mapping[str, Mapping[str, float]]) -> list[Flow]:
    """Streams that leave one place for another are one flow; the others begin or end outside."""
    sources = {name: place for place, carried in places.items() for name, kg in carried.items() if kg < 0.0}
    targets = {name: place for place, carried in places.items() for name, kg in carried.items() if kg > 0.0}
    flows = []
    for place, carried in places.items():
        for name, kg in carried.items():
            if kg > 0.0 and name not in sources:
                flows.append(Flow(name, "", place, kg))
            elif kg < 0.0:
                flows.append(Flow(name, place, targets.get(name, ""), -kg))
    return flows
