"""The parts of the moisture controller against something that shares no code with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from linecontrol.control.moisture.dynamics import Channel, Path, along, step_response
from linecontrol.control.moisture.meter import MeterState, judge, renewal, repeats_for_stuck
from linecontrol.control.moisture.moves import best_moves
from linecontrol.control.moisture.noise import Level, fit_arma, level_noise

paths = st.builds(Path, st.floats(0.0, 90.0), st.floats(2.0, 200.0), st.sampled_from([0.0, 7.0, 30.0]))


@given(paths, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_channel_does_on_line_what_the_fit_does_off_line(path: Path, seed: int) -> None:
    path = Path(float(round(path.delay_s)), path.lag1_s, path.lag2_s)  # between samples the fit interpolates
    values = np.cumsum(np.random.default_rng(seed).normal(size=400))
    channel = Channel(path, float(values[0]))
    online = [channel.step(float(k), float(v), 1.0) for k, v in enumerate(values)]
    assert np.max(np.abs(np.array(online) - along(path, values, 1.0))) < 1e-9 * np.ptp(values)


@given(paths, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_what_a_channel_foretells_is_what_then_happens(path: Path, seed: int) -> None:
    path = Path(path.delay_s, max(path.lag1_s, 20.0), path.lag2_s)  # steps of 4 s must be fine enough for it
    values = np.cumsum(np.random.default_rng(seed).normal(size=400))
    channel = Channel(path, float(values[0]))
    for k, value in enumerate(values):
        channel.step(float(k), float(value), 1.0)
    foretold = channel.ahead(399.0, 4.0, [float(values[-1])] * 40)
    came = [channel.step(400.0 + k, float(values[-1]), 1.0) for k in range(160)][3::4]
    assert np.max(np.abs(np.array(foretold) - came)) < 0.05 * np.ptp(values)


def test_step_response_is_that_of_the_lags() -> None:
    t = np.arange(0.0, 400.0, 0.1)
    slow = along(Path(20.0, 60.0, 15.0), (t >= 0.05).astype(float), 0.1)
    assert np.max(np.abs(step_response(t - 20.0, (60.0, 15.0)) - slow)) < 5e-3


@given(st.integers(0, 2**32 - 1))
@example(1331)  # a bound reached all but one bit was once taken for the other bound
@settings(deadline=None)
def test_moves_are_the_optimum_within_their_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 6
    blocks, e = rng.normal(size=(30, n)).cumsum(axis=0), rng.normal(size=30) * 5.0
    low, high = -rng.uniform(0.0, 1.0, n), rng.uniform(0.05, 1.0, n)
    weight = float(10.0 ** rng.uniform(-2, 2))
    u = best_moves(e, blocks, weight, low, high)
    change = np.eye(n) - np.eye(n, k=-1)
    full = np.vstack([blocks, math.sqrt(weight) * change])
    best = lsq_linear(full, np.concatenate([-e, np.zeros(n)]), bounds=(low, high), tol=1e-14).x

    def cost(x: np.ndarray) -> float:
        return float(np.sum((blocks @ x + e) ** 2) + weight * np.sum((change @ x) ** 2))

    assert np.all(u >= low - 1e-12)
    assert np.all(u <= high + 1e-12)
    assert cost(u) <= cost(best) * (1.0 + 1e-6) + 1e-9


@pytest.mark.parametrize(("phi", "level_sd", "white_sd"), [(0.98, 1.0, 0.5), (0.995, 0.3, 0.2), (0.9, 0.5, 1.0)])
def test_noise_is_found_again(phi: float, level_sd: float, white_sd: float) -> None:
    rng = np.random.default_rng(5)
    level = np.zeros(20_000)
    drive = level_sd * math.sqrt(1.0 - phi * phi)
    for k in range(1, len(level)):
        level[k] = phi * level[k - 1] + drive * rng.standard_normal()
    values = level + white_sd * rng.standard_normal(len(level))
    found = level_noise(*fit_arma(values, np.ones(len(values))), 2.0)
    assert math.sqrt(found.white_var(2.0)) == pytest.approx(white_sd, rel=0.1)
    assert found.level_sd == pytest.approx(level_sd, rel=0.25)
    assert found.keep(2.0) == pytest.approx(phi, abs=0.02)
    follower = Level(found, 0.0)
    errors = []
    for value, true in zip(values, level, strict=True):
        follower.step(float(value), 2.0)
        errors.append(follower.now - true)
    assert np.std(errors) < 0.8 * white_sd


def test_a_level_without_readings_falls_back_to_its_mean() -> None:
    follower = Level(level_noise(0.98, 0.7, 0.5, 2.0), 3.0)
    for _ in range(10):
        follower.step(5.0, 2.0)
    assert follower.now > 4.0
    for _ in range(2000):
        follower.step(math.nan, 2.0)
    assert follower.now == pytest.approx(follower.mean, abs=1e-3)


@given(st.floats(0.0, 0.5), st.floats(0.5, 5.0))
def test_a_working_meter_is_hardly_ever_called_stuck(repeat_share: float, sample_s: float) -> None:
    n = repeats_for_stuck(repeat_share, sample_s)
    assert n >= 2
    assert 28_800.0 / sample_s * max(repeat_share, 1e-3) ** n <= 0.3 + 1e-9


def test_noise_on_a_coarse_scale_is_no_stuck_meter() -> None:
    """A working meter of 0.2 % wb noise that shows tenths: readings near the mean repeat more often than others."""
    readings = np.round(np.random.default_rng(7).normal(13.0, 0.2, 40 * 28_800), 1)
    same = readings[1:] == readings[:-1]
    n = repeats_for_stuck(float(np.mean(same)), 1.0)
    ends = np.flatnonzero(~np.concatenate([[False], same, [False]]))
    stuck = int(np.sum(np.diff(ends) - 1 >= n))
    assert stuck <= 40 * 0.3 * 1.8, f"{stuck} in forty shifts"


def test_a_reading_is_judged() -> None:
    state = MeterState()
    reading, state, why = judge(state, 13.0, 13.1, 0.2, 3, 1.0)
    assert (reading, why) == (13.0, "")
    reading, state, why = judge(state, math.nan, 13.1, 0.2, 3, 1.0)
    assert why == "missing"
    assert math.isnan(reading)
    reading, state, why = judge(state, 19.0, 13.1, 0.2, 3, 1.0)
    assert why == "spike"
    for _ in range(5):  # it stays there: so it is no spike
        reading, state, why = judge(state, 19.0 + np.random.default_rng(1).normal(), 13.1, 0.2, 3, 1.0)
    for k in range(5):
        reading, state, why = judge(state, 19.5, 19.4, 0.2, 3, 1.0)
        assert (why == "stuck") == (k >= 3)


def test_a_reading_seen_twice_is_not_a_stuck_meter() -> None:
    """A slow or late scan shows its reading to several ticks of the control cycle."""
    state, found = MeterState(), []
    for tick in range(40):
        reading = 12.8 + 0.01 * (tick // 10)
        _, state, why = judge(state, reading, 12.8, 0.1, 5, 1.0, is_new=tick % 10 == 0)
        found.append(why)
    assert set(found) == {""}
    for _ in range(5):
        _, state, why = judge(state, 12.83, 12.8, 0.1, 5, 1.0)
    assert why == "stuck"


@pytest.mark.parametrize("scans", [3, 5, 10, 20])
@pytest.mark.parametrize("quantum", [0.01, 0.05])
def test_a_meter_that_is_slower_than_its_scan_is_called_stuck_after_a_few_of_its_values(
    scans: int, quantum: float
) -> None:
    rng = np.random.default_rng(scans)
    shown = np.repeat(np.round(rng.normal(13.0, 0.2, 14_400 // scans) / quantum) * quantum, scans)
    each, repeat_share = renewal(shown)
    assert each == pytest.approx(scans)
    assert repeat_share == pytest.approx(quantum / (0.4 * math.sqrt(math.pi)), abs=0.03)
    n = repeats_for_stuck(repeat_share, each)
    state, found = MeterState(), []
    for reading in shown:
        _, state, why = judge(state, float(reading), 13.0, 0.3, n, 1.0, stuck_after_s=n * each + 1.0)
        found.append(why)
    assert "stuck" not in found, "it works"
    late = 0
    while why != "stuck":
        _, state, why = judge(state, float(shown[-1]), 13.0, 0.3, n, 1.0, stuck_after_s=n * each + 1.0)
        late += 1
    assert late <= 6 * scans


def test_a_meter_whose_clock_is_not_that_of_the_scan_renews_in_between() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(13.0, 0.2, 3000)
    shown = values[(np.arange(14_400) / 5.3).astype(int)]
    shown[4000:4600] = shown[4000]  # it stood still for ten minutes
    each, repeat_share = renewal(shown)
    assert each == pytest.approx(5.3, abs=0.1)
    assert repeat_share < 0.02


def test_a_meter_that_repeats_itself_at_random_renews_with_each_scan() -> None:
    rng = np.random.default_rng(6)
    fresh = rng.random(14_400) > 0.6
    shown = rng.normal(13.0, 0.2, 14_400)[np.maximum.accumulate(np.where(fresh, np.arange(14_400), 0))]
    assert renewal(shown) == (1.0, pytest.approx(0.6, abs=0.02))
