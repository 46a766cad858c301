"""Why one run made more powder than another: the difference in kg, split over the steps of the process.

Good powder is a product of factors (roots fed, starch in them, share liberated, share not washed away, ...), and what
the factors leave is the factor *unaccounted*. The difference of two products is split with the logarithmic mean of the
two (LMDI-I; Ang 2004, Energy Policy 32:1131): each step gets ``L(P_a, P_b) ln(f_b / f_a)``, which sums exactly, does
not depend on the order of the steps, and changes sign when the runs change places.

Intervals are first order (GUM, JCGM 100:2008): an instrument's error is the same in both runs and mostly cancels;
laboratory values and assumptions err anew in each. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linecontrol.analysis.reconcile import CannotReconcile, Quantity
from linecontrol.analysis.reconcile.expression import parse
from linecontrol.analysis.reconcile.solve import Solution, solve
from linecontrol.analysis.run_balance import Inputs, LabValue, flowsheet_of, with_laboratory

FloatArray = npt.NDArray[np.float64]

UNACCOUNTED = "unaccounted"
TITLES: dict[str, tuple[str, str]] = {
    "roots": ("Roots fed", "投料量"),
    "root_starch": ("Starch in the roots", "原料淀粉含量"),
    "liberation": ("Liberation by the rasp", "锉磨释放"),
    "washing": ("Washing out of the fibre", "筛分洗出"),
    "concentrating": ("Concentrating and dewatering loss", "浓缩与脱水损失"),
    "diverted": ("Diverted powder", "分流粉"),
    "drying_moisture": ("Powder moisture", "成品水分"),
    UNACCOUNTED: ("Unaccounted", "未解释部分"),
}
"""Every step there is, in the order of the process, in English and Chinese."""


class CannotAttribute(ValueError):
    """These two runs cannot be compared this way; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step's part. ``part``: [kg of powder], of the difference. ``a``, ``b``: its factor in either run."""

    name: str
    part: Quantity
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """The difference of two runs, b less a [kg of good powder]; the parts of ``steps`` sum to its value.

    Attributes:
        left_out: steps of which one run does not know enough; their part is within the unaccounted one.
    """

    powder_a: Quantity
    powder_b: Quantity
    difference: Quantity
    steps: tuple[Step, ...]
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return {
            "powder_a": _told(self.powder_a),
            "powder_b": _told(self.powder_b),
            "difference": _told(self.difference),
            "steps": [
                {
                    "name": step.name,
                    "title": dict(zip(("en", "zh"), TITLES[step.name], strict=True)),
                    **_told(step.part),
                    "factor_a": step.a,
                    "factor_b": step.b,
                }
                for step in self.steps
            ],
            "left_out": list(self.left_out),
        }


def attribute(record_a: Mapping[str, Any], record_b: Mapping[str, Any]) -> Attribution:
    """Split the difference in good powder of two run records, b less a.

    Raises:
        CannotAttribute: a run has no balance, or made no powder, or its measurements contradict each other.
    """
    a, b = (_Run(record) for record in (record_a, record_b))
    names, left_out = _common(a, b)
    logs = np.array([[run.log_of(name) for name in names] for run in (a, b)])
    powders = np.array([a.powder.value, b.powder.value])
    rest = np.log(powders) - logs.sum(axis=1)
    logs = np.column_stack([logs, rest])
    mean, slopes = _log_mean(*powders)
    parts = mean * (logs[1] - logs[0])
    parts[-1] = (powders[1] - powders[0]) - math.fsum(parts[:-1])  # the same but for the last bit: they sum exactly

    moves = []  # how each run's log factors move with its inputs
    for run in (a, b):
        rows = [run.log_slopes(name) for name in names]
        powder = run.slopes(run.inputs.powder) / run.powder.value
        moves.append(np.vstack([*rows, powder - np.sum(rows, axis=0)]))
    grow = [run.slopes(run.inputs.powder) for run in (a, b)]
    by_a = -mean * moves[0] + np.outer(logs[1] - logs[0], slopes[0] * grow[0])
    by_b = mean * moves[1] + np.outer(logs[1] - logs[0], slopes[1] * grow[1])
    jacobian = np.vstack([np.hstack([by_a, by_b]), np.hstack([-grow[0], grow[1]])[None, :]])
    covariance = _joint(a, b)
    u = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian), 0.0))
    steps = tuple(
        Step(name, Quantity(float(part), float(spread)), math.exp(one), math.exp(other))
        for name, part, spread, one, other in zip((*names, UNACCOUNTED), parts, u[:-1], logs[0], logs[1], strict=True)
    )
    difference = Quantity(float(powders[1] - powders[0]), float(u[-1]))
    return Attribution(a.powder, b.powder, difference, steps, left_out)


def attribution_or_refusal(record_a: Mapping[str, Any], record_b: Mapping[str, Any]) -> Attribution | str:
    """As ``attribute``; where that raises CannotAttribute, its sentence. For a process of its own."""
    try:
        return attribute(record_a, record_b)
    except CannotAttribute as error:
        return str(error)


class _Run:
    """One run, reconciled again from what its record holds."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.name = str(record.get("run_id", "the run"))
        kept = record.get("balance")
        if not kept or "inputs" not in kept:
            raise CannotAttribute(f"{self.name} has no balance: its line file has none, or it has not ended")
        lab = [LabValue(**row) for row in kept["laboratory"]]
        self.inputs: Inputs = with_laboratory(Inputs.from_dict(kept["inputs"]), lab)
        try:
            flowsheet = flowsheet_of(self.inputs, self.name)
            self.solution: Solution = solve(flowsheet)
            self.powder = self.solution.quantity(parse(self.inputs.powder))
        except (CannotReconcile, ValueError) as error:
            raise CannotAttribute(f"{self.name}: {error}") from None
        self.measured = flowsheet.measured
        self.covariance = flowsheet.covariance()
        if not self.powder.value > 0.0:
            raise CannotAttribute(f"{self.name} made no good powder that could be explained")

    def value(self, name: str) -> float:
        """Of a factor; NaN where the run cannot determine it."""
        text = self.inputs.factors.get(name)
        if text is None:
            return math.nan
        try:
            found = self.solution.quantity(parse(text))
        except CannotReconcile:
            return math.nan
        return found.value if not math.isnan(found.u) and found.value > 0.0 else math.nan

    def log_of(self, name: str) -> float:
        return math.log(self.value(name))

    def slopes(self, text: str) -> FloatArray:
        return self.solution.slopes(parse(text))

    def log_slopes(self, name: str) -> FloatArray:
        return np.asarray(self.slopes(self.inputs.factors[name]) / self.value(name))


def _common(a: _Run, b: _Run) -> tuple[list[str], tuple[str, ...]]:
    """Steps that both runs know, in the order of the process, and those that one of them does not."""
    named = [name for name in TITLES if name in a.inputs.factors or name in b.inputs.factors]
    known = [name for name in named if not math.isnan(a.value(name)) and not math.isnan(b.value(name))]
    return known, tuple(name for name in named if name not in known)


def _log_mean(p: float, q: float) -> tuple[float, tuple[float, float]]:
    """Logarithmic mean of two positive numbers, and its derivative by each."""
    ratio = math.log(q / p)
    if abs(ratio) < 1e-4:  # the quotient loses its digits here: series about equal numbers
        mean = math.sqrt(p * q) * (1.0 + ratio * ratio / 24.0)
        return mean, (mean / p * (0.5 - ratio / 12.0), mean / q * (0.5 + ratio / 12.0))
    mean = (q - p) / ratio
    return mean, ((mean / p - 1.0) / ratio, (1.0 - mean / q) / ratio)


def _joint(a: _Run, b: _Run) -> FloatArray:
    """Covariance of both runs' inputs: what one instrument measured in both errs together."""
    n, m = len(a.measured), len(b.measured)
    joint = np.zeros((n + m, n + m))
    joint[:n, :n], joint[n:, n:] = a.covariance, b.covariance
    for i, one in enumerate(a.measured):
        instrument = a.inputs.rows[one].instrument
        if not instrument:
            continue
        for j, other in enumerate(b.measured):
            if b.inputs.rows[other].instrument == instrument:
                both = math.sqrt(a.covariance[i, i] * b.covariance[j, j])
                joint[i, n + j] = joint[n + j, i] = both
    return joint


def _told(found: Quantity) -> dict[str, float | None]:
    low, high = found.interval
    return {"kg": found.value, "u": found.u, "low_95": low, "high_95": high}
