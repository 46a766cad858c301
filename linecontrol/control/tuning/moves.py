"""How a test moves the output: a step, a doublet, a relay, each as a small state machine. Pure: times and PVs in.

They say how far from its start the output should be [output unit]; limits, rates, time and bad PVs are ``live``'s.
Lengths are found while the test goes on: a leg ends when the PV's answer has levelled out, or has used up its share of
the PV's room, so that nobody has to know the process beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

import numpy as np

from linecontrol.control.tuning import relay
from linecontrol.control.tuning.relay import RelaySettings

CLEAR_SDS, CLEAR_MEAN = 1.5, 12.0  # an answer is clear from so many sds of the noise on, and of its mean's error
STEP_LEVEL, DOUBLET_LEVEL = 3.5, 2.2  # time of the leg over the time to 63 % of the answer: some 3 and 2 lags
STEP_HALF, DOUBLET_HALF = 0.85, 0.74  # the answer at half the leg's time over that at its end, after so many lags
FIRST_SHARE = 0.25  # of the time limit: so long a relay waits for its first switch
STUCK_HALVES = 5.0  # a half-period this many times the longest one so far will not end
LEGS_TO_COME = 3.0  # a doublet takes so many times its first leg
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

    @property
    def text(self) -> str:
        """What it does now, for a person."""
        ...

    failed: str
    """Why it cannot be brought to an end; "" = it can."""

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        """How far from its start the output should be [output unit]; None = the moves are over.

        Args:
            t_s: since the first move [s]. away: PV less its start and its drift [PV unit], NaN when bad.
            moved: how far the output is from its start now [output unit]. dt_s: since the last call [s].
        """
        ...


Rooms = tuple[float, float]
"""How far the PV may go down and up from its start [PV unit], both > 0."""


def _share(rooms: Rooms, share: float) -> Rooms:
    return rooms[0] * share, rooms[1] * share


class Levelling:
    """Has the PV's answer to a move levelled out?

    Compares the leg's length with the time to 63 % of the answer (1.6 for a ramp, more once a lag levels out), and the
    answer at half time with that at the end (0.5 for a ramp). An integrating process never levels out.
    """

    def __init__(self, noise_sd: float, soft: Rooms, ratio: float, half: float, shortest_s: float) -> None:
        self._t: list[float] = []
        self._y: list[float] = []
        self._noise_sd, self._soft = noise_sd, soft
        self._ratio, self._half, self._shortest_s = ratio, half, shortest_s
        self._level = 0  # judgements in a row that said so

    def is_over(self, t_s: float, away: float) -> bool:
        """Takes in a sample; whether the leg may end."""
        if away != away:
            return False
        self._t.append(t_s)
        self._y.append(away)
        n = len(self._y)
        recent = sum(self._y[-5:]) / 5.0  # of five, the first ones counted as 0: no spike ends a leg
        if not -self._soft[0] <= recent <= self._soft[1]:
            return True
        if n < 12 or t_s < self._shortest_s or n % max(1, n // 40):
            return False
        self._level = self._level + 1 if self._is_level(n) else 0
        return self._level >= 2

    def _is_level(self, n: int) -> bool:
        y = np.asarray(self._y)
        few = max(5, n // 10)
        now = float(np.mean(y[-few:]))
        if abs(now) <= self._noise_sd * max(CLEAR_SDS, CLEAR_MEAN / few**0.5) or now == 0.0:
            return False
        middle = float(np.mean(y[n // 2 - few // 2 : n // 2 + few // 2 + 1]))
        if middle / now < self._half:
            return False
        wide = max(5, n // 15)
        smooth = np.convolve(y * (1.0 if now > 0.0 else -1.0), np.ones(wide) / wide, mode="valid")
        reached = int(np.argmax(smooth >= 0.63 * abs(now)))
        return self._t[-1] >= self._ratio * self._t[min(reached + wide // 2, n - 1)]


class Step:
    """One move, held until the answer has levelled out; then the output is back at its start."""

    def __init__(self, size: float, noise_sd: float, rooms: Rooms, shortest_s: float, longest_s: float) -> None:
        self._size, self._longest_s = size, longest_s
        self._leg = Levelling(noise_sd, _share(rooms, SOFT_STEP), STEP_LEVEL, STEP_HALF, shortest_s)
        self.text, self.failed = f"step of {size:+.4g}", ""

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        del moved, dt_s
        return None if self._leg.is_over(t_s, away) or t_s >= self._longest_s else self._size


class Doublet:
    """Up, down, back, ``times`` over. Each second leg ends where the output's net area is zero, ramps included.

    Only the first leg looks for its length; later ones have the same, so that load and answer do not go together. On a
    process that ramps by itself the first leg is ended early enough for the PV to stay within its room to the end.
    """

    def __init__(
        self,
        size: float,
        noise_sd: float,
        rooms: Rooms,
        drift_per_s: float,
        times: int,
        shortest_s: float,
        longest_s: float,
        rate_per_s: float,
    ) -> None:
        self._size, self._times, self._longest_s, self._rate = size, times, longest_s, rate_per_s
        self._leg = Levelling(noise_sd, _share(rooms, SOFT_DOUBLET), DOUBLET_LEVEL, DOUBLET_HALF, shortest_s)
        self._rooms, self._drift = rooms, abs(drift_per_s)
        self._leg_s = math.inf
        self._began_s = 0.0
        self._area = 0.0
        self._made = 0
        self._second = False
        self.failed = ""

    @property
    def text(self) -> str:
        """Which leg of which doublet."""
        leg = "second" if self._second else "first"
        return f"doublet {self._made + 1} of {self._times}, +-{abs(self._size):.4g}, {leg} leg"

    def offset(self, t_s: float, away: float, moved: float, dt_s: float) -> float | None:
        self._area += moved * dt_s
        if not self._second:
            if not self._is_over(t_s, away):
                return self._size
            self._second = True
        way = 1.0 if self._size > 0.0 else -1.0
        back = 0.5 * moved * abs(moved) / self._rate  # area of the way back; 0 where the rate is infinite
        if not (way * moved < 0.0 and way * (self._area + back) <= 0.0):
            return -self._size
        self._made += 1
        if self._made >= self._times:
            return None
        self._second, self._began_s, self._area = False, t_s, -back
        return self._size

    def _is_over(self, t_s: float, away: float) -> bool:
        if self._made:
            return t_s - self._began_s >= self._leg_s
        left = min(self._rooms) - self._drift * LEGS_TO_COME * self._times * t_s
        over = self._leg.is_over(t_s, away) or t_s >= self._longest_s or abs(away) > SOFT_DOUBLET * left
        if over:
            self._leg_s = t_s
        return over


class Relay:
    """Switched by the PV; a half-period that goes too far shrinks the moves to follow."""

    def __init__(
        self,
        size: float,
        noise_sd: float,
        rooms: Rooms,
        sign: int,
        periods: int,
        shortest_s: float,
        longest_s: float,
    ) -> None:
        band = max(HYSTERESIS_SDS * noise_sd, HYSTERESIS_ROOM * min(rooms))
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
        self._most = SOFT_RELAY * min(rooms)
        self._peak = 0.0
        self._switched_s, self._longest_half_s, self._patience_s = 0.0, 0.0, shortest_s
        self._first = Levelling(noise_sd, (math.inf, math.inf), STEP_LEVEL, STEP_HALF, shortest_s)
        self.failed = ""
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
            self._longest_half_s = max(self._longest_half_s, t_s - self._switched_s)
            self._switched_s = t_s
            op = self._fitted(op)
        elif before and t_s - self._switched_s > max(STUCK_HALVES * self._longest_half_s, self._patience_s):
            self.failed = (
                f"the PV has not come back for {t_s - self._switched_s:.0f} s: a load moved, or a size of"
                f" {self._settings.up:.3g} is too small; repeat with a larger one, or make a doublet"
            )
        elif before == 0 and (self._first.is_over(t_s, away) or t_s > FIRST_SHARE * self._settings.longest_s):
            band, answer = self._settings.hysteresis, self._peak
            self.failed = (
                f"in {t_s:.0f} s the PV went {answer:.3g} from its start, inside the hysteresis of {band:.3g} that its"
                f" noise needs; repeat with a size of about {2.5 * band / max(answer, 1e-9) * self._settings.up:.3g}"
            )
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
