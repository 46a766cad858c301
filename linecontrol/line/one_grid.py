"""Recorded samples of one loop on one even grid, as assessments want them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def on_one_grid(
    rows: Mapping[str, Sequence[Any]], start: float
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Samples that hold until the next one, at the usual distance of those of PV and output; times from ``start`` on.

    History is stored on change: a PV without a row has not changed, and is as good as it was.
    """
    held = {}
    for role, samples in rows.items():
        t = np.array([max(sample.time, start) - start for sample in samples])
        v = np.array([float(s.value) if isinstance(s.value, int | float) else math.nan for s in samples])
        fine = np.array([sample.is_good for sample in samples], dtype=bool)
        held[role] = (t, v, fine)
    gaps = np.concatenate([np.diff(held[role][0]) for role in ("pv", "op")])
    gaps = gaps[gaps > 1e-3]
    if len(gaps) == 0 or any(len(t) == 0 for t, _, _ in held.values()):
        return np.zeros(0), {}, np.zeros(0, dtype=bool)
    step = max(float(np.round(np.quantile(gaps, 0.25), 3)), 1e-3)
    begin = max(t[0] for t, _, _ in held.values())
    end = max(t[-1] for t, _, _ in held.values())
    grid = begin + step * np.arange(int((end - begin) / step) + 1)
    at = {role: np.searchsorted(t, grid + 1e-6, side="right") - 1 for role, (t, _, _) in held.items()}
    values = {role: held[role][1][at[role]] for role in held}
    return grid, values, held["pv"][2][at["pv"]]
