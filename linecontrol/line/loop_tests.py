"""Tests on the loops of a line, inside the control cycle: what a test may look at, and when it must let go.

Here a test only moves an output. Who may start one, and what comes of it, is the tuning desk's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from linecontrol.control.loop import Loop, LoopOutput
from linecontrol.control.loop_settings import LoopSettings, Mode
from linecontrol.control.tuning.live import LiveTest
from linecontrol.control.tuning.plan import Stage
from linecontrol.core.model import Sample

STAGES = (Stage.REST, Stage.STILL, Stage.MOVING, Stage.SETTLING, Stage.RETURNING)
"""Of the tag ``<loop>.TEST``: 0 = no test, else one more than the place here."""
_LOOP_KEYS = ("MODE", "SP", "OP", "K", "TI", "TD")


@dataclass(slots=True)
class Session:
    """A test with what it was asked for.

    Attributes:
        who, reason: who started it, and why. began: line time [s]. mode: of the loop at its start.
        lease_s: it is aborted when nobody has asked for it for so long [real s]; inf = never. seen: last time [real s].
    """

    loop: str
    test: LiveTest
    who: str
    reason: str
    began: float
    mode: Mode
    run_state: str | None
    lease_s: float = math.inf
    seen: float = 0.0
    stopped_by: str = ""


class LoopSight(NamedTuple):
    """What a test sees of its loop each cycle: its settings, itself, its last output and its inner loop's, its PV."""

    row: LoopSettings
    loop: Loop
    out: LoopOutput | None
    inner: LoopOutput | None
    pv: Sample
    is_available: bool
    has_work: bool


class LoopTests:
    """The tests under way, one per loop at most."""

    def __init__(self, settings: Sequence[LoopSettings]) -> None:
        self._settings = {row.name: row for row in settings}
        self.running: dict[str, Session] = {}

    def begin(self, session: Session) -> None:
        """Raises ValueError when the loop is under test already."""
        if session.loop in self.running:
            raise ValueError(f"{session.loop} is under test already")
        self.running[session.loop] = session

    def stage_number(self, name: str) -> int:
        """Value of the tag ``<loop>.TEST``."""
        session = self.running.get(name)
        return 0 if session is None or session.test.is_ended else 1 + STAGES.index(session.test.stage)

    def view(self, name: str) -> str | None:
        """Stage of the loop's test; None = no test."""
        session = self.running.get(name)
        return None if session is None or session.test.is_ended else session.test.stage.value

    def owner_of(self, tag: str, source: str) -> tuple[str, str] | None:
        """Whom a command meets on a loop under test. A recipe gets through: it outranks a test, which then lets go."""
        for name, session in self.running.items():
            row = self._settings[name]
            is_own = tag in {f"{name}.{key}" for key in _LOOP_KEYS}
            if (is_own and source != "recipe") or (tag == row.op and row.inner is None):
                return f"loop:{name}", f"loop under test ({session.who}: {session.reason}); abort the test first"
        return None

    def give_way(self, names: Sequence[str], reason: str) -> None:
        """Something that outranks a test takes these loops over: let go at once and move nothing."""
        for name in names:
            session = self.running.get(name)
            if session is not None:
                session.test.abort(reason, let_go=True)

    def lead(self, name: str, see: LoopSight, now: float, dt_s: float) -> float | None:
        """Where the test wants the output now; None = nowhere."""
        session = self.running.get(name)
        if session is None or session.test.is_ended:
            return None
        test = session.test
        if lost := _why_lost(see, session.mode):
            test.abort(lost, let_go=True)
            return None
        doubted = see.out is not None and see.out.doubt not in ("", "quality")
        pv = math.nan if doubted else see.pv.number
        near = see.out if see.inner is None else see.inner
        limited = near is not None and (near.high or near.low)
        return test.tick(now, pv, see.loop.pid.out, dt_s, limited=limited)


def _why_lost(see: LoopSight, mode: Mode) -> str:
    """Why the loop is no longer the test's; "" = it is."""
    row, loop = see.row, see.loop
    if not see.is_available:
        return f"{row.op} cannot be written to now"
    if not see.has_work:
        return "there is nothing to control any more"
    if loop.safe:
        return "safe outputs are demanded"
    if loop.mode is not mode:
        return f"the loop went from {mode.name} to {loop.mode.name}"
    if row.inner is not None and (see.inner is None or not see.inner.downstream.in_cascade):
        return f"the inner loop {row.inner} no longer follows"
    return ""


def session_row(session: Session, now: float) -> dict[str, Any]:
    """A test under way or ended, for people and programs."""
    test = session.test
    low, high = test.pv_limits()
    plan = test.plan
    return {
        "loop": session.loop,
        "kind": plan.kind.value,
        "who": session.who,
        "reason": session.reason,
        "stage": test.stage.value,
        "doing": test.text,
        "end": test.end.value or None,
        "why": test.reason,
        "elapsed_s": round(now - session.began, 1),
        "longest_s": plan.longest_s,
        "size": plan.size,
        "start_output": test.base if math.isfinite(test.base) else None,
        "pv_limits": [x if math.isfinite(x) else None for x in (low, high)],
        "noise_sd": None if test.rest is None else test.rest.noise_sd,
        "drift_per_s": None if test.rest is None else test.rest.drift_per_s,
    }
