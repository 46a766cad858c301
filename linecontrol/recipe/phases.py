"""The phase kinds: one async function each, and the table that names them.

Rules every phase keeps:
* Hold cancels it; Restart calls it again with the same ``progress``, so it must be able to begin again anywhere.
* ``progress`` is JSON-able and all it remembers. ``done_fraction``, ``remaining_s`` [line s] and ``waiting_for`` (a
  sentence) are shown to people; ``elapsed_s`` belongs to the engine, which also enforces the time limit.
* A BAD sample is never acted on: a condition that cannot be seen is not met.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from linecontrol.recipe import params as p
from linecontrol.recipe.equipment import Equipment
from linecontrol.recipe.feed import drive_loop, feed_until

Progress = dict[str, Any]
_DAY_S = 86_400.0


def _judge(eq: Equipment, progress: Progress, for_s: float, wish: str, claim: Callable[[], bool]) -> Callable[[], bool]:
    """``claim`` held without a break for ``for_s`` [line s], as a predicate; says in ``progress`` what is missing."""
    since: float | None = None

    def is_met() -> bool:
        nonlocal since
        if not claim():
            since = None
            progress["waiting_for"] = wish
            return False
        since = eq.now() if since is None else since
        held_s = eq.now() - since
        progress["waiting_for"] = f"{wish} for {for_s:g} s, {held_s:.0f} s so far"
        return held_s >= for_s

    return is_met


async def switch_station(eq: Equipment, command: str, running: str, on: bool) -> None:
    """Command a station's run tag and wait until it says so.

    A PLC that has tripped keeps the command but does not run: it is given the new edge it waits for.
    """
    if on and eq.sample(command).value in (True, 1) and eq.sample(running).value in (False, 0):
        await eq.set(command, False)
    await eq.set(command, on)
    await eq.wait_until(lambda: eq.sample(running).is_good and bool(eq.sample(running).value) is on)


async def start_station(eq: Equipment, params: p.StationParams, progress: Progress) -> None:
    progress["waiting_for"] = f"{params.running} on"
    await switch_station(eq, params.command, params.running, True)


async def stop_station(eq: Equipment, params: p.StationParams, progress: Progress) -> None:
    progress["waiting_for"] = f"{params.running} off"
    await switch_station(eq, params.command, params.running, False)


async def set_tags(eq: Equipment, params: p.SetParams, _progress: Progress) -> None:
    for tag, value in params.values.items():
        await eq.set(tag, value)


async def set_loop(eq: Equipment, params: p.LoopParams, progress: Progress) -> None:
    if params.ramp_per_min is None or params.ramp_from is None or params.sp is None:
        await drive_loop(eq, params.loop, params.mode, params.sp, params.op)
        return
    progress["waiting_for"] = f"{params.ramp_from} to be readable"
    await eq.wait_until(lambda: not math.isnan(eq.sample(params.ramp_from or "").number))
    # from the measured value each time: after a Hold the plant is not where the ramp had been
    at = eq.sample(params.ramp_from).number
    if params.ramp_start_at_least is not None:
        at = max(at, params.ramp_start_at_least)
    await drive_loop(eq, params.loop, params.mode, at, params.op)

    async def step(value: float) -> None:
        await eq.set_loop(params.loop, sp=value)

    await _walk(eq, at, params.sp, params.ramp_per_min, 5.0, step, progress)


async def ramp(eq: Equipment, params: p.RampParams, progress: Progress) -> None:
    progress["waiting_for"] = f"{params.tag} to be readable"
    await eq.wait_until(lambda: not math.isnan(eq.sample(params.tag).number))

    async def step(value: float) -> None:
        await eq.set(params.tag, value)

    await _walk(eq, eq.sample(params.tag).number, params.to, params.per_min, params.step_s, step, progress)


async def _walk(
    eq: Equipment,
    start: float,
    to: float,
    per_min: float,
    step_s: float,
    step: Callable[[float], Awaitable[None]],
    progress: Progress,
) -> None:
    """Call ``step`` along the straight line from ``start`` to ``to``, by the clock; the last call is ``to`` exactly."""
    span = abs(to - start)
    began, total_s = eq.now(), span / per_min * 60.0
    while (passed_s := eq.now() - began) < total_s:
        await step(start + (to - start) * passed_s / total_s)
        progress.update(remaining_s=total_s - passed_s, done_fraction=passed_s / total_s, waiting_for=f"ramp to {to:g}")
        await eq.sleep(min(step_s, total_s - passed_s))
    await step(to)
    progress.update(remaining_s=0.0, done_fraction=1.0)


async def wait_until(eq: Equipment, params: p.WaitParams, progress: Progress) -> None:
    def claim() -> bool:
        value = eq.sample(params.tag).number
        if params.at_least is not None:
            return value >= params.at_least
        if params.at_most is not None:
            return value <= params.at_most
        return params.within is not None and abs(value - params.within.of) <= params.within.by

    is_met = _judge(eq, progress, params.for_s, _wish(params), claim)
    other = params.or_arrived
    await eq.wait_until(lambda: (other is not None and eq.arrived(other)) or is_met())


def _wish(params: p.WaitParams) -> str:
    if params.at_least is not None:
        return f"{params.tag} ≥ {params.at_least:g}"
    if params.at_most is not None:
        return f"{params.tag} ≤ {params.at_most:g}"
    within = params.within
    return f"{params.tag} within {within.by:g} of {within.of:g}" if within is not None else params.tag


async def dwell(eq: Equipment, params: p.DwellParams, progress: Progress) -> None:
    while (left_s := params.time_s - float(progress.get("dwelt_s", 0.0))) > 0:
        progress.update(remaining_s=left_s, done_fraction=1.0 - left_s / params.time_s, waiting_for="time to pass")
        began = eq.now()
        try:
            await eq.sleep(min(left_s, 1.0))
        finally:  # also when cancelled: the part of a second counts
            progress["dwelt_s"] = params.time_s - left_s + min(eq.now() - began, left_s)
    progress.update(remaining_s=0.0, done_fraction=1.0)


async def run_out(eq: Equipment, params: p.RunOutParams, progress: Progress) -> None:
    def claim() -> bool:
        is_empty = eq.sample(params.level).number < params.below
        if params.rate is None or params.rate_below is None:
            return is_empty
        return is_empty and eq.sample(params.rate).number < params.rate_below

    wish = f"{params.level} < {params.below:g}"
    if params.rate is not None:
        wish += f" and {params.rate} < {params.rate_below:g}"
    await eq.wait_until(_judge(eq, progress, params.for_s, wish, claim))


async def sync(eq: Equipment, params: p.SyncParams, progress: Progress) -> None:
    progress["waiting_for"] = f"the others at {params.point}"
    await eq.sync(params.point)


async def prompt(eq: Equipment, params: p.PromptParams, progress: Progress) -> None:
    """The engine keeps the answer in ``progress``, so that a Hold right after it does not ask again."""
    if "answered_by" not in progress:
        progress["waiting_for"] = f"an answer to: {params.text.en}"
        progress["answered_by"] = await eq.prompt(params.text.en, params.text.zh)


def ramp_s(sp: float | None, per_min: float | None) -> float:
    """A guess of a ramp's length [line s] when its start is not known: over all of ``sp``."""
    return 0.0 if sp is None or per_min is None else abs(sp) / per_min * 60.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One phase kind.

    Attributes:
        limit_s: time limit when the recipe names none [line s]. expect_s: usual length when the recipe names none.
        waits: it only waits for somebody else, so a run may be paused during it.
        replays: may stand in an operation's ``restart`` list.
    """

    params: type[p.Params]
    run: Callable[[Equipment, Any, Progress], Coroutine[Any, Any, None]]
    limit_s: Callable[[Any], float]
    expect_s: Callable[[Any], float]
    waits: bool = False
    replays: bool = True


KINDS: Mapping[str, Kind] = {
    "start_station": Kind(p.StationParams, start_station, lambda _: 180.0, lambda _: 5.0),
    "stop_station": Kind(p.StationParams, stop_station, lambda _: 180.0, lambda _: 5.0),
    "set": Kind(p.SetParams, set_tags, lambda _: 120.0, lambda _: 2.0),
    "loop": Kind(
        p.LoopParams,
        set_loop,
        lambda x: 120.0 + 2.0 * ramp_s(x.sp, x.ramp_per_min),
        lambda x: 2.0 + ramp_s(x.sp, x.ramp_per_min),
    ),
    "feed_until": Kind(p.FeedParams, feed_until, lambda _: 4 * 3600.0, lambda _: 1800.0, replays=False),
    "wait_until": Kind(p.WaitParams, wait_until, lambda x: 1800.0 + x.for_s, lambda x: 120.0 + x.for_s),
    "dwell": Kind(p.DwellParams, dwell, lambda x: x.time_s * 1.1 + 60.0, lambda x: x.time_s),
    "run_out": Kind(p.RunOutParams, run_out, lambda x: 3600.0 + x.for_s, lambda x: 300.0 + x.for_s, replays=False),
    "sync": Kind(p.SyncParams, sync, lambda _: 7 * _DAY_S, lambda _: 0.0, waits=True, replays=False),
    "prompt": Kind(p.PromptParams, prompt, lambda _: _DAY_S / 3, lambda _: 60.0, waits=True),
    "ramp": Kind(
        p.RampParams, ramp, lambda x: 600.0 + 2.0 * ramp_s(x.to, x.per_min), lambda x: ramp_s(x.to, x.per_min)
    ),
}
