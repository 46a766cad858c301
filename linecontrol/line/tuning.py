"""The tuning desk: tests on the line's loops, from the wish to the gains; who asked, what came of it, what is told.

The test itself runs in the control cycle (``loop_tests``), its evaluation in a process of its own (``aside``), and
gains go on trial (``gain_trials``). The desk decides when a test may begin and what ends it beside its own limits: a
trip, a run that changes its state, a person who has gone away, a command.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Mode
from linecontrol.control.tuning.evaluate import Evaluation, evaluate
from linecontrol.control.tuning.live import End, LiveTest, TestPlan
from linecontrol.control.tuning.moves import Kind
from linecontrol.control.tuning.optimum import Structure
from linecontrol.core.errors import ConfigError, LineError, Problem, StateError
from linecontrol.core.model import Event, Severity
from linecontrol.line.aside import aside
from linecontrol.line.gain_trials import GainTrials
from linecontrol.line.loop_tests import Session, session_row
from linecontrol.recipe.states import RunMode, RunState

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

SIZE_OF_SPAN = 0.05  # of the output's range: the move, unless a person says otherwise
LIMIT_OF_SPAN, WIDEST_OF_SPAN = 0.1, 0.25  # of the set point's range: how far the PV may go; so far if it is noisy
REST_S, PATIENCE_S, LONGEST_S = 60.0, 240.0, 1800.0
LEAST_LEASE_S = 5.0
_NO_TIME_FOR_TESTS = frozenset(
    {RunState.HOLDING, RunState.HELD, RunState.RESTARTING, RunState.STOPPING, RunState.ABORTING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestWish:
    """What a person asks for; None = worked out from the loop's ranges. Units as the loop has them."""

    __test__ = False  # not a test of pytest's

    kind: Kind = Kind.DOUBLET
    size: float | None = None
    pv_limit: float | None = None
    pv_low: float | None = None
    pv_high: float | None = None
    op_low: float | None = None
    op_high: float | None = None
    op_rate_per_s: float | None = None
    rest_s: float = REST_S
    longest_s: float = LONGEST_S
    periods: int | None = None
    structure: Structure | None = None
    lease_s: float | None = None


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
        why = self._why_no_test(loop)
        if why:
            raise StateError(f"{loop}: no test now: {why}")
        try:
            plan = self._plan(loop, wish)
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
        return row.rule, IsaGains(self._sign_of_k(loop) * g.k, g.ti_s, g.td_s, g.n, g.b, g.c)

    def _sign_of_k(self, loop: str) -> float:
        """+1 or -1: the loop's K over that of the model's notation, where K has the process's sign."""
        return 1.0 if self._line.bank.settings[loop].pid.action == "reverse" else -1.0

    # -- when a test may begin
    def _why_no_test(self, loop: str) -> str:
        line = self._line
        row, mode = line.bank.settings[loop], line.bank.mode_of(loop)
        now = line.clock.now()
        out = line.bank.outputs.get(loop)
        if loop in line.bank.tests.running:
            return "it is under test already"
        state = line.runs.state
        if state in _NO_TIME_FOR_TESTS and not self._is_by_hand():
            return f"the run is {state}: its outputs are kept safe"
        if loop in self.gains.trials:
            return "gains are on trial; accept them, or revert"
        if out is None:
            return "the loop has not run yet"
        if not line.image.at(row.pv, now).is_good:
            return f"its PV {row.pv} is not GOOD"
        for tag in (row.pv, row.op):
            station = line.stations.get(line.image.tags[tag].station)
            objection = None if station is None else station.why_not_write()
            if objection is not None:
                return objection
        if tripped := self._trips(loop):
            return "; ".join(tripped)
        if row.inner is not None and line.bank.mode_of(row.inner) is not Mode.CAS:
            return f"its inner loop {row.inner} is in {line.bank.mode_of(row.inner).name} (accepted: CAS)"
        if row.inner is not None and row.inner in line.bank.tests.running:
            return f"its inner loop {row.inner} is under test"
        if mode is not Mode.MAN and (out.following or out.holding):
            return "it is not in control now: its actuator, inner loop or measurement is away"
        return ""

    def _is_by_hand(self) -> bool:
        engine = self._line.runs.engine
        return engine is not None and engine.mode is RunMode.MANUAL

    def _trips(self, loop: str) -> list[str]:
        """Trips of the stations this loop measures at and moves, inner loops included."""
        line = self._line
        stations, name = set(), loop
        while True:
            row = line.bank.settings[name]
            stations |= {line.image.tags[tag].station for tag in (row.pv, row.op)}
            if row.inner is None:
                break
            name = row.inner
        tripped = line.watch.trips(line.clock.now(), line.image)
        return [text for station, text in tripped.items() if station in stations]

    def _plan(self, loop: str, wish: TestWish) -> TestPlan:
        bank = self._line.bank
        row = bank.settings[loop]
        pid = row.pid
        rate = min(pid.op_rate_up_per_s, pid.op_rate_down_per_s)
        if row.inner is not None:
            rate = min(rate, bank.settings[row.inner].sp_rate_per_s)
        low, high = self._critical(row.pv)
        sp_span = row.sp_high - row.sp_low
        return TestPlan(
            kind=wish.kind,
            size=SIZE_OF_SPAN * (pid.op_high - pid.op_low) if wish.size is None else wish.size,
            pv_limit=LIMIT_OF_SPAN * sp_span if wish.pv_limit is None else wish.pv_limit,
            widest_pv_limit=WIDEST_OF_SPAN * sp_span if wish.pv_limit is None else 0.0,
            in_control=bank.mode_of(loop) is not Mode.MAN,
            pv_low=low if wish.pv_low is None else wish.pv_low,
            pv_high=high if wish.pv_high is None else wish.pv_high,
            op_low=pid.op_low if wish.op_low is None else max(pid.op_low, wish.op_low),
            op_high=pid.op_high if wish.op_high is None else min(pid.op_high, wish.op_high),
            op_rate_per_s=rate if wish.op_rate_per_s is None else min(rate, wish.op_rate_per_s),
            sign=1 if pid.gain > 0.0 else -1,
            rest_s=wish.rest_s,
            patience_s=max(PATIENCE_S, 2.0 * wish.rest_s),
            longest_s=wish.longest_s,
            periods=(3 if wish.kind is Kind.RELAY else 1) if wish.periods is None else wish.periods,
        )

    def _critical(self, pv: str) -> tuple[float, float]:
        """Critical limits of a PV, which no test may reach for."""
        guard = self._line.config.line.guard
        rows = [] if guard is None else [row for row in guard.critical_limits if row.tag == pv]
        lows = [row.low for row in rows if row.low is not None]
        highs = [row.high for row in rows if row.high is not None]
        return max(lows, default=-math.inf), min(highs, default=math.inf)

    # -- the control cycle's share
    def before(self) -> None:
        """What ends a test beside its own limits; before the loops tick."""
        line = self._line
        state = None if line.runs.state is None else line.runs.state.value
        for name, session in line.bank.tests.running.items():
            test = session.test
            if state != session.run_state:
                test.abort(f"the run went from {session.run_state or 'none'} to {state or 'none'}")
            elif tripped := self._trips(name):
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
        signed = self._sign_of_k(loop) * present.k
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
                size=test.plan.size,
            )
        except LineError as error:
            case.failed = str(error)
            self._tell("tuning.failed", loop, f"{loop}: {error}", {}, Severity.WARNING)
            return
        if test.rest is not None:
            self.gains.note_noise(loop, test.rest.noise_sd)
        case.evaluation = found
        if found:
            self._tell("tuning.offered", loop, f"{loop}: the test gave a model; gains are on offer", {})
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

    async def close(self) -> None:
        """The line ends: tests let go (it is brought to rest next), evaluations are dropped."""
        for name in list(self._line.bank.tests.running):
            self._line.bank.tests.give_way([name], "the controller stops")
        for case in self._cases.values():
            if case.work is not None and not case.work.done():
                case.work.cancel()
                await asyncio.gather(case.work, return_exceptions=True)


def _plan_row(plan: TestPlan) -> dict[str, Any]:
    return {
        "kind": plan.kind.value,
        "size": plan.size,
        "pv_limit": plan.pv_limit,
        "longest_s": plan.longest_s,
        "op_rate_per_s": plan.op_rate_per_s if math.isfinite(plan.op_rate_per_s) else None,
    }
