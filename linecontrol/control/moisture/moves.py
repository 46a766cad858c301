"""Constrained optimal moves of the inlet set point: a small quadratic programme with bounds. Pure.

    min  sum_k (e_k + sum_j S_kj u_j)^2 + weight sum_j (u_j - u_(j-1))^2,   low <= u_j <= high

u_j is the set point less the present one in block j. Rate limits are bounds on the first block, which is the only one
that is used before all is worked out anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import le

import numpy as np

from linecontrol.control.moisture.record import FloatArray

BLOCKS = (0, 1, 2, 4, 7, 11, 16, 22)  # steps of the horizon at which the set point may change
STEPS = 40


def best_moves(e: FloatArray, blocks: FloatArray, weight: float, low: FloatArray, high: FloatArray) -> FloatArray:
    """Set points of the blocks less the present one; see ``Moves``."""
    return np.array(Moves(blocks, weight).best(e, low.tolist(), high.tolist()))


class Moves:
    """The programme for these answers and this weight. What does not depend on the error is worked out once: answers
    and weight seldom change, and every scan asks.

    Args:
        blocks: (steps, n) answer to a unit in one block alone. weight: of squared moves, > 0.
    """

    def __init__(self, blocks: FloatArray, weight: float) -> None:
        n = blocks.shape[1]
        change = np.eye(n) - np.eye(n, k=-1)
        self.blocks, self.weight = blocks, weight
        self._h = h = blocks.T @ blocks + weight * (change.T @ change)
        self._free = -np.linalg.solve(h, blocks.T)  # times the error: the moves without bounds
        # The same of the other blocks when the first one is given, and what a unit in that one makes of them.
        self._others = -np.linalg.solve(h[1:, 1:], blocks[:, 1:].T)
        self._by_first = -np.linalg.solve(h[1:, 1:], h[1:, 0])

    def best(self, e: FloatArray, lows: Sequence[float], highs: Sequence[float]) -> list[float]:
        """Set points of the blocks less the present one, exact, and within the bounds in any case.

        Args:
            e: (steps,) expected error without moves. lows, highs: n bounds each, low <= high.
        """
        free: list[float] = (self._free @ e).tolist()
        if _are_within(free, lows, highs):
            return free
        # The rate holds the first move, as nearly always: then the others are the best that go with it.
        first = min(max(free[0], lows[0]), highs[0])
        u = [first, *(self._others @ e + first * self._by_first).tolist()]
        return u if first != free[0] and _are_within(u, lows, highs) else self._searched(e, free, lows, highs)

    def _searched(
        self, e: FloatArray, free: Sequence[float], lows: Sequence[float], highs: Sequence[float]
    ) -> list[float]:
        """By a primal active-set method: each step goes to the optimum with the bounds held so far, or to the first
        bound on the way; a bound is let go when the cost falls away from it."""
        h, g = self._h, self.blocks.T @ e
        n, low, high = len(free), np.array(lows), np.array(highs)
        u = _within(free, lows, highs)
        held = (u <= low) | (u >= high)
        for _ in range(4 * n):
            loose = np.flatnonzero(~held)
            step = np.zeros(n)
            if loose.size:
                step[loose] = np.linalg.solve(h[loose[:, None], loose], -(g + h @ u)[loose])
            first, reach = _first_bound(u.tolist(), step.tolist(), lows, highs)
            if reach < 1.0:
                u = _within((u + max(reach, 0.0) * step).tolist(), lows, highs)
                # to the last bit: it tells which bound holds
                u[first] = high[first] if step[first] > 0.0 else low[first]
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
        found: list[float] = u.tolist()
        return found


def _are_within(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> bool:
    return all(map(le, lows, values)) and all(map(le, values, highs))


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
