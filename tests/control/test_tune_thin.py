"""Records of very many rows: fitted in fewer, to the same model, with the noise of their own rows."""

from __future__ import annotations

import numpy as np
import pytest
from tuning_plants import coloured

from linecontrol.control.tuning import Identified, Process, identify, response
from linecontrol.control.tuning.record import Record, read_record
from linecontrol.control.tuning.thin import MANY, averaged, is_fine_for, thinned

ROWS = 30_000


def many(
    truth: Process, *, period_s: float, phi: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A doublet of 5, in so many rows; noise of 4 % of the answer's level."""
    t = period_s * np.arange(float(ROWS))
    u = np.where((t >= 0.31 * t[-1]) & (t < 0.62 * t[-1]), 45.0, 40.0)
    noise = 0.2 * abs(truth.gain)
    return t + 7e8, u, 70.0 + response(truth, t, u) + coloured(np.random.default_rng(seed), ROWS, phi, noise)


@pytest.mark.parametrize(
    ("truth", "period_s", "phi"),
    [
        (Process(1.2, 40.0, 12.0), 0.1, 0.0),
        (Process(-3.0, 25.0, 40.0), 0.05, 0.0),
        (Process(0.8, 200.0, 3.0), 0.2, 0.9),
    ],
)
def test_the_model_is_the_same_and_the_noise_is_that_of_the_rows(truth: Process, period_s: float, phi: float) -> None:
    found = identify(*many(truth, period_s=period_s, phi=phi), classes=["fopdt"])
    assert isinstance(found, Identified), found
    assert len(found.t_s) <= MANY  # what it was fitted to
    for name in ("gain", "t1_s", "delay_s"):
        assert getattr(truth, name) in found.intervals[name], name
    assert found.intervals["delay_s"].high - found.intervals["delay_s"].low < 0.15 * truth.scale_s
    assert found.period_s == pytest.approx(period_s)
    assert found.noise_sd == pytest.approx(0.2 * abs(truth.gain), rel=0.05)
    assert found.noise_phi == pytest.approx(phi, abs=0.03)


def record(truth: Process, period_s: float) -> Record:
    read = read_record(*many(truth, period_s=period_s))
    assert isinstance(read, Record)
    return read


def test_rows_no_closer_than_the_lags_want_are_left_as_they_are() -> None:
    for truth, period_s in ((Process(1.0, 4.0, 2.0), 0.2), (Process(1.0, 0.0, 5.0), 0.2)):
        full = record(truth, period_s)
        slim = thinned(full)
        assert slim is full or is_fine_for(slim, truth)
    assert not is_fine_for(averaged(full, 2.0), Process(1.0, 4.0, 2.0))


def test_means_keep_moves_levels_and_gaps() -> None:
    full = record(Process(1.0, 40.0, 12.0), 0.1)
    keep = (full.t_s < 400.0) | (full.t_s > 500.0)
    slim = averaged(Record(full.t_s[keep], full.y[keep], full.moves, full.u_span, 0.1, 0.0), 1.0)
    assert slim.moves is full.moves
    assert len(slim.t_s) == pytest.approx(2900, abs=2)
    assert np.max(np.diff(slim.t_s)) == pytest.approx(101.0, abs=1.0)
    assert np.all(np.diff(slim.t_s) > 0.0)
    assert np.mean(slim.y) == pytest.approx(np.mean(full.y[keep]), abs=1e-3)
