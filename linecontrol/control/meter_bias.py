"""The bias of a meter, estimated from laboratory values that come hours late, each at the time of its own sample. Pure.

    bias = what the meter shows - what is true

The bias is a random walk from a prior (scalar Kalman filter). Each pair of laboratory value and meter reading is one
observation of it, judged before it is believed. All pairs are always taken anew, in the order in which their samples
were taken, so a value that arrives late, or replaces a wrong one, counts as if it had come in time.

It knows no history and no clock: who asks finds the readings (``reading_around``) and says what time it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from linecontrol.core.model import Sample

AGREE = 3.0  # two outliers this many of their joint standard deviations apart tell the same story
LEAST_COVER = 0.5  # share of the window in which the meter must have been good
INDEPENDENT_S = 10.0  # readings closer together than this share their noise (lag of the meter)
SAMPLING_S = 30.0  # a person writes down the minute, so the time of a sample is known to about this


@dataclass(frozen=True, slots=True)
class BiasSettings:
    """What is believed of a meter before its first laboratory value. Raises ValueError naming field and range.

    Attributes:
        prior_u: standard deviation of the bias of a calibrated meter [tag unit], > 0.
        drift_u: standard deviation of the bias' change in one hour [tag unit / sqrt h], >= 0.
        sampling_u: how far one scoop may differ from the powder the meter saw around it (standard deviation)
            [tag unit], >= 0; added to the laboratory's own uncertainty.
        gate: a pair further than this many standard deviations from what is expected is an outlier, > 0.
        most: a larger difference is absurd: a wrong sample or a slip of the pen [tag unit], > 0.
    """

    prior_u: float = 0.5
    drift_u: float = 0.05
    sampling_u: float = 0.15
    gate: float = 4.0
    most: float = 3.0

    def __post_init__(self) -> None:
        for name, value, ok, accepted in (
            ("prior_u", self.prior_u, 0.0 < self.prior_u < math.inf, "above 0, finite"),
            ("drift_u", self.drift_u, 0.0 <= self.drift_u < math.inf, "0 or more, finite"),
            ("sampling_u", self.sampling_u, 0.0 <= self.sampling_u < math.inf, "0 or more, finite"),
            ("gate", self.gate, 0.0 < self.gate < math.inf, "above 0, finite"),
            ("most", self.most, 0.0 < self.most < math.inf, "above 0, finite"),
        ):
            if not ok:
                raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


class Verdict(StrEnum):
    """What became of a laboratory value."""

    USED = "used"
    OUTLIER = "outlier"  # too far from what was expected; believed when the next one says the same
    ABSURD = "absurd"  # further from the meter than a bias can be
    NO_READING = "no-reading"  # the meter showed nothing good when the sample was taken


class MeterReading(NamedTuple):
    """The meter around the time of a sample: mean and standard uncertainty of the mean [tag unit]."""

    mean: float
    u: float


class Pair(NamedTuple):
    """A laboratory value with what the meter showed then.

    Attributes:
        at_s: when the sample was taken [s, any zero]. lab, lab_u: value and standard uncertainty [tag unit].
        reading: None when the meter was not good then.
    """

    at_s: float
    lab: float
    lab_u: float
    reading: MeterReading | None


class Judged(NamedTuple):
    """What was thought of a pair.

    Attributes:
        difference: meter - laboratory; expected: the bias expected before it [tag unit]; NaN without a reading.
        spread: standard deviation of the difference around what was expected [tag unit]; NaN without a reading.
    """

    verdict: Verdict
    difference: float
    expected: float
    spread: float


class Bias(NamedTuple):
    """The bias at a time.

    Attributes:
        value: [tag unit], subtract it from a reading. u: its standard uncertainty [tag unit], > 0.
        used: pairs believed. last_at_s: sample time of the newest of them; None = none.
    """

    value: float
    u: float
    used: int = 0
    last_at_s: float | None = None


def estimate_bias(settings: BiasSettings, pairs: Sequence[Pair], at_s: float) -> tuple[Bias, list[Judged]]:
    """The bias at ``at_s`` from all pairs up to then, and what was thought of each pair (in the order given).

    A pair whose sample was taken after ``at_s`` is judged as if it had been taken then.
    """
    value, variance, now_s = 0.0, settings.prior_u**2, None
    used, last_at_s = 0, None
    judged: dict[int, Judged] = {}
    suspect: tuple[int, float, float, float] | None = None  # index, time, difference, variance of the last outlier
    for index in sorted(range(len(pairs)), key=lambda n: pairs[n].at_s):
        pair = pairs[index]
        if pair.reading is None:
            judged[index] = Judged(Verdict.NO_READING, math.nan, math.nan, math.nan)
            continue
        when_s = min(pair.at_s, at_s)
        if now_s is not None:
            variance += _drift(settings, when_s - now_s)
        now_s = when_s
        difference = pair.reading.mean - pair.lab
        noise = pair.lab_u**2 + pair.reading.u**2 + settings.sampling_u**2
        spread = math.sqrt(variance + noise)
        expected = value
        if abs(difference) > settings.most:
            judged[index] = Judged(Verdict.ABSURD, difference, expected, spread)
            continue
        if abs(difference - expected) > settings.gate * spread:
            step = _confirmed(settings, suspect, when_s, difference, noise)
            if step is None:
                judged[index] = Judged(Verdict.OUTLIER, difference, expected, spread)
                suspect = (index, when_s, difference, noise)
                continue
            first, value, variance = step
            judged[first] = judged[first]._replace(verdict=Verdict.USED)
            used += 1
        else:
            gain = variance / (variance + noise)
            value += gain * (difference - value)
            variance *= 1.0 - gain
        judged[index] = Judged(Verdict.USED, difference, expected, spread)
        suspect, used, last_at_s = None, used + 1, pair.at_s
    if now_s is not None:
        variance += _drift(settings, at_s - now_s)
    value = min(max(value, -settings.most), settings.most)
    return Bias(value, math.sqrt(variance), used, last_at_s), [judged[index] for index in range(len(pairs))]


def _drift(settings: BiasSettings, elapsed_s: float) -> float:
    return settings.drift_u**2 * max(0.0, elapsed_s) / 3600.0


def _confirmed(
    settings: BiasSettings,
    suspect: tuple[int, float, float, float] | None,
    at_s: float,
    difference: float,
    noise: float,
) -> tuple[int, float, float] | None:
    """Does an outlier say what the outlier before it said? Then the bias has stepped (a window was wiped, a meter
    changed): index of the first, and the bias with its variance from the two alone."""
    if suspect is None:
        return None
    first, then_s, before, before_noise = suspect
    before_noise += _drift(settings, at_s - then_s)
    if abs(difference - before) > AGREE * math.sqrt(noise + before_noise):
        return None
    share = before_noise / (noise + before_noise)
    return first, share * difference + (1.0 - share) * before, noise * before_noise / (noise + before_noise)


def reading_around(samples: Sequence[Sample], at_s: float, before_s: float, after_s: float) -> MeterReading | None:
    """What the meter showed from ``at_s - before_s`` to ``at_s + after_s``, each sample holding until the next.

    The uncertainty has the scatter of the readings, and how far the moisture moves while nobody knows exactly when the
    sample was taken. None when less than half of the window is GOOD.

    Args:
        samples: oldest first, as recorded; the first may lie before the window.
    """
    start_s, end_s = at_s - before_s, at_s + after_s
    pieces: list[tuple[float, float, float]] = []  # from, how long, value
    for index, sample in enumerate(samples):
        until_s = samples[index + 1].time if index + 1 < len(samples) else end_s
        low_s, high_s = max(sample.time, start_s), min(until_s, end_s)
        if high_s > low_s and math.isfinite(sample.number):
            pieces.append((low_s, high_s - low_s, sample.number))
    weight = sum(length for _, length, _ in pieces)
    if not pieces or weight < LEAST_COVER * (end_s - start_s):
        return None
    mean = sum(length * value for _, length, value in pieces) / weight
    variance = sum(length * (value - mean) ** 2 for _, length, value in pieces) / weight
    count = max(1.0, min(float(len(pieces)), weight / INDEPENDENT_S))
    middle = sum(length * (from_s + 0.5 * length) for from_s, length, _ in pieces) / weight
    moment = sum(length * (from_s + 0.5 * length - middle) ** 2 for from_s, length, _ in pieces)
    slope = (
        sum(length * (from_s + 0.5 * length - middle) * (value - mean) for from_s, length, value in pieces) / moment
        if moment > 0.0
        else 0.0
    )
    return MeterReading(mean, math.hypot(math.sqrt(variance / count), slope * SAMPLING_S))
