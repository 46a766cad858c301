"""A common time for runs: from their start, to their end, or stretched so that phases begin together. Pure.

Stretched by phase, each phase gets the median of its lengths over the runs, and within it time runs evenly. A signal is
stretched by the phases of its own station, since stations pass through theirs side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.overlay.trace import Phase, RunTraces

Floats = NDArray[np.float64]
How = Literal["start", "end", "phase"]
HOWS: tuple[How, ...] = ("start", "end", "phase")
POINTS = 600


@dataclass(frozen=True, slots=True)
class Overlay:
    """One signal of several runs on one axis.

    Attributes:
        axis_s: (n,) common time [s]: since the start, before the end (below 0), or of the median run.
        values: (n_runs, n) in ``unit``; NaN where a run has no value, or is over.
        phases: on the common axis; empty unless the runs are stretched by them.
    """

    tag: str
    unit: str
    how: How
    runs: tuple[str, ...]
    axis_s: Floats
    values: Floats
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """How the common time of one unit procedure maps to each run's own: both rising, (n_knots,)."""

    common_s: Floats
    own_s: Mapping[str, Floats]
    phases: tuple[Phase, ...]


def overlay(runs: Sequence[RunTraces], tag: str, how: How = "start", points: int = POINTS) -> Overlay:
    """One signal of all runs that have it. Raises ValueError when none has, or they have no phase in common."""
    having = [run for run in runs if tag in run.signals]
    if not having:
        raise ValueError(f"none of these runs has a record of {tag}")
    first = having[0].signals[tag]
    if how == "phase":
        stretch = stretched(having, first.station)
        axis = np.linspace(0.0, float(stretch.common_s[-1]), points)
        times = {run.run_id: np.interp(axis, stretch.common_s, stretch.own_s[run.run_id]) for run in having}
        phases = stretch.phases
    else:
        longest = max(run.length_s for run in having)
        axis = np.linspace(0.0, longest, points) - (longest if how == "end" else 0.0)
        times = {run.run_id: axis + (run.length_s if how == "end" else 0.0) for run in having}
        phases = ()
    rows = []
    for run in having:
        own = times[run.run_id]
        inside = (own >= -1e-9) & (own <= run.length_s + 1e-9)
        rows.append(np.where(inside, run.signals[tag].at(own), np.nan))
    return Overlay(tag, first.unit, how, tuple(run.run_id for run in having), axis, np.array(rows), phases)


def stretched(runs: Sequence[RunTraces], unit: str) -> Stretch:
    """The stretch by the phases of a unit procedure; of all the line's when it has none of that name.

    Phases count that every run has, in the order of the first run; one that a run went through twice (after a Hold)
    begins when it first began. Raises ValueError when they have none in common.
    """
    begins = [_begins(run, unit) for run in runs]
    common = [name for name in begins[0] if all(name in rows for rows in begins)]
    order: list[str] = []
    for name in common:  # only those that come in the same order in every run
        if all(not order or rows[name] >= rows[order[-1]] for rows in begins):
            order.append(name)
    if not order:
        raise ValueError(f"these runs have no phase of {unit or 'a station'} in common; align them by start or end")
    own = {}
    for run, rows in zip(runs, begins, strict=True):
        knots = [0.0, *(min(max(0.0, rows[name]), run.length_s) for name in order), run.length_s]
        own[run.run_id] = np.maximum.accumulate(np.array(knots))
    lengths = np.median(np.diff(np.array(list(own.values())), axis=1), axis=0)
    knots_s = np.concatenate(([0.0], np.cumsum(lengths)))
    titles = {phase.name: phase.title for phase in runs[0].phases_of(unit) or runs[0].phases}
    phases = tuple(
        Phase(unit, name, float(knots_s[i + 1]), float(knots_s[i + 2]), titles[name]) for i, name in enumerate(order)
    )
    return Stretch(knots_s, own, phases)


def _begins(run: RunTraces, unit: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for phase in run.phases_of(unit) or run.phases:
        found.setdefault(phase.name, phase.begin_s)
    return dict(sorted(found.items(), key=lambda row: row[1]))
