"""How a test moves the output: a step, a doublet, a relay, each as a small state machine. Pure: times and PVs in.

They say how far from its start the output should be [output unit]; limits, rates, time and bad PVs are ``live``'s.
Lengths are found while the test goes on: a leg ends when the PV's answer has levelled out, or has used up its share of
the PV's room, so that nobody has to know the process beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

import numpy as np

from linecontrol.control.tuning import relay
from linecontrol.control.tuning.relay import RelaySettings

CLEAR_SDS, CLEAR_MEAN = 1.5, 6.0  # an answer is clear from so many sds of the noise on, and of its mean's error
STEP_LEVEL, DOUBLET_LEVEL = 3.5, 2.2  # time of the leg over the time to 63 % of the answer: some 3 and 2 lags
SOFT_STEP, SOFT_DOUBLET, SOFT_RELAY = 0.75, 0.55, 0.6  # share of the PV's room that ends a leg, or shrinks a relay
RELAY_UNLIKE = 0.5  # the relay's move down over its move up: unlike, so that the static gain can be told
HYSTERESIS_SDS = 3.0
HYSTERESIS_ROOM = 0.04  # of the PV's room, at least: a noise-free PV may be quantised


class Kind(StrEnum):
    """Kinds of test."""

    STEP = "step"  # one move and back: most about the gain, on a process that settles
    DOUBLET = "doublet"  # up, down, back, net zero: also on a process that ramps or drifts
    RELAY = "relay"  # switched by the PV itself: asymmetric, with hysteresis; most about the delay


class Pattern(Protocol):
    """Where the output should be, and when the moves are over."""

    text: str

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        """How far from its start the output should be [output unit]; None = the moves are over.

        Args:
            t_s: since the first move [s]. away: PV less its start and its drift [PV unit], NaN when bad.
            moved: how far the output is from its start now [output unit]. dt_s: since the last call [s].
        """
        ...


class Levelling:
    """Has the PV's answer to a move levelled out? Compares the leg's length with the time to 63 % of the answer.

    For a first-order process that ratio is 1.6 at the beginning and grows; an integrating one stays at 1.6.
    """

    def __init__(self, noise_sd: float, ratio: float, soft: float) -> None:
        self._t: list[float] = []
        self._y: list[float] = []
        self._noise_sd, self._ratio, self._soft = noise_sd, ratio, soft
        self._level = 0  # judgements in a row that said so

    def is_over(self, t_s: float, away: float) -> bool:
        """Takes in a sample; whether the leg may end."""
        if away != away:
            return False
        self._t.append(t_s)
        self._y.append(away)
        n = len(self._y)
        if n > 1 and min(abs(away), abs(self._y[-2])) > self._soft:  # twice: no spike ends a leg
            return True
        if n < 12 or n % max(1, n // 40):
            return False
        self._level = self._level + 1 if self._is_level(n) else 0
        return self._level >= 2

    def _is_level(self, n: int) -> bool:
        y = np.asarray(self._y)
        few = max(5, n // 10)
        now = float(np.mean(y[-few:]))
        if abs(now) <= self._noise_sd * max(CLEAR_SDS, CLEAR_MEAN / few**0.5) or now == 0.0:
            return False
        wide = max(5, n // 15)
        smooth = np.convolve(y * (1.0 if now > 0.0 else -1.0), np.ones(wide) / wide, mode="valid")
        reached = int(np.argmax(smooth >= 0.63 * abs(now)))
        return self._t[-1] >= self._ratio * self._t[min(reached + wide // 2, n - 1)]


class Step:
    """One move, held until the answer has levelled out; then the output is back at its start."""

    def __init__(self, size: float, noise_sd: float, room: float, longest_s: float) -> None:
        self._size, self._longest_s = size, longest_s
        self._leg = Levelling(noise_sd, STEP_LEVEL, SOFT_STEP * room)
        self.text = f"step of {size:+.4g}"

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        del moved, dt_s
        return None if self._leg.is_over(t_s, away) or t_s >= self._longest_s else self._size


class Doublet:
    """Up, down, back. The second leg ends where the output's net area is zero, ramps included."""

    def __init__(self, size: float, noise_sd: float, room: float, longest_s: float, rate_per_s: float) -> None:
        self._size, self._longest_s, self._rate = size, longest_s, rate_per_s
        self._leg = Levelling(noise_sd, DOUBLET_LEVEL, SOFT_DOUBLET * room)
        self._area = 0.0
        self._second = False
        self.text = f"doublet of {size:+.4g} and {-size:+.4g}, first leg"

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        self._area += moved * dt_s
        if not self._second:
            if not self._leg.is_over(t_s, away) and t_s < self._longest_s:
                return self._size
            self._second = True
            self.text = f"doublet of {self._size:+.4g} and {-self._size:+.4g}, second leg"
        way = 1.0 if self._size > 0.0 else -1.0
        back = 0.5 * moved * abs(moved) / self._rate  # area of the way back; 0 where the rate is infinite
        return None if way * moved < 0.0 and way * (self._area + back) <= 0.0 else -self._size


class Relay:
    """Switched by the PV; a half-period that goes too far shrinks the moves to follow."""

    def __init__(self, size: float, noise_sd: float, room: float, sign: int, periods: int, longest_s: float) -> None:
        band = max(HYSTERESIS_SDS * noise_sd, HYSTERESIS_ROOM * room)
        self._settings = RelaySettings(
            centre=0.0,
            up=abs(size),
            down=RELAY_UNLIKE * abs(size),
            op_low=-abs(size),
            op_high=abs(size),
            pv_centre=0.0,
            hysteresis=band,
            pv_low=-1e300,  # the PV's limits are the test's, for every kind alike
            pv_high=1e300,
            action="reverse" if sign > 0 else "direct",
            periods=periods,
            longest_s=longest_s,
        )
        self._state = relay.start(self._settings)
        self._most = SOFT_RELAY * room
        self._peak = 0.0
        self.text = f"relay, hysteresis +-{band:.3g}"

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        del moved, dt_s
        before = self._state.switches
        if away == away:
            self._peak = max(self._peak, abs(away))
        op, self._state = relay.step(self._settings, self._state, away, t_s)
        if self._state.phase is not relay.Phase.RUNNING:
            return None
        if self._state.switches > before:
            op = self._fitted(op)
        return op

    def _fitted(self, op: float) -> float:
        """At a switch: smaller moves when the last half-period went too far. Never larger again."""
        s, peak = self._settings, self._peak
        self._peak = 0.0
        n = self._state.switches
        self.text = f"relay, hysteresis +-{s.hysteresis:.3g}, switch {n} of {2 * s.periods + 1}"
        if peak <= self._most:
            return op
        share = max(self._most / peak, 0.3)
        self._settings = replace(s, up=s.up * share, down=s.down * share)
        self._state = replace(self._state, op=op * share)
        return op * share


def longest_gap_s(t_s: Sequence[float]) -> float:
    """The longest time between two samples [s]; 0 for fewer than two."""
    return max((b - a for a, b in pairwise(t_s)), default=0.0)
