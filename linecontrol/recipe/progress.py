"""What a run shows of itself, as plain records, and how long it may still take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linecontrol.core.model import Text
from linecontrol.recipe.steps import Step, Unit

Stretch = float | str
"""Something ahead of a unit procedure: a time [line s], or a synchronisation point by name."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is where it is.

    Attributes:
        cause: operator, phase, guard, controller, or another part's name.
        since: line time [s since 1970] of what it tells of.
        zh: the text in Chinese, where whoever told it knows it; "" = only in English.
    """

    text: str
    cause: str
    since: float
    who: str
    zh: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"text": self.text, "cause": self.cause, "since": self.since, "who": self.who, "zh": self.zh}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question that waits for a person. ``id`` stays the same when it is asked again after a restart."""

    id: str
    unit: str
    phase: str
    text: Text
    since: float


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """Where a unit procedure is.

    Attributes:
        phase, kind, title: the current phase; of the next one when ``waits_for_proceed``. None at the end.
        waiting_for: what the phase waits for, in words. point: where it meets the other unit procedures, in words.
        done_fraction: 0..1 of the phase, None when it cannot know. remaining_s: of the phase [line s].
        time_left_s: of the unit procedure, waiting for others included [line s].
    """

    name: str
    title: Text
    number: int
    count: int
    operation: Text | None
    phase: str | None
    kind: str | None
    phase_title: Text | None
    waiting_for: str
    point: Text | None
    waits_for_proceed: bool
    done_fraction: float | None
    remaining_s: float | None
    elapsed_s: float
    limit_s: float | None
    time_left_s: float
    is_finished: bool


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The whole run for a status page. Times in line seconds; instants in line time."""

    run_id: str
    recipe: str
    version: str
    title: Text
    recipe_hash: str
    values: Mapping[str, float | bool]
    state: str
    mode: str
    legal: tuple[str, ...]
    reason: Reason | None
    started_at: float | None
    ended_at: float | None
    time_left_s: float
    done_fraction: float
    units: tuple[UnitStatus, ...]
    prompts: tuple[Prompt, ...]
    points_passed: tuple[str, ...]


def schedule_s(lanes: Mapping[str, Sequence[Stretch]]) -> dict[str, float]:
    """When each unit procedure will be through [line s from now], given what lies ahead of each.

    At a point all lanes that name it wait for the last. Lanes that can never meet count what they have so far.
    """
    ahead = {unit: list(lane) for unit, lane in lanes.items()}
    at = dict.fromkeys(lanes, 0.0)
    while True:
        for unit, lane in ahead.items():
            while lane and not isinstance(lane[0], str):
                at[unit] += float(lane.pop(0))
        meeting = _meeting(ahead)
        if meeting is None:
            return at
        together = [unit for unit, lane in ahead.items() if lane and lane[0] == meeting]
        latest = max(at[unit] for unit in together)
        for unit in together:
            at[unit] = latest
            ahead[unit].pop(0)


def _meeting(ahead: Mapping[str, list[Stretch]]) -> str | None:
    """A point at which every lane that still names it stands."""
    for lane in ahead.values():
        if lane:
            point = lane[0]
            if all(point not in other or other[0] == point for other in ahead.values()):
                return str(point)
    return None


def lane(steps: Sequence[Step], index: int, progress: Mapping[str, Any], passed: Iterable[str]) -> list[Stretch]:
    """What lies ahead of one unit procedure: the rest of the phase at ``index``, then the phases after it."""
    gone = frozenset(passed)
    stretches: list[Stretch] = []
    for i, step in enumerate(steps[index:]):
        point = getattr(step.params, "point", None)
        if point is not None:
            if point not in gone:
                stretches.append(str(point))
        elif i == 0:
            stretches.append(remaining_s(step, progress))
        else:
            stretches.append(step.expect_s)
    return stretches


def remaining_s(step: Step, progress: Mapping[str, Any]) -> float:
    """Rest of a phase [line s]: what it says itself, else what it usually takes less what it has taken."""
    known = progress.get("remaining_s")
    if known is not None:
        return max(float(known), 0.0)
    return max(step.expect_s - float(progress.get("elapsed_s", 0.0)), 0.0)


def expected_s(units: Iterable[Unit]) -> float:
    """Usual length of a whole run [line s]."""
    return max(schedule_s({unit.name: lane(unit.steps, 0, {}, ()) for unit in units}).values(), default=0.0)
