"""What ``historian.py`` stores: 120 signals x 1 Hz x 8 h, drawn or recorded from the twin, as one matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

SIGNALS, SECONDS = 120, 28_800
T0_S = 1_750_000_000

Matrix = npt.NDArray[np.float64]
"""One row for each signal, one column for each second."""


def drawn(seed: int = 7) -> Matrix:
    """60 noisy measurements as an instrument resolves them, 20 set points, 25 switches, 15 counters."""
    draw, rows = np.random.default_rng(seed), []
    for i in range(60):
        step = [0.01, 0.1, 0.05, 0.001][i % 4]
        wanted = np.repeat(draw.uniform(20, 80, 9), 3200)
        lag = 0.995
        driven = (1 - lag) * wanted + draw.normal(0, 0.08, SECONDS) * 0.3
        value = lfilter([1.0], [1.0, -lag], driven, zi=[lag * wanted[0]])[0]
        rows.append(np.round((value + draw.normal(0, 0.04, SECONDS)) / step) * step)
    rows += [np.repeat(np.round(draw.uniform(0, 100, 16), 1), 1800) for _ in range(20)]
    rows += [(np.cumsum(draw.random(SECONDS) < 0.002) % 2).astype(float) for _ in range(25)]
    rows += [np.cumsum(draw.poisson(2 + i, SECONDS)).astype(float) for i in range(15)]
    return np.array(rows)


def from_the_twin(runs: int) -> Matrix:
    """The first 120 numeric tags of whole runs, second by second; a value that is none holds the one before."""
    from linecontrol.twin.trial import Trial, run_trial

    parts: list[Matrix] = []
    names: list[str] = []
    for seed in range(1, runs + 1):
        kept = run_trial(Trial("kudzu-lobata-standard", seed=seed, every_s=1.0)).kept
        assert kept is not None
        if not names:
            seen = {name: sample.value for scan in kept.scans for name, sample in scan.samples.items()}
            names = [name for name, value in seen.items() if isinstance(value, float | int)][:SIGNALS]
        start = min(scan.time for scan in kept.scans)
        whole = int(max(scan.time for scan in kept.scans) - start) + 1
        grid = np.full((len(names), whole), np.nan)
        at = {name: row for row, name in enumerate(names)}
        for scan in kept.scans:
            second = int(scan.time - start)
            for name, sample in scan.samples.items():
                if name in at and isinstance(sample.value, float | int):
                    grid[at[name], second] = sample.value
        for row in grid:
            known = np.maximum.accumulate(np.where(np.isnan(row), 0, np.arange(whole)))
            row[:] = np.nan_to_num(row[known])
        parts.append(grid)
    return np.concatenate(parts, axis=1)[:, :SECONDS]


def delta_entropy(data: Matrix) -> float:
    """Entropy of order 0 of the changes from second to second [bytes a sample]."""

    def of(row: npt.NDArray[np.float64]) -> float:
        _, counts = np.unique(np.round(np.diff(row), 9), return_counts=True)
        share = counts / counts.sum()
        return float(-(share * np.log2(share)).sum() / 8)

    return float(np.mean([of(row) for row in data]))
