"""How machines mix what goes through them, followed backwards: from what fell into a bag to when it came into each
machine.

Every machine is a piece of plug flow followed by a cascade of equal stirred tanks (Levenspiel, Chemical Reaction
Engineering, 3rd ed., ch. 14). Forwards, a tank with hold-up M and inflow q answers an inlet share u by

    dc/dt = q/M (u - c)

Backwards, weights w[k] on the outlet become weights on the inlet by the adjoint of the same recursion, which loses
nothing: what is not found in the time that is recorded is older than it. Weights are of starch; that it may be thinner
in one lot than in the next is neglected within a tank.

Nothing here takes a weight as proof: it is an expectation under perfect mixing in every tank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linecontrol.guard.genealogy.passage import Passage, Spread

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the line, in the order of the product's way.

    Attributes:
        name: unique on the line; equipment: the station it belongs to.
        flow: name of the series of what comes into it; unit/h.
        tanks: stirred tanks in series, 0 = plug flow only. mean_s: their mean residence time while something flows [s],
            whatever the flow; 0 = by what they hold.
        holdup: what the tanks hold together [the flow's unit], where ``level`` does not say.
        level: name of the series of what they hold now; empty = always ``holdup``. ``per_unit``: hold-up for one unit
            of it.
        plug_s: time of plug flow, running only while something flows [s].
        is_queue: first in, first out: what is in it leaves in the order it came (a hopper of roots).
    """

    name: str
    equipment: str
    flow: str
    tanks: int = 1
    mean_s: float = 0.0
    holdup: float = 0.0
    level: str = ""
    per_unit: float = 1.0
    plug_s: float = 0.0
    is_queue: bool = False


@dataclass(frozen=True, slots=True)
class Throughput:
    """What flowed through the line, on a grid of equal steps; the newest step last.

    Attributes:
        start: time of the begin of the first step [s]. step_s: length of a step.
        series: by name; NaN = not known, which stands for the last that was.
    """

    start: float
    step_s: float
    series: Mapping[str, Array]

    @property
    def steps(self) -> int:
        return min((len(values) for values in self.series.values()), default=0)


def passage_of(machines: Sequence[Machine], seen: Throughput, weights: Array, bagged: str = "bag") -> Passage:
    """When what fell into a bag came into each machine.

    Args:
        machines: from the first to the last, the last one before the bag.
        weights: mass that fell into the bag in each step of ``seen``; >= 0.
        bagged: what the place of the bag itself is called.
    """
    total = float(np.sum(weights))
    share = weights / total if total > 0.0 else np.zeros(seen.steps)
    spreads = {bagged: Spread.of(seen.start, seen.step_s, share, 1.0 - float(share.sum()) if total > 0.0 else 1.0)}
    older = 0.0
    for machine in reversed(machines):
        share, lost = through(machine, seen, share)
        older += lost
        spreads[machine.name] = Spread.of(seen.start, seen.step_s, share, older)
    return Passage(spreads)


def through(machine: Machine, seen: Throughput, weights: Array) -> tuple[Array, float]:
    """Weights on a machine's inlet from weights on its outlet, and the part that is older than the first step."""
    flow = _filled(seen.series[machine.flow], floor=0.0) / 3600.0
    level = _filled(seen.series[machine.level]) * machine.per_unit if machine.level else None
    older = 0.0
    if not machine.is_queue and (machine.mean_s > 0.0 or machine.holdup > 0.0 or level is not None):
        turns = _turns(machine, flow, level, seen.step_s)
        for _ in range(machine.tanks):
            weights, lost = _tank(turns, weights)
            older += lost
    if machine.is_queue:
        weights, lost = _queue(flow * seen.step_s, level, machine.holdup, weights)
        older += lost
    elif machine.plug_s > 0.0:
        clock = np.where(flow > 0.0, seen.step_s, 0.0)
        weights, lost = _queue(clock, None, machine.plug_s, weights)
        older += lost
    return weights, older


def _turns(machine: Machine, flow: Array, level: Array | None, step_s: float) -> Array:
    """How often the content of each tank is exchanged in each step."""
    if machine.mean_s > 0.0:
        return np.where(flow > 0.0, step_s * machine.tanks / machine.mean_s, 0.0)
    held = np.full(len(flow), machine.holdup) if level is None else np.maximum(level, 1e-9)
    inflow = flow if level is None else np.maximum(flow + _slope(held, step_s), 0.0)
    return step_s * inflow * machine.tanks / np.maximum(held, 1e-9)


def _tank(turns: Array, weights: Array) -> tuple[Array, float]:
    """One stirred tank backwards; ``turns``: how often its content is exchanged in each step, q dt/M.

    Its state at the end of a step and its mean outlet in it, c[k] = a c[k-1] + (1-a) u[k] and
    y[k] = g c[k-1] + (1-g) u[k] with a = exp(-turns) and g the mean of exp over the step, make a bidiagonal system.
    """
    keeps = np.exp(-turns)
    mean = np.where(turns > 1e-9, -np.expm1(-turns) / np.maximum(turns, 1e-9), 1.0)
    from scipy.linalg import solve_banded  # slow to import, and no bag is full before the first scan

    bands = np.ones((2, len(weights)))
    bands[0, 1:] = -keeps[1:]
    next_out = np.append(mean[1:] * weights[1:], 0.0)
    later = solve_banded((0, 1), bands, next_out, check_finite=False)
    return (1.0 - mean) * weights + (1.0 - keeps) * later, float(mean[0] * weights[0] + keeps[0] * later[0])


def _queue(moved: Array, held: Array | None, holdup: float, weights: Array) -> tuple[Array, float]:
    """First in, first out, backwards: what leaves at a mark of the outflow came in when the inflow stood there.

    Args:
        moved: outflow in each step. held: what is in it at the end of each step; None = always ``holdup``.
    """
    out = np.concatenate(([0.0], np.cumsum(moved)))
    left = np.concatenate(([0.0], np.cumsum(weights)))
    inside = np.full(len(out), holdup) if held is None else np.concatenate((held[:1], held))
    came = np.maximum.accumulate(out + np.maximum(inside, 0.0))
    marks = np.interp(came, *_rising(out, left))
    return np.diff(marks), float(marks[0])


def _rising(x: Array, y: Array) -> tuple[Array, Array]:
    """For ``interp``: of points with one x the last counts, so that weights of a standstill are not lost."""
    last = np.append(np.diff(x) > 0.0, True)
    return x[last], y[last]


def _slope(held: Array, step_s: float) -> Array:
    """How fast a hold-up grows, from a mean over three steps: a level is noisy."""
    if len(held) < 4:
        return np.zeros(len(held))
    padded = np.concatenate((held[:1], held, held[-1:]))
    smooth = np.convolve(padded, np.full(3, 1.0 / 3.0), mode="valid")
    return np.gradient(smooth, step_s)


def _filled(values: Array, floor: float = -np.inf) -> Array:
    """Gaps take the last known value; a gap at the begin the first known one, or 0."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    at = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    filled = values[at]
    filled[: int(np.argmax(known))] = values[int(np.argmax(known))]
    return np.maximum(filled, floor)
