"""The relay test: its state machine's limits, and its evaluation under an unknown load."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from tuning_plants import relay_on, relay_test

from linecontrol.control.tuning import Identified, Phase, Process, Refusal, RelaySettings, identify_relay
from linecontrol.control.tuning.relay import abort, start, step
from linecontrol.sentences import Sentences

SETTINGS = RelaySettings(
    centre=40.0,
    up=10.0,
    down=5.0,
    op_low=0.0,
    op_high=100.0,
    pv_centre=60.0,
    hysteresis=0.5,
    pv_low=50.0,
    pv_high=70.0,
    periods=2,
    longest_s=500.0,
)


CASES = list(itertools.product([0.3, -0.3, 0.0], [0.2, 1.0, 5.0], [0.0, 0.05]))


# Each gain meets each pair of the others; all of them with both would only scale each once more.
@pytest.mark.parametrize(
    ("load", "delay", "noise", "gain"), [(*case, (1.0, -2.0)[(n + n // 2) % 2]) for n, case in enumerate(CASES)]
)
def test_under_an_unknown_load_the_process_is_found_or_refused(
    load: float, delay: float, noise: float, gain: float
) -> None:
    found = identify_relay(*relay_test(1.0, delay, gain=gain, load=load, noise=noise, seed=3))
    if isinstance(found, Refusal):
        assert noise > 0.0, found
        assert found.reason
        return
    assert abs(found.process.gain / gain - 1.0) <= 0.10
    assert abs(found.process.delay_s / delay - 1.0) <= 0.15


def test_a_load_that_moves_during_the_test_is_not_taken_for_a_gain() -> None:
    t, u, y = relay_test(1.0, 1.0)
    wandering = y + np.where(t > 0.6 * t[-1], 1.5, 0.0)
    found = identify_relay(t, u, wandering)
    assert isinstance(found, Refusal) or abs(found.process.gain - 1.0) <= 0.10


def test_the_gain_keeps_its_sign_or_is_refused() -> None:
    t, u, y = relay_test(1.0, 1.0, gain=-1.0)
    assert isinstance(identify_relay(t, u, y), Identified)
    refused = identify_relay(t, u, y, expected_sign=1)
    assert isinstance(refused, Refusal)
    assert refused.code == "wrong-sign"


def test_too_few_switches_are_refused() -> None:
    t, u, y = relay_test(1.0, 1.0)
    first = int(np.flatnonzero(np.diff(u))[2])
    refused = identify_relay(t[:first], u[:first], y[:first])
    assert isinstance(refused, Refusal)
    assert "switched 2 times" in refused.reason


def test_it_switches_at_the_edges_of_its_band_only() -> None:
    state = start(SETTINGS)
    outputs = []
    for n, pv in enumerate([60.0, 60.4, 60.6, 60.4, 59.6, 59.4, 59.6, 60.6]):
        op, state = step(SETTINGS, state, pv, float(n))
        outputs.append(op)
    assert outputs == [50.0, 50.0, 35.0, 35.0, 35.0, 50.0, 50.0, 35.0]
    assert state.phase is Phase.RUNNING


def test_it_turns_round_for_direct_action() -> None:
    op, state = step(replace(SETTINGS, action="direct"), start(SETTINGS), 59.0, 0.0)
    assert (op, state.switches) == (35.0, 1)


def test_it_ends_after_its_periods_with_the_output_at_the_centre() -> None:
    state = start(SETTINGS)
    for n in range(20):
        op, state = step(SETTINGS, state, 61.0 if n % 2 == 0 else 59.0, float(n))
    assert state.phase is Phase.DONE
    assert state.switches == 5
    assert op == 40.0


@pytest.mark.parametrize(
    ("pvs", "said"),
    [
        ([60.0, 71.0], "left its limits"),
        ([60.0, 49.0], "left its limits"),
        ([60.0] * 600, "time limit"),
        ([60.0, None, math.nan, math.inf, None], "bad for"),
    ],
)
def test_it_aborts_and_gives_the_output_back(pvs: list[float | None], said: str) -> None:
    state = start(SETTINGS)
    for n, pv in enumerate(pvs):
        op, state = step(SETTINGS, state, pv, 1e6 + n)
    assert state.phase is Phase.ABORTED
    assert said in state.reason
    assert op == 40.0
    assert step(SETTINGS, state, 60.0, 2e6)[0] == 40.0


def test_a_person_can_abort_it_once() -> None:
    _, state = step(SETTINGS, start(SETTINGS), 60.0, 0.0)
    ended = abort(SETTINGS, state, "the operator")
    assert (ended.op, ended.reason) == (40.0, "the operator")
    assert abort(SETTINGS, ended, "again").reason == "the operator"


@pytest.mark.parametrize(
    ("field", "value"),
    [("up", 70.0), ("down", 0.0), ("hysteresis", 0.0), ("pv_low", 59.8), ("pv_high", 60.2), ("periods", 1)],
)
def test_settings_that_do_not_fit_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        replace(SETTINGS, **{field: value})


@pytest.mark.parametrize("load", [0.0, 0.3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_inverse_response_behind_unlike_lags_has_its_gain_told_or_is_refused(seed: int, load: float) -> None:
    """(1 - 10 s) e^(-5 s) / (40 s + 1)(10 s + 1): as if both lags were alike the gain came out a third too small."""
    truth = Process(1.0, 40.0, 5.0, 10.0, -10.0)
    found = identify_relay(*relay_on(truth, load=load, noise=0.02, seed=seed))
    if isinstance(found, Refusal):
        assert found.code == "not-settled"
        return
    assert found.process.gain == pytest.approx(1.0, abs=0.12)
    assert found.intervals["gain"].low - 0.05 < 1.0 < found.intervals["gain"].high + 0.05
    assert found.intervals["gain"].high - found.intervals["gain"].low > 0.02


def test_what_would_do_is_told_for_a_relay() -> None:
    """A relay record that is refused must not be answered by: make a relay test, or a doublet."""
    t, u, y = relay_test(1.0, 1.0, noise=0.05, seed=3)
    refused = identify_relay(t, u, y, widest_gain=0.001)
    assert isinstance(refused, Refusal)
    assert refused.code == "not-settled"
    assert refused.reason.endswith("record more periods, or make larger moves, unlike to either side (2 : 1)")
    assert "doublet" not in refused.reason
    assert "周期" in Sentences.shipped().translated(refused.reason, "zh")
