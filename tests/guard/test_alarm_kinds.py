"""What each kind of alarm sees, with its deadband and its delays."""

from __future__ import annotations

import pytest
from alarm_bench import Bench, row
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, lists, tuples

from linecontrol.guard.alarms import Kind, Needs
from linecontrol.guard.alarms.conditions import Delayed, condition_of


def test_a_limit_has_a_deadband_below_it() -> None:
    bench = Bench(row(deadband=2.0))
    bench.tick(T_1=9.9)
    assert bench.state("T-1.HIGH") == "NORM"
    bench.tick(T_1=10.0)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.tick(T_1=8.1)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.tick(T_1=8.0)
    assert bench.state("T-1.HIGH") == "RTNUN"


def test_a_low_limit_has_its_deadband_above_it() -> None:
    bench = Bench(row("T-1.LOW", Kind.LOW, deadband=2.0))
    for value, state in ((10.1, "NORM"), (10.0, "UNACK"), (11.9, "UNACK"), (12.0, "RTNUN")):
        bench.tick(T_1=value)
        assert bench.state("T-1.LOW") == state, value


def test_a_value_that_is_not_good_leaves_a_limit_as_it_was() -> None:
    bench = Bench(row(), row("T-1.QUALITY", Kind.QUALITY, on_delay_s=3.0))
    bench.tick(T_1=11.0)
    bench.tick(2, T_1=None)
    assert bench.state("T-1.HIGH") == "UNACK"
    assert bench.state("T-1.QUALITY") == "NORM"
    bench.tick(2)
    assert bench.state("T-1.QUALITY") == "UNACK"
    bench.tick(T_1=1.0)
    assert bench.states() == {"T-1.HIGH": "RTNUN", "T-1.QUALITY": "RTNUN"}


def test_delays_keep_what_is_short_from_being_told() -> None:
    bench = Bench(row(on_delay_s=5.0, off_delay_s=3.0))
    bench.tick(5, T_1=11.0)
    bench.tick(T_1=9.0)
    assert bench.state("T-1.HIGH") == "NORM"
    bench.tick(6, T_1=11.0)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.tick(3, T_1=9.0)
    bench.tick(T_1=11.0)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.tick(4, T_1=9.0)
    assert bench.state("T-1.HIGH") == "RTNUN"


def test_a_rate_is_seen_up_and_down_and_a_steady_climb_below_it_is_not() -> None:
    for step, state in ((0.5, "UNACK"), (-0.5, "UNACK"), (0.1, "NORM")):  # 30 and 6 a minute, limit 10
        bench = Bench(row("T-1.RATE", Kind.RATE, window_s=30.0))
        for second in range(60):
            bench.tick(T_1=100.0 + step * second)
        assert bench.state("T-1.RATE") == state, step


def test_a_deviation_is_away_from_the_set_point_on_either_side() -> None:
    for value in (31.0, 9.0):
        bench = Bench(row("C-1.DEVIATION", Kind.DEVIATION, tag="T-1", against="C-1-SP", deadband=5.0))
        bench.tick(T_1=20.0, C_1_SP=20.0)
        assert bench.state("C-1.DEVIATION") == "NORM"
        bench.tick(T_1=value)
        assert bench.state("C-1.DEVIATION") == "UNACK"
        bench.tick(T_1=20.0 + (value - 20.0) / 2)
        assert bench.state("C-1.DEVIATION") == "UNACK"
        bench.tick(T_1=21.0)
        assert bench.state("C-1.DEVIATION") == "RTNUN"


def test_a_command_without_effect_is_seen_also_of_a_switch() -> None:
    bench = Bench(row("X-1.MISMATCH", Kind.MISMATCH, against="X-2", limit=0.0, on_delay_s=3.0))
    bench.tick(2, X_1=False, X_2=False)
    bench.tick(3, X_2=True)
    assert bench.state("X-1.MISMATCH") == "NORM"
    bench.tick(1)
    assert bench.state("X-1.MISMATCH") == "UNACK"
    bench.tick(X_1=True)
    assert bench.state("X-1.MISMATCH") == "RTNUN"


def test_a_stuck_value_is_one_that_does_not_move_while_it_should() -> None:
    stuck = row("T-1.STUCK", Kind.STUCK, limit=0.1, window_s=20.0, idle_below=1.0)
    bench = Bench(stuck)
    bench.tick(60, T_1=0.5)
    assert bench.state("T-1.STUCK") == "NORM", "a flow of nothing does not move"
    bench.tick(19, T_1=5.0)
    bench.tick(1, T_1=5.2)
    bench.tick(20, T_1=5.25)
    assert bench.state("T-1.STUCK") == "UNACK", "less than its band is no movement"
    bench.tick(1, T_1=6.0)
    assert bench.state("T-1.STUCK") == "RTNUN"


def test_a_watchdog_wants_its_counter_to_move() -> None:
    bench = Bench(row("N-1.WATCHDOG", Kind.WATCHDOG, window_s=5.0))
    for count in range(20):
        bench.tick(N_1=count)
    assert bench.state("N-1.WATCHDOG") == "NORM"
    bench.tick(6)
    assert bench.state("N-1.WATCHDOG") == "UNACK"
    bench.tick(N_1=99)
    assert bench.state("N-1.WATCHDOG") == "RTNUN"


def test_a_model_that_is_not_there_disagrees_with_nothing() -> None:
    bench = Bench(row("M-1.MODEL", Kind.MODEL, against="M-1-EST", limit=1.0))
    bench.tick(5, M_1=13.0, M_1_EST=None)
    assert bench.state("M-1.MODEL") == "NORM"
    bench.tick(M_1_EST=14.5)
    assert bench.state("M-1.MODEL") == "UNACK"


def test_a_switch_that_is_on() -> None:
    bench = Bench(row("X-1.TRIPPED", Kind.ON))
    bench.tick(X_1=False)
    bench.tick(2, X_1=None)
    assert bench.state("X-1.TRIPPED") == "NORM"
    bench.tick(X_1=True)
    assert bench.state("X-1.TRIPPED") == "UNACK"


def test_every_kind_but_that_of_events_has_its_condition() -> None:
    for kind in Kind:
        if kind is Kind.EVENT:
            with pytest.raises(ValueError, match="not looked for"):
                condition_of(row(kind=kind))
        else:
            assert callable(condition_of(row(kind=kind, against="T-2")))


def test_suppressed_by_design_hides_and_says_nothing_but_keeps_what_nobody_saw() -> None:
    bench = Bench(row(suppressed_in=frozenset({"Idle"})))
    bench.run_state = "Idle"
    bench.tick(3, T_1=20.0)
    assert bench.state("T-1.HIGH") == "DSUPR"
    assert bench.system.alarms["T-1.HIGH"].standing.is_active, "it is evaluated all the same"
    bench.run_state = "Running"
    bench.tick(2)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.run_state = "Idle"
    bench.tick(3)
    assert bench.state("T-1.HIGH") == "RTNUN", "what nobody has seen stays in view"
    bench.system.acknowledge(bench.now, ["T-1.HIGH"], "li")
    bench.tick()
    assert bench.state("T-1.HIGH") == "DSUPR"


def test_what_needs_a_flow_means_nothing_without_it_and_its_delay_begins_with_it() -> None:
    bench = Bench(row(needs=(Needs("F-1", 5.0),), on_delay_s=3.0))
    bench.tick(9, T_1=20.0, F_1=0.0)
    assert bench.state("T-1.HIGH") == "DSUPR"
    bench.tick(3, F_1=6.0)
    assert bench.state("T-1.HIGH") == "NORM"
    bench.tick(2)
    assert bench.state("T-1.HIGH") == "UNACK"
    bench.tick(2, F_1=None)
    assert bench.state("T-1.HIGH") == "UNACK", "a flow that is not known may be there"


@given(
    on_s=integers(0, 5),
    off_s=integers(0, 5),
    found=lists(tuples(booleans(), integers(1, 8)), min_size=1, max_size=12),
)
def test_nothing_shorter_than_its_delay_counts(on_s: int, off_s: int, found: list[tuple[bool, int]]) -> None:
    delayed, now, was, lasted = Delayed(float(on_s), float(off_s)), 0.0, False, 0
    last: bool | None = None
    for value, seconds in found:
        for _ in range(seconds):
            now += 1.0
            lasted = lasted + 1 if value is last else 1
            last = value
            is_on = delayed.tick(now, value)
            if is_on is not was:
                assert is_on is value
                assert lasted > (on_s if value else off_s)
            if lasted > max(on_s, off_s):
                assert is_on is value
            was = is_on


@given(values=lists(floats(-50, 50), min_size=1, max_size=40), band=floats(0, 10))
def test_a_limit_never_disagrees_with_its_value_by_more_than_its_deadband(values: list[float], band: float) -> None:
    bench = Bench(row(deadband=band))
    for value in values:
        bench.tick(T_1=value)
        active = bench.system.alarms["T-1.HIGH"].standing.is_active
        if value >= 10.0:
            assert active
        if value <= 10.0 - band and value < 10.0:
            assert not active
