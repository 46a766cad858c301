"""A designed experiment among the runs of a history: its factors, its response surface, the setting to try next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linecontrol.analysis.compare import COMPLETE
from linecontrol.analysis.metrics import Metric, Record, metric_named, number, word
from linecontrol.analysis.records import find_records
from linecontrol.analysis.statistics.groups import plain
from linecontrol.analysis.statistics.surface import Goal, Proposal, Surface, fit_surface
from linecontrol.analysis.told import told
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader


@dataclass(frozen=True, slots=True)
class Experiment:
    """A fitted experiment. ``proposal`` is a proposal: somebody has to try it."""

    metric: Metric
    surface: Surface
    proposal: Proposal
    goal: Goal
    tried: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Settings of the runs, by factor."""

    def to_dict(self) -> dict[str, Any]:
        surface = self.surface.to_dict()
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "title": {"en": self.metric.title.en, "zh": self.metric.title.zh},
            "goal": self.goal,
            "surface": surface,
            "proposal": self.proposal.to_dict(),
            "map": self.drawn(),
            "statement": self.statement(),
        }

    def drawn(self) -> dict[str, Any] | None:
        """The surface over its two strongest factors, the others held as proposed; None when there is only one."""
        at, ranges = self.proposal.at, self.surface.ranges
        if len(ranges) < 2:
            return None
        weight = dict.fromkeys(ranges, 0.0)
        for term in self.surface.terms:
            for name in {*term.name.removesuffix("^2").split("*")} & set(ranges):
                weight[name] += abs(term.value)
        across, up = sorted(sorted(ranges, key=lambda name: -weight[name])[:2], key=list(ranges).index)
        xs, ys, z = self.surface.grid(across, up, at)
        tried = zip(self.tried.get(across, ()), self.tried.get(up, ()), strict=True)
        return {
            "across": across,
            "up": up,
            "x": [float(x) for x in xs],
            "y": [float(y) for y in ys],
            "z": [[plain(float(value)) for value in row] for row in z],
            "at": [at[across], at[up]],
            "held": {name: value for name, value in at.items() if name not in (across, up)},
            "tried": sorted({pair for pair in tried if all(math.isfinite(value) for value in pair)}),
        }

    def statement(self) -> str:
        """The proposal as a sentence."""
        found, unit, apart, digits = self.proposal, self.metric.unit, self.metric.apart_unit, self.metric.digits
        at = ", ".join(f"{name} = {value:.4g}" for name, value in found.at.items())
        span = f"{found.gain_low:+.{digits}f} to {found.gain_high:+.{digits}f}"
        if not found.is_better:
            return (
                f"No setting is told to be better: the best of this surface ({at}) promises {found.gain:+.{digits}f} "
                f"{apart}, 95 %: {span}. More runs, or wider ranges, before anything is changed."
            )
        border = f" It lies at the end of what was tried ({', '.join(found.on_border)})." if found.on_border else ""
        return (
            f"Proposal, to be tried by a person: {at}. Expected {self.metric.title.en.lower()} "
            f"{found.expected:.{digits}f} {unit}, a gain of {found.gain:+.{digits}f} {apart} (95 %: {span}).{border}"
        )


def factors_of(records: Sequence[Record], names: Sequence[str] = ()) -> dict[str, list[float]]:
    """Recipe values that were varied among these runs, or those named. Raises ConfigError for one that was not."""
    every = dict.fromkeys(name for record in records for name in (record.get("values") or {}))
    for name in names:
        if name not in every:
            known = ", ".join(every) or "none"
            raise ConfigError([Problem("", None, "factor", f"no run has a recipe value {name!r}", known)])
    found = {}
    for name in names or every:
        values = [number((record.get("values") or {}).get(name)) for record in records]
        known_values = [v for v in values if math.isfinite(v)]
        if names or (known_values and max(known_values) > min(known_values)):
            found[name] = values
    return found


def analyse(
    records: Sequence[Record],
    metric: str = "yield",
    factors: Sequence[str] = (),
    *,
    instead_of: Mapping[str, float] | None = None,
    goal: Goal = "max",
    model: str = "auto",
) -> Experiment:
    """The experiment in these runs; runs of one lot at several settings are compared within it. Pure.

    Raises ConfigError when nothing was varied, or too little was run.
    """
    named = metric_named(metric)
    varied = factors_of(records, factors)
    lots = [word(record, "lot") for record in records]
    with told("surface"):
        surface = fit_surface([named.of(record) for record in records], varied, lots, model=model)
        proposal = surface.propose(instead_of, goal)
    return Experiment(named, surface, proposal, goal, varied)


def asked_surface(
    reader: HistoryReader,
    metric: str = "yield",
    factors: Sequence[str] = (),
    where: str = "",
    run_ids: Sequence[str] = (),
    instead_of: Mapping[str, float] | None = None,
    goal: Goal = "max",
    model: str = "auto",
) -> dict[str, Any]:
    """The experiment among the runs that fit; without a condition, among the complete ones."""
    records = find_records(reader, where or ("" if run_ids else COMPLETE), run_ids)
    return analyse(records, metric, factors, instead_of=instead_of, goal=goal, model=model).to_dict()
