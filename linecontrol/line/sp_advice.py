"""Set-point advice for a recorded run: what its history says, and the pure advice on it (``control.sp_advice``).

Imported by the process that reads the history, so it must not import the web framework. It writes nothing: who takes
the advice gives a command as any person does.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linecontrol.config import LineConfig
from linecontrol.control.loop import Mode
from linecontrol.control.sp_advice import Advice, Ceiling, advise_set_point
from linecontrol.core.errors import ConfigError, Problem, StateError, StorageError
from linecontrol.core.model import Sample
from linecontrol.history.reader import HistoryReader
from linecontrol.recipe.states import RunState

RISK = 1e-3  # share of the time above the critical limit
MARGIN = 0.3  # kept between set point and critical limit whatever the spread [unit of the loop]
GRID_S = 10.0
SETTLED_S = 300.0  # after the loop took over or its set point moved, its deviations are not its spread
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class AdviceOf:
    """What the advice of one loop needs of its line file."""

    loop: str
    unit: str
    pv: str
    flow: str
    least_flow: float
    ceiling: Ceiling


def advice_of(config: LineConfig) -> AdviceOf:
    """The loop whose measurement has a critical upper limit. Raises ConfigError when the line has none."""
    guard = config.line.guard
    for loop in config.line.loops:
        if guard is None:
            break
        highs = [row.high for row in guard.critical_limits if row.tag == loop.pv and row.high is not None]
        if highs:
            flow, least = (guard.flow.tag, guard.flow.min) if loop.needs is None else (loop.needs.tag, loop.needs.min)
            ceiling = Ceiling(min(highs), MARGIN, loop.sp.low, loop.sp.high)
            return AdviceOf(loop.name, loop.unit, loop.pv, flow, least, ceiling)
    problem = Problem(str(config.path), None, "guard", "no loop's measurement has a critical limit", "a line with one")
    raise ConfigError([problem])


def run_advice(reader: HistoryReader, about: AdviceOf, run_id: str, risk: float = RISK) -> dict[str, Any]:
    """The advice on a run, as plain values; ``set_point`` is None when there is none, and ``reason`` says why.

    Raises ConfigError for a run that is not on record, StorageError when the history cannot be read.
    """
    run = reader.run(run_id)
    if run is None or run.started_at is None:
        known = ", ".join(row.run_id for row in reader.runs(3)) or "no run is on record"
        raise ConfigError([Problem("", None, "run", f"there is no run {run_id!r}", known)])
    name, recorded = about.loop, reader.tags()
    wanted = [f"{name}.MODE", f"{name}.WSP", about.pv, about.flow, "RUN.STATE", "RUN.ID"]
    also = [f"{name}.EST", f"{name}.EST_U", f"{about.pv}.COR", f"{about.pv}.BIAS_U"]
    missing = [tag for tag in wanted if tag not in recorded]
    if missing:
        raise StorageError(f"not recorded on this line: {', '.join(missing)}")
    tags = [*wanted, *(tag for tag in also if tag in recorded)]
    found = {tag: reader.samples([tag], run.started_at, run.ended_at, MOST_ROWS)[tag] for tag in tags}
    end = run.ended_at or max((rows[-1].time for rows in found.values() if rows), default=run.started_at)
    look = Looked(found)
    settled = look.in_control(about, run_id, run.started_at, end)
    deviations, unseen, how = _deviations(look, about, settled)
    advice = advise_set_point(deviations, unseen, risk, about.ceiling)
    present = look.number(f"{name}.WSP", settled[-1]) if settled else math.nan
    answer: dict[str, Any] = {
        "run_id": run_id,
        "loop": name,
        "unit": about.unit,
        "limit": about.ceiling.limit,
        "most": about.ceiling.most,
        "present": _plain(present),
        "hours": round(len(settled) * GRID_S / 3600.0, 3),
        "stands_on": how,
        "set_point": None,
        "reason": "",
    }
    if isinstance(advice, Advice):
        return answer | {key: _plain(value) for key, value in asdict(advice).items()}
    return answer | {"reason": advice.reason, "risk": risk}


def _deviations(look: Looked, about: AdviceOf, times: Sequence[float]) -> tuple[list[float], float, str]:
    """Deviations from the set point, what they do not show, and what they are made of.

    The estimate is free of the meter's noise, and says itself how uncertain it is; without one the corrected reading
    counts, its noise taken for moisture (which is on the safe side).
    """
    sps = [look.number(f"{about.loop}.WSP", t) for t in times]
    estimates = [look.number(f"{about.loop}.EST", t) for t in times]
    us = [look.number(f"{about.loop}.EST_U", t) for t in times]
    bias_us = [u for t in times if math.isfinite(u := look.number(f"{about.pv}.BIAS_U", t))]
    bias_u = bias_us[-1] if bias_us else 0.0
    known = [math.isfinite(e) and math.isfinite(u) for e, u in zip(estimates, us, strict=True)]
    if times and sum(known) >= 0.9 * len(times):
        own = math.sqrt(sum(u * u for u, ok in zip(us, known, strict=True) if ok) / sum(known))
        found = [e - sp for e, sp, ok in zip(estimates, sps, known, strict=True) if ok]
        return found, math.hypot(own, bias_u), "estimate"
    corrected = f"{about.pv}.COR" if look.has(f"{about.pv}.COR") else about.pv
    return [look.number(corrected, t) - sp for t, sp in zip(times, sps, strict=True)], bias_u, "meter"


class Looked:
    """Recorded samples, asked for at any time: each holds until the next."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples
        self._times = {tag: [sample.time for sample in rows] for tag, rows in samples.items()}

    def has(self, tag: str) -> bool:
        return bool(self._samples.get(tag))

    def at(self, tag: str, time: float) -> Sample | None:
        place = bisect_right(self._times.get(tag, ()), time)
        return self._samples[tag][place - 1] if place else None

    def number(self, tag: str, time: float) -> float:
        sample = self.at(tag, time)
        return math.nan if sample is None else sample.number

    def in_control(self, about: AdviceOf, run_id: str, start: float, end: float) -> list[float]:
        """Times on the grid at which the loop had been in control of flowing powder, at one set point, long enough."""
        times, since, sp_before = [], None, math.nan
        for step in range(int((end - start) / GRID_S) + 1):
            t = start + step * GRID_S
            state, run = self.at("RUN.STATE", t), self.at("RUN.ID", t)
            sp = self.number(f"{about.loop}.WSP", t)
            works = (
                state is not None
                and state.value == RunState.RUNNING.value
                and run is not None
                and run.value == run_id
                and self.number(f"{about.loop}.MODE", t) == Mode.AUTO
                and self.number(about.flow, t) >= about.least_flow
            )
            if not works or sp != sp_before:
                since = None
            sp_before = sp
            if works:
                since = t if since is None else since
                if t - since >= SETTLED_S:
                    times.append(t)
        return times


def check_taken(advice: Mapping[str, Any], wanted: float) -> None:
    """Raises StateError when a set point is more than what was advised (a lower one is always safe to take)."""
    if advice["set_point"] is None:
        raise StateError(f"there is no advice to take: {advice['reason']}")
    if not wanted <= float(advice["set_point"]) + 1e-9:
        unit = advice["unit"]
        raise StateError(
            f"{wanted:g} {unit} is above what is advised now (accepted: up to {advice['set_point']:g} {unit})"
        )


def _plain(value: Any) -> Any:
    return (round(value, 6) if math.isfinite(value) else None) if isinstance(value, float) else value
