"""The state table, as FEATURES lists it, and what must hold of it."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from linecontrol.core.errors import StateError
from linecontrol.recipe.states import DONE, QUIESCENT, TABLE, TRANSIENT, RunCommand, RunState, after, legal, refusal

# from \ command: Start, Pause, Resume, Hold, Restart, Stop, Abort, Reset, (done)
EXPECTED = """
Idle        Running  -        -        -        -           -         -         -     -
Running     -        Pausing  -        Holding  -           Stopping  Aborting  -     Complete
Pausing     -        -        -        Holding  -           Stopping  Aborting  -     Paused
Paused      -        -        Running  Holding  -           Stopping  Aborting  -     -
Holding     -        -        -        -        -           Stopping  Aborting  -     Held
Held        -        -        -        -        Restarting  Stopping  Aborting  -     -
Restarting  -        -        -        Holding  -           Stopping  Aborting  -     Running
Stopping    -        -        -        -        -           -         Aborting  -     Stopped
Stopped     -        -        -        -        -           -         Aborting  Idle  -
Aborting    -        -        -        -        -           -         -         -     Aborted
Complete    -        -        -        -        -           -         -         Idle  -
Aborted     -        -        -        -        -           -         -         Idle  -
"""
COLUMNS = ["Start", "Pause", "Resume", "Hold", "Restart", "Stop", "Abort", "Reset"]


def expected() -> dict[str, list[str]]:
    return {row.split()[0]: row.split()[1:] for row in EXPECTED.strip().splitlines()}


def test_table_is_the_published_one() -> None:
    rows = expected()
    assert set(rows) == {state.value for state in RunState}
    for state in RunState:
        *cells, done = rows[state.value]
        for column, cell in zip(COLUMNS, cells, strict=True):
            target = TABLE[state].get(RunCommand(column))
            assert (target.value if target else "-") == cell, (state, column)
        assert (DONE[state].value if state in DONE else "-") == done


def test_transient_states_are_those_that_end_in_ing() -> None:
    assert {state for state in RunState if state.value.endswith("ing")} == TRANSIENT
    assert QUIESCENT.isdisjoint(TRANSIENT)
    assert set(RunState) == QUIESCENT | TRANSIENT


def test_an_illegal_command_is_refused_with_what_is_legal() -> None:
    assert refusal(RunState.RUNNING, RunCommand.RESTART) == (
        "Restart is not legal in Running; legal now: Hold, Pause, Stop, Abort"
    )
    assert refusal(RunState.ABORTING, RunCommand.STOP) == (
        "Stop is not legal in Aborting; legal now: none, Aborting leaves by itself"
    )
    with pytest.raises(StateError, match="legal now: Start"):
        after(RunState.IDLE, RunCommand.ABORT)


@pytest.mark.parametrize("state", RunState)
def test_refusal_and_legal_agree(state: RunState) -> None:
    for command in RunCommand:
        assert (refusal(state, command) is None) == (command in legal(state))


def test_every_state_leads_back_to_idle() -> None:
    reach = {RunState.IDLE}
    for _ in RunState:
        reach |= {s for s in RunState if {*TABLE[s].values(), DONE.get(s)} & reach}
    assert reach == set(RunState)


class Walk(RuleBasedStateMachine):
    """Any sequence of commands and completions stays within the published table."""

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState.IDLE

    @rule(command=st.sampled_from(RunCommand))
    def give(self, command: RunCommand) -> None:
        cell = expected()[self.state.value][COLUMNS.index(command.value)]
        if cell == "-":
            with pytest.raises(StateError):
                after(self.state, command)
        else:
            self.state = after(self.state, command)
            assert self.state.value == cell

    @rule()
    def done(self) -> None:
        self.state = DONE.get(self.state, self.state)

    @invariant()
    def a_person_can_always_end_it(self) -> None:
        ended = {RunState.IDLE, RunState.COMPLETE, RunState.ABORTED, RunState.ABORTING}
        assert self.state in ended or RunCommand.ABORT in legal(self.state)


TestWalk = Walk.TestCase
