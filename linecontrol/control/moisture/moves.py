"""Constrained optimal moves of the inlet set point: a small quadratic programme with bounds. Pure.

    min  sum_k (e_k + sum_j S_kj u_j)^2 + weight sum_j (u_j - u_(j-1))^2,   low <= u_j <= high

u_j is the set point less the present one in block j. Rate limits are bounds on the first block, which is the only one
that is used before all is worked out anew.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from linecontrol.control.moisture.record import FloatArray

BLOCKS = (0, 1, 2, 4, 7, 11, 16, 22)  # steps of the horizon at which the set point may change
STEPS = 40


@cache
def _squared_moves(n: int) -> FloatArray:
    """The form of the moves' squares: asked for every scan, and the same one each time."""
    change = np.eye(n) - np.eye(n, k=-1)
    return np.asarray(change.T @ change, dtype=np.float64)


def best_moves(e: FloatArray, blocks: FloatArray, weight: float, low: FloatArray, high: FloatArray) -> FloatArray:
    """Set points of the blocks less the present one.

    A primal active-set method: each step goes to the optimum with the bounds held so far, or to the first bound on the
    way; a bound is let go when the cost falls away from it. The result keeps the bounds in any case.

    Args:
        e: (steps,) expected error without moves. blocks: (steps, n) answer to a unit in one block alone.
        weight: of squared moves, > 0. low, high: (n,) bounds, low <= high.
    """
    n = blocks.shape[1]
    h = blocks.T @ blocks + weight * _squared_moves(n)
    g = blocks.T @ e
    u = np.linalg.solve(h, -g)
    if (u >= low).all() and (u <= high).all():
        return np.asarray(u, dtype=np.float64)
    u = np.clip(u, low, high)
    held = (u <= low) | (u >= high)
    for _ in range(4 * n):
        free = ~held
        step = np.zeros(n)
        if np.any(free):
            step[free] = np.linalg.solve(h[np.ix_(free, free)], -(g + h @ u)[free])
        room = np.where(step > 0.0, high - u, np.where(step < 0.0, low - u, np.inf))
        reach = np.where(step != 0.0, room / np.where(step != 0.0, step, 1.0), np.inf)
        first = int(np.argmin(reach))
        if reach[first] < 1.0:
            u = np.clip(u + max(float(reach[first]), 0.0) * step, low, high)
            u[first] = high[first] if step[first] > 0.0 else low[first]  # to the last bit: it tells which bound holds
            held[first] = True
            continue
        u = np.clip(u + step, low, high)
        slope = h @ u + g
        push = np.where(held & (u <= low), -slope, np.where(held, slope, -np.inf))  # > 0: the bound is not wanted
        push[low >= high] = -np.inf
        worst = int(np.argmax(push))
        if push[worst] <= 1e-9:
            break
        held[worst] = False
    return np.asarray(u, dtype=np.float64)
