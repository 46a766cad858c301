"""Constrained optimal moves of the inlet set point: a small quadratic programme with bounds. Pure.

    min  sum_k (e_k + sum_j S_kj u_j)^2 + weight sum_j (u_j - u_(j-1))^2,   low <= u_j <= high

u_j is the set point less the present one in block j. Rate limits are bounds on the first block, which is the only one
that is used before all is worked out anew.
"""

from __future__ import annotations

import numpy as np

from linecontrol.control.moisture.record import FloatArray

BLOCKS = (0, 1, 2, 4, 7, 11, 16, 22)  # steps of the horizon at which the set point may change
STEPS = 40


def best_moves(
    e: FloatArray, blocks: FloatArray, weight: float, low: FloatArray, high: FloatArray, *, rounds: int = 12
) -> FloatArray:
    """Set points of the blocks less the present one.

    Args:
        e: (steps,) expected error without moves. blocks: (steps, n) answer to a unit in one block alone.
        weight: of squared moves, > 0. low, high: (n,) bounds, low <= 0 <= high is not needed.
        rounds: at most so many changes of the set of active bounds; the result keeps the bounds in any case.
    """
    n = blocks.shape[1]
    change = np.eye(n) - np.eye(n, k=-1)
    h = blocks.T @ blocks + weight * (change.T @ change)
    g = blocks.T @ e
    u = np.clip(np.linalg.solve(h, -g), low, high)
    for _ in range(rounds):
        slope = h @ u + g
        held = ((u <= low) & (slope > 0.0)) | ((u >= high) & (slope < 0.0))
        free = ~held
        if not np.any(free):
            break
        trial = u.copy()
        trial[free] = np.linalg.solve(h[np.ix_(free, free)], -(g[free] + h[np.ix_(free, held)] @ u[held]))
        clipped = np.clip(trial, low, high)
        if np.allclose(clipped, u, rtol=0.0, atol=1e-9):
            break
        u = clipped
    return np.asarray(u, dtype=np.float64)
