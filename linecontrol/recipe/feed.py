"""The phase that feeds a counted amount. Whatever happens in between (Hold, kill -9), nothing is counted twice.

The baseline of the total is taken once and recorded before the feed starts; all later reckoning is total minus
baseline. Readings are medians of three, so one corrupt telegram neither ends the feed nor moves the baseline.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

from linecontrol.recipe.equipment import Equipment, PhaseFailed
from linecontrol.recipe.params import FeedParams

SAME_STAMP_S = 3.0  # a reading whose stamp has not moved counts as a new one after so long [line s]


async def drive_loop(eq: Equipment, loop: str, mode: str, sp: float | None, op: float | None) -> None:
    """Bring a loop to a mode; with an ``op`` its output starts from there, whatever the mode."""
    if mode == "MAN":
        await eq.set_loop(loop, mode="MAN", op=op)
        return
    if op is not None:
        await eq.set_loop(loop, mode="MAN", op=op)
    if mode == "AUTO":
        await eq.set_loop(loop, mode="AUTO", sp=sp)
    elif mode == "CAS":
        await eq.set_loop(loop, mode="CAS")
    else:
        await eq.set_loop(loop, mode="REMOTE")


class Total:
    """Median of the last three readings of a totaliser that are of different age."""

    def __init__(self, eq: Equipment, tag: str) -> None:
        self._eq, self.tag = eq, tag
        self._readings: list[float] = []
        self._stamp = -math.inf
        self._taken = -math.inf

    def read(self) -> float | None:
        """The median, or None while fewer than three good readings have been seen."""
        sample, now = self._eq.sample(self.tag), self._eq.now()
        value = sample.number
        if not math.isnan(value) and (sample.time != self._stamp or now - self._taken >= SAME_STAMP_S):
            self._stamp, self._taken = sample.time, now
            self._readings = [*self._readings[-2:], value]
        return statistics.median(self._readings) if len(self._readings) == 3 else None


async def feed_until(eq: Equipment, params: FeedParams, progress: dict[str, Any]) -> None:
    """Feed until ``total`` has risen by ``amount`` since this phase first began, then stop the feed."""
    total = Total(eq, params.total)
    progress["waiting_for"] = f"{total.tag} to be readable"
    await eq.wait_until(lambda: total.read() is not None)
    at = total.read() or 0.0
    risen = float(progress.get("risen", 0.0))
    if "baseline" not in progress:
        progress["baseline"] = at
        await eq.checkpoint()
    elif at < float(progress["baseline"]) + risen - _slack(at):
        # the PLC lost its count and a person has restarted the run: go on from what was known
        eq.note(f"{total.tag} is back at {at:g}; going on from {risen:.1f} fed")
        progress["baseline"] = at - risen
        await eq.checkpoint()
    if at - float(progress["baseline"]) < params.amount:
        await _start(eq, params)
        await eq.wait_until(_FeedWatch(eq, total, params, progress).is_fed)
    await _end(eq, params)
    progress.update(done_fraction=1.0, remaining_s=0.0)


async def _start(eq: Equipment, params: FeedParams) -> None:
    for tag, value in params.set.items():
        await eq.set(tag, value)
    if params.loop is not None:
        await drive_loop(eq, params.loop.loop, params.loop.mode, params.loop.sp, params.loop.op)


async def _end(eq: Equipment, params: FeedParams) -> None:
    if params.loop is not None:
        await eq.set_loop(params.loop.loop, mode="MAN", op=0.0)
    for tag, value in params.set.items():
        await eq.set(tag, False if isinstance(value, bool) else 0.0)


class _FeedWatch:
    """Watches the total while feeding: how much has risen, at what rate, whether it stands still or fell."""

    def __init__(self, eq: Equipment, total: Total, params: FeedParams, progress: dict[str, Any]) -> None:
        self._eq, self._total, self._params, self._progress = eq, total, params, progress
        self._entered = self._moved = eq.now()
        self._first = self._highest = total.read() or 0.0

    def is_fed(self) -> bool:
        """Whether the amount is in. Raises PhaseFailed when the total stands still or fell."""
        now, at = self._eq.now(), self._total.read() or 0.0
        if at < self._highest - _slack(at):
            raise PhaseFailed(
                f"{self._total.tag} fell from {self._highest:g} to {at:g} while feeding: was the PLC restarted?"
            )
        if at > self._highest:
            self._highest, self._moved = at, now
        if now - self._moved > self._params.stall_s:
            raise PhaseFailed(f"{self._total.tag} has not risen for {self._params.stall_s:g} s while feeding")
        self._show(at, now)
        return at - float(self._progress["baseline"]) >= self._params.amount

    def _show(self, at: float, now: float) -> None:
        amount, progress = self._params.amount, self._progress
        risen = at - float(progress["baseline"])
        progress.update(risen=risen, done_fraction=min(max(risen / amount, 0.0), 1.0))
        progress["waiting_for"] = f"{self._total.tag} risen by {amount:g}, {risen:.1f} so far"
        gained, passed_s = at - self._first, now - self._entered
        if gained > 0 and passed_s >= 60.0:
            progress["remaining_s"] = max(amount - risen, 0.0) / (gained / passed_s)


def _slack(reading: float) -> float:
    """How far a total may read back without being a fall: rounding of a float32 or a display, not material."""
    return 0.05 + abs(reading) * 1e-6
