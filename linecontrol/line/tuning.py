"""The tuning desk: tests on the line's loops, from the wish to the gains; who asked, what came of it, what is told.

The test itself runs in the control cycle (``loop_tests``), its evaluation in a process of its own (``aside``), and
gains go on trial (``gain_trials``). The desk decides when a test may begin and what ends it beside its own limits: a
trip, a run that changes its state, a person who has gone away, a command.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.evaluate import Evaluation, evaluate
from linecontrol.control.tuning.identification import Identified
from linecontrol.control.tuning.live import LiveTest
from linecontrol.control.tuning.optimum import Structure
from linecontrol.control.tuning.plan import End, TestPlan
from linecontrol.core.errors import ConfigError, LineError, Problem, StateError
from linecontrol.core.model import Event, Severity
from linecontrol.line.aside import aside
from linecontrol.line.gain_trials import GainTrials, words
from linecontrol.line.gains_kept import gains_to_plain
from linecontrol.line.loop_tests import Session, session_row
from linecontrol.line.wishes import TestWish, plan_of, trips_of, why_no_test

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

LEAST_LEASE_S = 5.0


@dataclass(slots=True)
class _Case:
    """A loop's last test, and what came of it."""

    session: Session
    wish: TestWish
    evaluation: Evaluation | None = None
    failed: str = ""
    work: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """running, evaluating, done, refused, aborted or failed."""
        test = self.session.test
        if not test.is_ended:
            return "running"
        if test.end is not End.DONE:
            return test.end.value
        if self.failed:
            return "failed"
        return "evaluating" if self.evaluation is None else "done"


_ENDS = ("tuning.ended", "tuning.aborted", "tuning.refused")


class TuningDesk:
    """``before`` and ``after`` once per control cycle, around the loops."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._cases: dict[str, _Case] = {}
        self.gains = GainTrials(
            line.bank, line.wiring.gains(line.config, line.data), line.emit, line.config.line.control_period_s
        )

    # -- commands
    def start(self, loop: str, wish: TestWish, *, who: str, reason: str) -> dict[str, Any]:
        """Begin a test; returns its view. Raises StateError when it cannot be now, ConfigError for a wrong value."""
        line = self._line
        self._known(loop)
        why = why_no_test(line, loop)
        if why:
            raise StateError(f"{loop}: no test now: {why}")
        try:
            plan = plan_of(line, loop, wish)
        except ValueError as error:
            raise ConfigError([Problem("", None, "test", str(error))]) from None
        now, state = line.clock.now(), line.runs.state
        session = Session(
            loop,
            LiveTest(plan),
            who,
            reason,
            now,
            line.bank.mode_of(loop),
            None if state is None else state.value,
            math.inf if wish.lease_s is None else max(wish.lease_s, LEAST_LEASE_S),
            line.clock.real(),
        )
        line.bank.tests.begin(session)
        self._cases[loop] = _Case(session, wish)
        text = f"{loop}: {plan.kind.value} test of {plan.size:.4g} started by {who}: {reason}"
        self._tell("tuning.started", loop, text, {"who": who, "reason": reason, **_plan_row(plan)})
        return self.view(loop)

    def abort(self, loop: str, *, who: str, reason: str) -> dict[str, Any]:
        """End the test; the output goes back to where it was. Raises StateError when there is none."""
        self._known(loop)
        case = self._cases.get(loop)
        if case is None or case.session.test.is_ended:
            raise StateError(f"{loop} is not under test")
        case.session.stopped_by = who
        case.session.test.abort(f"{who}: {reason}")
        return self.view(loop)

    def apply(
        self, loop: str, *, who: str, reason: str, candidate: str | None = None, gains: IsaGains | None = None
    ) -> dict[str, Any]:
        """Put a candidate of the last test, or a person's own gains (K as the loop shows it), on trial.

        Raises StateError, ConfigError saying why not.
        """
        self._known(loop)
        if loop in self._line.bank.tests.running:
            raise StateError(f"{loop}: loop under test; wait for its end, or abort it")
        rule = "a person's own"
        if gains is None:
            rule, gains = self._candidate(loop, candidate)
        elif candidate is not None:
            raise ConfigError([Problem("", None, "gains", "a candidate or own gains, not both")])
        self.gains.apply(loop, gains, self._line.clock.now(), who, reason, rule)
        return self.view(loop)

    def accept(self, loop: str, *, who: str, reason: str) -> dict[str, Any]:
        """The gains on trial stay. Raises StateError when there are none."""
        self._known(loop)
        self.gains.accept(loop, self._line.clock.now(), who, reason)
        return self.view(loop)

    def revert(self, loop: str, *, who: str, reason: str) -> dict[str, Any]:
        """One step back to the gains before the last ones applied. Raises StateError when there is none."""
        self._known(loop)
        if loop in self._line.bank.tests.running:
            raise StateError(f"{loop}: loop under test; wait for its end, or abort it")
        self.gains.revert(loop, self._line.clock.now(), who, reason)
        return self.view(loop)

    def _known(self, loop: str) -> None:
        known = self._line.bank.settings
        if loop not in known:
            raise ConfigError([Problem("", None, "loop", f"there is no loop {loop!r}", ", ".join(known))])

    def _candidate(self, loop: str, name: str | None) -> tuple[str, IsaGains]:
        case = self._cases.get(loop)
        found = None if case is None else case.evaluation
        if not found:
            raise StateError(f"{loop}: no test of this loop has ended with gains on offer")
        names = [row.rule for row in found.candidates]
        row = next((row for row in found.candidates if name in (None, "best", row.rule)), None)
        if row is None:
            raise ConfigError([Problem("", None, "candidate", f"{name!r} is not on offer", ", ".join(names))])
        if not row.worst.stable:
            raise StateError(f"{loop}: {row.rule} would not be stable on all that agrees with the test")
        g = row.gains
        return row.rule, IsaGains(self.sign_of_k(loop) * g.k, g.ti_s, g.td_s, g.n, g.b, g.c)

    def sign_of_k(self, loop: str) -> float:
        """+1 or -1: the loop's K over that of the model's notation, where K has the process's sign."""
        return 1.0 if self._line.bank.settings[loop].pid.action == "reverse" else -1.0

    # -- the control cycle's share
    def before(self) -> None:
        """What ends a test beside its own limits; before the loops tick."""
        line = self._line
        state = None if line.runs.state is None else line.runs.state.value
        for name, session in line.bank.tests.running.items():
            test = session.test
            if state != session.run_state:
                test.abort(f"the run went from {session.run_state or 'none'} to {state or 'none'}")
            elif tripped := trips_of(line, name):
                test.abort("; ".join(tripped))
            elif line.clock.real() - session.seen > session.lease_s:
                test.abort(f"{session.who} has not looked at the test for {session.lease_s:g} s")

    def after(self, now: float, dt_s: float) -> None:
        """Tell what has changed; after the loops' tick."""
        for name in list(self._line.bank.tests.running):
            case = self._cases[name]
            test = case.session.test
            if test.is_ended:
                del self._line.bank.tests.running[name]
                self._ended(name, case)
        self.gains.tick(now, dt_s)

    def _ended(self, loop: str, case: _Case) -> None:
        session, test = case.session, case.session.test
        who = session.stopped_by or session.who
        data = {"who": who, "reason": test.reason, "end": test.end.value, **_plan_row(test.plan)}
        if test.end is End.DONE:
            text = f"{loop}: {test.plan.kind.value} test is over; the loop is in {session.mode.name} as before"
            self._tell("tuning.ended", loop, text, data)
            case.work = asyncio.ensure_future(self._evaluate(loop, case))
            return
        if test.rest is not None and math.isfinite(test.rest.noise_sd):
            self.gains.note_noise(loop, test.rest.noise_sd)
        word = "refused" if test.end is End.REFUSED else "aborted"
        text = f"{loop}: {test.plan.kind.value} test {word}: {test.reason}"
        self._tell(f"tuning.{word}", loop, text, data, Severity.WARNING)

    async def _evaluate(self, loop: str, case: _Case) -> None:
        line, test = self._line, case.session.test
        present = line.bank.gains_of(loop)
        signed = self.sign_of_k(loop) * present.k
        structure: Structure = case.wish.structure or ("pid" if present.td_s > 0.0 else "pi")
        record = test.fitted_part()
        steps = [b - a for a, b in pairwise(record.t_s)]
        period_s = sorted(steps)[len(steps) // 2] if steps else line.config.line.control_period_s
        try:
            found = await aside(
                evaluate,
                test.plan.kind,
                record,
                IsaGains(signed, present.ti_s, present.td_s, present.n, present.b, present.c),
                sign=test.plan.sign,
                period_s=period_s,
                structure=structure,
                smallest_move=test.plan.smallest_move,
                size=test.plan.size,
                drift_per_s=test.drift_per_s(),
            )
        except LineError as error:
            case.failed = str(error)
            self._tell("tuning.failed", loop, f"{loop}: {error}", {}, Severity.WARNING)
            return
        if test.rest is not None:
            self.gains.note_noise(loop, test.rest.noise_sd)
        case.evaluation = found
        if found:
            self._tell("tuning.offered", loop, *_offer(loop, found, self.sign_of_k(loop)))
        else:
            refused = found.found if not found.found else found.tuning
            text = f"{loop}: no gains are offered: {getattr(refused, 'reason', '')}"
            self._tell("tuning.refused", loop, text, {}, Severity.WARNING)

    def _tell(self, kind: str, loop: str, text: str, data: dict[str, Any], severity: Severity = Severity.INFO) -> None:
        self._line.emit(Event(self._line.clock.now(), kind, loop, text, severity, data=data))

    # -- what others ask
    def touch(self, loop: str) -> None:
        """Somebody looks at this loop's test: its lease begins anew."""
        session = self._line.bank.tests.running.get(loop)
        if session is not None:
            session.seen = self._line.clock.real()

    def view(self, loop: str) -> dict[str, Any]:
        """A loop's gains, their trial, and its last test as far as it is. Raises ConfigError for an unknown loop."""
        self._known(loop)
        case = self._cases.get(loop)
        now = self._line.clock.now()
        test = None if case is None else {"state": case.state, "failed": case.failed, **session_row(case.session, now)}
        shown = self._line.bank.view(now)[loop]
        return {"loop": loop, **shown, **self.gains.view(loop), "last_test": test}

    def evaluation(self, loop: str) -> tuple[Session, Evaluation] | None:
        """What the loop's last test has shown; None while it has not."""
        self._known(loop)
        case = self._cases.get(loop)
        return None if case is None or case.evaluation is None else (case.session, case.evaluation)

    async def settled(self, loop: str) -> None:
        """Wait until the evaluation under way is over."""
        case = self._cases.get(loop)
        if case is not None and case.work is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(case.work)

    async def take_up(self) -> None:
        """Tell of the tests that ended with the controller before this one, which could not tell any more."""
        for loop in self._line.bank.settings:
            last = await self._line.historian.events(kinds=("tuning.started", *_ENDS), source=loop, limit=1)
            if last and last[0].kind == "tuning.started":
                kind = last[0].data.get("kind", "")
                text = f"{loop}: {kind} test aborted: the controller ended in the middle of it"
                self._tell("tuning.aborted", loop, text, last[0].data, Severity.WARNING)

    async def close(self) -> None:
        """The line ends: tests let go (it is brought to rest next), evaluations are dropped."""
        tests = self._line.bank.tests
        for name in list(tests.running):
            tests.give_way([name], "the controller stops")
            del tests.running[name]
            self._ended(name, self._cases[name])
        for case in self._cases.values():
            if case.work is not None and not case.work.done():
                case.work.cancel()
                await asyncio.gather(case.work, return_exceptions=True)


def _offer(loop: str, found: Evaluation, sign_of_k: float) -> tuple[str, dict[str, Any]]:
    """What a test has found, in a sentence and as data for the record."""
    best, model = found.candidates[0], found.found
    gains = replace(best.gains, k=sign_of_k * best.gains.k)
    data: dict[str, Any] = {"rule": best.rule, "gains": gains_to_plain(gains), "ms": best.margins.ms}
    if isinstance(model, Identified):
        data["model"] = {"kind": model.kind, **asdict(model.process)}
        data["intervals"] = {
            name: [x if math.isfinite(x) else None for x in (i.low, i.high)] for name, i in model.intervals.items()
        }
    return f"{loop}: the test gave a model; {best.rule} offers {words(gains)}", data


def _plan_row(plan: TestPlan) -> dict[str, Any]:
    return {
        "kind": plan.kind.value,
        "size": plan.size,
        "pv_limit": plan.pv_limit,
        "longest_s": plan.longest_s,
        "op_rate_per_s": plan.op_rate_per_s if math.isfinite(plan.op_rate_per_s) else None,
    }
