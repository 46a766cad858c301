"""A small line to balance: roots, pulp, waste water and powder, with the truth that its inputs are drawn from."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from linecontrol.analysis.run_balance import ASSUMED, METER, Input, Inputs, LabValue, balance_record

BALANCES = {
    "starch": "roots * roots.starch = pulp * (pulp.bound + pulp.free) + drain * drain.starch"
    " + good * (1 - good.water) * good.purity"
}
YIELD = "good * (1 - good.water) * good.purity / (roots * roots.starch)"
FACTORS = {
    "roots": "roots",
    "root_starch": "roots.starch",
    "liberation": "1 - pulp * pulp.bound / (roots * roots.starch)",
    "washing": "1 - pulp * pulp.free / (roots * roots.starch - pulp * pulp.bound)",
    "concentrating": "1 - drain * drain.starch / (roots * roots.starch - pulp * (pulp.bound + pulp.free))",
    "drying_moisture": "1 / (1 - good.water)",
}
U = {
    "roots": (0.005, METER, "WT-102", ""),
    "roots.starch": (0.03, METER, "AT-106", "ROOT-STARCH"),
    "pulp": (0.01, METER, "WQ-208", ""),
    "pulp.bound": (0.3, ASSUMED, "", "PULP-BOUND"),
    "pulp.free": (0.5, ASSUMED, "", "PULP-FREE"),
    "drain": (0.01, METER, "FQ-212", ""),
    "drain.starch": (0.3, ASSUMED, "", "DRAIN-STARCH"),
    "good": (0.003, METER, "WT-313", ""),
    "good.water": (0.015, METER, "MT-306", "MT-306"),
    "good.purity": (0.005, ASSUMED, "", "POWDER-PURITY"),
}
"""Relative standard uncertainty, kind, instrument and sample point of each."""


def truth(
    roots: float = 300.0, starch: float = 0.18, bound: float = 0.05, free: float = 0.004, lost: float = 0.05
) -> dict[str, float]:
    """Masses [kg] and shares of a run. ``bound``, ``free``, ``lost``: shares of the starch that go astray."""
    fed, pulp, drain, water, purity = roots * starch, 0.4 * roots, 7.0 * roots, 0.128, 0.976
    good = fed * (1.0 - bound - free - lost) / purity / (1.0 - water)
    return {
        "roots": roots,
        "roots.starch": starch,
        "pulp": pulp,
        "pulp.bound": fed * bound / pulp,
        "pulp.free": fed * free / pulp,
        "drain": drain,
        "drain.starch": fed * lost / drain,
        "good": good,
        "good.water": water,
        "good.purity": purity,
    }


def inputs_of(true: dict[str, float], rng: random.Random | None = None, by: dict[str, float] | None = None) -> Inputs:
    """Inputs as measured: with drawn errors of their declared size (none without ``rng``), and ``by`` further ones
    [declared uncertainties] by instrument, which a line keeps from run to run."""
    rows = {}
    for name, value in true.items():
        relative, kind, instrument, sample = U[name]
        u = relative * value
        error = rng.gauss(0.0, 1.0) if rng is not None else 0.0
        if by is not None and instrument:
            error = by.get(instrument, 0.0)
        rows[name] = Input(value + u * error, u, kind, "a test", instrument, sample)
    return Inputs(rows, BALANCES, YIELD, "good", {}, FACTORS)


def laboratory(true: dict[str, float], rng: random.Random | None = None) -> list[LabValue]:
    """One value of every sample point, 3 % good."""
    found = []
    for name, value in true.items():
        *_, sample = U[name]
        if sample and sample != "MT-306":
            u = 0.03 * value if sample != "POWDER-PURITY" else 0.003
            error = rng.gauss(0.0, u) if rng is not None else 0.0
            found.append(LabValue(f"L-{sample}", sample, value + error, u))
    return found


def record_of(inputs: Inputs, lab: list[LabValue] | None = None, run_id: str = "run") -> dict[str, Any]:
    return {"run_id": run_id, **balance_record(inputs, lab or [], run_id)}


def with_value(inputs: Inputs, name: str, **changes: Any) -> Inputs:
    return replace(inputs, rows={**inputs.rows, name: replace(inputs.rows[name], **changes)})
