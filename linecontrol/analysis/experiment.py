"""A designed experiment among the runs of a history: its factors, its response surface, the setting to try next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linecontrol.analysis.compare import COMPLETE
from linecontrol.analysis.metrics import Metric, Record, metric_named, number, word
from linecontrol.analysis.records import find_records
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

    def to_dict(self) -> dict[str, Any]:
        surface = self.surface.to_dict()
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "title": {"en": self.metric.title.en, "zh": self.metric.title.zh},
            "goal": self.goal,
            "surface": surface,
            "proposal": self.proposal.to_dict(),
            "statement": self.statement(),
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
    return Experiment(named, surface, proposal, goal)


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
