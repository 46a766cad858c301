"""Runs laid over each other: aligned as asked, a band that holds what it says, deviations where they were put."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.analysis.overlay.align import overlay
from linecontrol.analysis.overlay.answer import laid
from linecontrol.analysis.overlay.band import deviations, golden_band
from linecontrol.analysis.overlay.trace import Phase, RunTraces, Trace

NAMES = ("warm-up", "drying", "cooling")


def made(run_id: str, lengths: tuple[float, float, float] = (300.0, 900.0, 120.0), offset: float = 0.0, seed: int = 0,
         noise: float = 0.0, only: str = "") -> RunTraces:  # fmt: skip
    """A signal that is 0, 1 and 2 in the three phases; ``offset`` added in one of them, or in all."""
    ends = np.cumsum(lengths)
    t = np.arange(0.0, ends[-1], 2.0)
    phase = np.searchsorted(ends, t, side="right")
    extra = np.where([not only or NAMES[min(p, 2)] == only for p in phase], offset, 0.0)
    values = phase + extra + np.random.default_rng(seed).normal(0.0, noise, len(t)) if noise else phase + extra
    begins = [0.0, *ends[:-1]]
    phases = tuple(Phase("drying", n, b, e) for n, b, e in zip(NAMES, begins, ends, strict=True))
    signal = Trace(t, np.asarray(values, dtype=np.float64), "°C", "drying")
    return RunTraces(run_id, float(ends[-1]), {"TT": signal}, phases)


def test_a_value_holds_until_the_next_and_nothing_is_known_before_the_first() -> None:
    trace = Trace(np.array([0.0, 10.0, 20.0]), np.array([1.0, np.nan, 3.0]))
    found = trace.at(np.array([-1.0, 0.0, 9.9, 10.0, 25.0]))
    np.testing.assert_array_equal(found, [np.nan, 1.0, 1.0, np.nan, 3.0])
    assert np.isnan(Trace(np.array([]), np.array([])).at(np.array([1.0]))).all()


def test_runs_are_aligned_by_start_and_by_end() -> None:
    runs = [made("a"), made("b", (600.0, 900.0, 120.0))]
    start, end = overlay(runs, "TT", "start", 811), overlay(runs, "TT", "end", 811)
    assert start.axis_s[0] == 0.0
    assert end.axis_s[-1] == 0.0
    assert np.isnan(start.values[0][start.axis_s > 1320.0]).all()
    assert np.isnan(end.values[0][end.axis_s < -1320.0]).all()
    last = end.axis_s >= -100.0
    np.testing.assert_array_equal(end.values[0][last], end.values[1][last])
    first = start.axis_s < 300.0
    np.testing.assert_array_equal(start.values[0][first], start.values[1][first])


@given(st.lists(st.tuples(*[st.floats(20.0, 2000.0)] * 3), min_size=2, max_size=5))
def test_stretched_by_phase_equal_programs_lie_on_each_other(lengths: list[tuple[float, float, float]]) -> None:
    found = overlay([made(str(i), one) for i, one in enumerate(lengths)], "TT", "phase", 200)
    assert [phase.name for phase in found.phases] == list(NAMES)
    assert np.diff([phase.begin_s for phase in found.phases]).min() > 0.0
    near = np.min(np.abs(found.axis_s[:, None] - [p.begin_s for p in found.phases]), axis=1)
    inner = near > 0.15 * found.axis_s[-1] / 3  # a scan, stretched, reaches so far past a border
    assert np.ptp(found.values[:, inner], axis=0).max(initial=0.0) <= 1.0
    middles = [np.searchsorted(found.axis_s, (p.begin_s + p.end_s) / 2) for p in found.phases]
    for run in found.values:
        assert run[middles].tolist() == [0.0, 1.0, 2.0]


def test_runs_without_a_common_phase_say_so() -> None:
    runs = [made("a"), RunTraces("b", 100.0, {"TT": made("b").signals["TT"]}, (Phase("drying", "other", 0.0, 50.0),))]
    with pytest.raises(ValueError, match="no phase of drying in common"):
        overlay(runs, "TT", "phase")
    with pytest.raises(ValueError, match="has a record of"):
        overlay(runs, "XX")


def test_the_band_holds_a_further_run_as_often_as_it_says() -> None:
    """95 % of the moments of runs like the golden ones, whether these are three or twenty."""
    for count in (3, 20):
        inside = []
        for seed in range(12):
            runs = [made(str(i), seed=100 * seed + i, noise=0.2) for i in range(count + 1)]
            found = overlay(runs, "TT", "start", 660)
            band = golden_band(found, [str(i) for i in range(count)])
            inside.append(np.abs(found.values[count] - band.centre) <= band.half)
        assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_a_deviation_is_found_in_its_run_signal_and_phase() -> None:
    runs = [made(str(i), seed=i, noise=0.05) for i in range(6)]
    odd = made("odd", (330.0, 950.0, 100.0), offset=0.6, seed=9, noise=0.05, only="drying")
    found = overlay([*runs, odd], "TT", "phase", 400)
    rows = deviations(found, [run.run_id for run in runs])
    assert (rows[0].run_id, rows[0].phase) == ("odd", "drying")
    assert rows[0].score > 3.0
    assert rows[0].mean == pytest.approx(0.6, abs=0.05)
    cooling = next(row for row in rows if (row.run_id, row.phase) == ("odd", "cooling"))
    assert cooling.score < 1.5
    assert {row.run_id for row in rows} == {"odd", *map(str, range(6))}  # golden runs against the others
    whole = [row.score for row in rows if row.run_id != "odd" and not row.phase]
    assert max(whole) < 1.5


def test_a_band_of_two_runs_is_none() -> None:
    found = overlay([made("a"), made("b")], "TT")
    with pytest.raises(ValueError, match="needs 3 runs"):
        golden_band(found, ["a", "b"])


def test_the_answer_is_plain_and_has_no_nan() -> None:
    import json

    runs = [made("a"), made("b"), made("c"), made("d", (600.0, 900.0, 120.0))]
    answer = laid(runs, "start", ["a", "b", "c"], 50)
    text = json.dumps(answer, allow_nan=False)
    assert json.loads(text)["signals"][0]["band"]["centre"][0] == 0.0
    assert answer["signals"][0]["runs"]["a"][-1] is None
