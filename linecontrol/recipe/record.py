"""A run as it stands: its fields, what a crash must not take away (snapshot), and what people see (status)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from linecontrol.core.model import Text
from linecontrol.recipe.bench import Points
from linecontrol.recipe.model import ControlRecipe
from linecontrol.recipe.params import PromptParams
from linecontrol.recipe.progress import Prompt, Reason, RunStatus, expected_s, lane, schedule_s
from linecontrol.recipe.states import ENDED, RunMode, RunState, legal
from linecontrol.recipe.unit import UnitRun

FORMAT = 1
ACTIVE = frozenset({RunState.RUNNING, RunState.PAUSING, RunState.PAUSED, RunState.RESTARTING})
"""States in which phases may be under way."""


@dataclass(slots=True)
class Run:
    """All that a Reset forgets. Only the engine changes it.

    Attributes:
        proceeds: by unit procedure, the phase a person has let begin (Semi-automatic).
        restores: the next time unit procedures begin, they set their outputs again first.
    """

    recipe: ControlRecipe
    units: dict[str, UnitRun]
    points: Points
    run_id: str = ""
    state: RunState = RunState.IDLE
    mode: RunMode = RunMode.AUTOMATIC
    reason: Reason | None = None
    started_at: float | None = None
    ended_at: float | None = None
    proceeds: dict[str, str] = field(default_factory=dict)
    restores: bool = False

    @property
    def is_finished(self) -> bool:
        return all(unit.is_finished for unit in self.units.values())


def snapshot(run: Run, seq: int, now: float) -> dict[str, Any]:
    """All that is needed to go on after a crash, JSON-able."""
    recipe = run.recipe
    return {
        "format": FORMAT,
        "seq": seq,
        "run_id": run.run_id,
        "recipe": {
            "name": recipe.name,
            "version": recipe.version,
            "hash": recipe.hash,
            "text": recipe.text,
            "values": recipe.values,
        },
        "state": run.state.value,
        "mode": run.mode.value,
        "line_time": now,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "reason": None if run.reason is None else run.reason.as_json(),
        "points": {point: sorted(units) for point, units in run.points.arrivals.items()},
        "units": {name: unit.snapshot() for name, unit in run.units.items()},
    }


def frozen_recipe(recorded: Mapping[str, Any]) -> ControlRecipe:
    """The control recipe of a snapshot. Raises ValueError, KeyError, TypeError or ConfigError."""
    held = recorded["recipe"]
    recipe = ControlRecipe.from_text(held["text"], held["values"])
    if recipe.hash != held["hash"]:
        raise ValueError(f"the recipe's text does not fit its hash {held['hash']}")
    if recorded["format"] != FORMAT:
        raise ValueError(f"format {recorded['format']} (accepted: {FORMAT})")
    return recipe


def load(run: Run, recorded: Mapping[str, Any]) -> None:
    """Fill ``run`` from a snapshot. Raises ValueError, KeyError or TypeError when it cannot be read."""
    run.run_id = str(recorded["run_id"])
    run.state, run.mode = RunState(recorded["state"]), RunMode(recorded["mode"])
    run.started_at, run.ended_at = recorded["started_at"], recorded["ended_at"]
    run.reason = None if recorded["reason"] is None else Reason(**recorded["reason"])
    for point, units in recorded["points"].items():
        run.points.arrivals[point] = set(units)
    for name, unit in run.units.items():
        unit.load(recorded["units"][name])


def prompts(run: Run) -> tuple[Prompt, ...]:
    """Questions that wait for an answer now."""
    found = []
    for unit in run.units.values():
        step = unit.step
        if step is None or not isinstance(step.params, PromptParams) or run.state not in ACTIVE:
            continue
        progress = unit.progress.get(step.name, {})
        if "asked_at" in progress and "answered_by" not in progress:
            words, key = step.params.text, f"{run.run_id}:{unit.name}:{step.name}"
            found.append(Prompt(key, unit.name, step.name, Text(words.en, words.zh), progress["asked_at"]))
    return tuple(found)


def status(run: Run) -> RunStatus:
    """The whole run for a status page."""
    recipe, passed = run.recipe, run.points.passed()
    lanes = {
        name: lane(unit.unit.steps, unit.index, unit.progress.get(unit.step.name, {}) if unit.step else {}, passed)
        for name, unit in run.units.items()
    }
    left = schedule_s(lanes)
    time_left_s = 0.0 if run.state in ENDED else max(left.values(), default=0.0)
    whole_s = max(expected_s(recipe.units), time_left_s, 1e-9)
    return RunStatus(
        run_id=run.run_id,
        recipe=recipe.name,
        version=recipe.version,
        title=Text(recipe.recipe.title.en, recipe.recipe.title.zh),
        recipe_hash=recipe.hash,
        values=recipe.values,
        state=run.state.value,
        mode=run.mode.value,
        legal=tuple(command.value for command in legal(run.state)),
        reason=run.reason,
        started_at=run.started_at,
        ended_at=run.ended_at,
        time_left_s=time_left_s,
        done_fraction=1.0 if run.state is RunState.COMPLETE else 1.0 - time_left_s / whole_s,
        units=tuple(unit.status(left[name]) for name, unit in run.units.items()),
        prompts=prompts(run),
        points_passed=passed,
    )
