"""The nine states of an alarm as a machine that is driven by anything, and checked against what ISA-18.2 asks."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import booleans, sampled_from

from linecontrol.core.errors import StateError
from linecontrol.guard.alarms.states import (
    IN_VIEW,
    LATCHED,
    PLAIN,
    STANDING,
    UNACKNOWLEDGED,
    AlarmState,
    Signal,
    Standing,
)

S = AlarmState
PEOPLE = [s for s in Signal if s not in (Signal.RAISE, Signal.CLEAR, Signal.SUPPRESS, Signal.UNSUPPRESS)]
HIDDEN = {S.SHLVD, S.DSUPR, S.OOSRV}


def walk(latches: bool, *signals: Signal) -> AlarmState:
    standing = Standing(latches)
    for signal in signals:
        standing.take(signal)
    return standing.state


@pytest.mark.parametrize(
    ("latches", "signals", "state"),
    [
        (False, "raise", "UNACK"),
        (False, "raise acknowledge", "ACKED"),
        (False, "raise acknowledge clear", "NORM"),
        (False, "raise clear", "RTNUN"),
        (False, "raise clear acknowledge", "NORM"),
        (False, "raise clear raise", "UNACK"),
        (True, "raise clear", "LUNAK"),
        (True, "raise clear acknowledge", "LACKD"),
        (True, "raise acknowledge clear", "LACKD"),
        (True, "raise acknowledge clear reset", "NORM"),
        (True, "raise acknowledge clear raise", "UNACK"),
        (False, "raise shelve", "SHLVD"),
        (False, "raise shelve unshelve", "UNACK"),
        (False, "raise acknowledge shelve unshelve", "UNACK"),
        (False, "raise shelve clear unshelve", "NORM"),
        (False, "shelve raise", "SHLVD"),
        (False, "shelve raise unshelve", "UNACK"),
        (True, "shelve raise clear unshelve", "LUNAK"),
        (True, "out-of-service raise clear return", "NORM"),
        (False, "shelve out-of-service", "OOSRV"),
        (False, "shelve out-of-service return", "SHLVD"),
        (False, "suppress", "DSUPR"),
        (False, "suppress shelve", "SHLVD"),
        (False, "suppress shelve raise unshelve unsuppress", "UNACK"),
    ],
)
def test_where_signals_lead(latches: bool, signals: str, state: str) -> None:
    assert walk(latches, *(Signal(word) for word in signals.split())) == state


@pytest.mark.parametrize(
    ("latches", "before", "signal", "why"),
    [
        (False, "", "acknowledge", "it is normal"),
        (False, "raise acknowledge", "acknowledge", "acknowledged already"),
        (False, "raise", "reset", "not latched"),
        (True, "raise", "reset", "cause is still there"),
        (True, "raise clear", "reset", "acknowledge it first"),
        (True, "", "reset", "nothing to reset"),
        (False, "shelve", "shelve", "shelved already"),
        (False, "", "unshelve", "not shelved"),
        (False, "raise shelve", "acknowledge", "it is shelved"),
        (False, "", "return", "not out of service"),
        (False, "out-of-service", "out-of-service", "out of service already"),
    ],
)
def test_what_is_not_legal_is_refused_with_its_reason(latches: bool, before: str, signal: str, why: str) -> None:
    standing = Standing(latches)
    for word in before.split():
        standing.take(Signal(word))
    was = standing.state
    with pytest.raises(StateError, match=why):
        standing.take(Signal(signal))
    assert standing.state is was


def test_the_tables_name_only_states_in_view_and_reach_all_of_them() -> None:
    for table, reached in ((PLAIN, {S.UNACK, S.ACKED, S.RTNUN, S.NORM}), (LATCHED, IN_VIEW - {S.RTNUN})):
        assert {here for here, _ in table} <= IN_VIEW
        assert set(table.values()) | {S.NORM} >= reached


class AnAlarm(RuleBasedStateMachine):
    """Anything may happen in any order; what must hold, holds."""

    @initialize(latches=booleans())
    def begin(self, latches: bool) -> None:
        self.standing = Standing(latches)
        self.active = False

    @rule(signal=sampled_from(sorted(Signal)))
    def happens(self, signal: Signal) -> None:
        standing, before, hidden = self.standing, self.standing.state, self.standing.hidden
        why = standing.why_not(signal)
        if why is not None:
            with pytest.raises(StateError):
                standing.take(signal)
            assert (standing.state, standing.hidden, standing.is_active) == (before, hidden, self.active)
            return
        assert standing.take(signal) is (standing.state is not before)
        if signal in (Signal.RAISE, Signal.CLEAR):
            self.active = signal is Signal.RAISE
        if signal is Signal.RAISE and not hidden and before is not S.ACKED:
            assert standing.state is S.UNACK, "what comes into view must be acknowledged"
        if signal is Signal.CLEAR and before is S.UNACK:
            assert standing.state in (S.RTNUN, S.LUNAK), "what nobody has seen does not vanish"
        if before in UNACKNOWLEDGED and standing.state in (S.NORM, S.ACKED, S.LACKD):
            assert signal is Signal.ACKNOWLEDGE
        if standing.latches and before is S.LACKD and standing.state is S.NORM:
            assert signal is Signal.RESET

    @invariant()
    def evaluated_in_every_state(self) -> None:
        assert self.standing.is_active is self.active

    @invariant()
    def in_view_exactly_when_nothing_hides_it(self) -> None:
        standing = self.standing
        assert (standing.state in IN_VIEW) is (not standing.hidden)
        if standing.hidden:
            order = [S.OOSRV, S.SHLVD, S.DSUPR]
            assert standing.state is next(state for state in order if state in standing.hidden)

    @invariant()
    def in_alarm_when_and_only_when_its_condition_is_there(self) -> None:
        standing = self.standing
        if standing.state in STANDING:
            assert standing.is_active is (standing.state in (S.UNACK, S.ACKED))
        if standing.state is S.NORM:
            assert not standing.is_active

    @invariant()
    def only_latching_ones_are_latched(self) -> None:
        if not self.standing.latches:
            assert self.standing.state not in (S.LUNAK, S.LACKD)

    @invariant()
    def a_person_can_always_do_something_about_what_is_not_normal(self) -> None:
        standing = self.standing
        if standing.state in UNACKNOWLEDGED:
            assert standing.why_not(Signal.ACKNOWLEDGE) is None
        if standing.state is not S.NORM:
            assert any(standing.why_not(signal) is None for signal in PEOPLE)


TestAnAlarm = AnAlarm.TestCase
TestAnAlarm.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
