"""Constrained optimal moves of the inlet set point: a small quadratic programme with bounds. Pure.

    min  sum_k (e_k + sum_j S_kj u_j)^2 + weight sum_j (u_j - u_(j-1))^2,   low <= u_j <= high

u_j is the set point less the present one in block j. Rate limits are bounds on the first block, which is the only one
that is used before all is worked out anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from operator import le

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
    lows, highs, at = low.tolist(), high.tolist(), u.tolist()
    if all(map(le, lows, at)) and all(map(le, at, highs)):
        return np.asarray(u, dtype=np.float64)
    u = _within(at, lows, highs)
    held = (u <= low) | (u >= high)
    for _ in range(4 * n):
        free = np.flatnonzero(~held)
        step = np.zeros(n)
        if free.size:
            step[free] = np.linalg.solve(h[free[:, None], free], -(g + h @ u)[free])
        first, reach = _first_bound(u.tolist(), step.tolist(), lows, highs)
        if reach < 1.0:
            u = _within((u + max(reach, 0.0) * step).tolist(), lows, highs)
            u[first] = high[first] if step[first] > 0.0 else low[first]  # to the last bit: it tells which bound holds
            held[first] = True
            continue
        u = _within((u + step).tolist(), lows, highs)
        slope = h @ u + g
        push = np.where(held & (u <= low), -slope, np.where(held, slope, -np.inf))  # > 0: the bound is not wanted
        push[low >= high] = -np.inf
        worst = int(np.argmax(push))
        if push[worst] <= 1e-9:
            break
        held[worst] = False
    return np.asarray(u, dtype=np.float64)


def _within(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> FloatArray:
    """Each value within its bounds; for so few, plain numbers are faster than arrays."""
    return np.array([min(max(value, low), high) for value, low, high in zip(values, lows, highs, strict=True)])


def _first_bound(
    u: Sequence[float], step: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> tuple[int, float]:
    """Which value comes to a bound first, and at which share of the step; infinite when none moves."""
    first, least = 0, math.inf
    for place, (here, move, low, high) in enumerate(zip(u, step, lows, highs, strict=True)):
        if move != 0.0:
            share = ((high if move > 0.0 else low) - here) / move
            if share < least:
                first, least = place, share
    return first, least
