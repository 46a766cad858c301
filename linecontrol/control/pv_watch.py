"""Is a measurement believable? Range, rate of change and flat line, as pure functions on samples.

They only ever lower the quality of a sample. What a loop then does (hold, manual, fallback) is the loop's setting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import NamedTuple

from linecontrol.control.forms import number
from linecontrol.core.model import Sample, Status

INF = math.inf
_new = tuple.__new__  # builds a record in half the time; every loop makes one in every cycle
SPIKE_SAMPLES = 2  # so many samples beyond the rate are taken for a spike; more are a sensor or process fault
ROUNDING = 1e-9  # relative slack on a flat band, so that one quantum up and down counts as flat when it is meant to


@dataclass(frozen=True, slots=True)
class PvWatch:
    """Plausibility limits of one PV. Raises ValueError naming field and accepted range.

    Attributes:
        low, high: believable range [PV unit]; outside = BAD.
        rate_per_s: fastest believable change [PV unit/s], > 0; inf = not checked.
        flat_s: a PV that stays within ``flat_band`` for this long is stuck [s], > 0; inf = not checked.
            ``flat_line_samples`` says how long that must be for a given noise and quantisation.
        flat_band: what counts as no movement, peak to peak [PV unit], >= 0; 0 = not one bit changes.
    """

    low: float = -INF
    high: float = INF
    rate_per_s: float = INF
    flat_s: float = INF
    flat_band: float = 0.0

    def __post_init__(self) -> None:
        for name, value, ok, accepted in (
            ("low", self.low, not math.isnan(self.low), "a number"),
            ("high", self.high, self.high > self.low, f"above watch.low {self.low:g}"),
            ("rate_per_s", self.rate_per_s, self.rate_per_s > 0.0, "above 0, or inf"),
            ("flat_s", self.flat_s, self.flat_s > 0.0, "above 0 s, or inf"),
            ("flat_band", self.flat_band, 0.0 <= self.flat_band < INF, "0 or more, finite"),
        ):
            if not ok:
                raise ValueError(f"watch.{name} {value!r} is not accepted (accepted: {accepted})")

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> PvWatch:
        """From plain values with the names above; raises ValueError for an unknown key or a wrong value."""
        known = [f.name for f in fields(cls)]
        for key in row:
            if key not in known:
                raise ValueError(f"watch.{key} is not known (accepted: {', '.join(known)})")
        return cls(**{key: number(f"watch.{key}", value) for key, value in row.items()})


class WatchState(NamedTuple):
    """What the checks remember.

    Attributes:
        last: last believed value [PV unit], NaN before the first; since_s: time since then [s].
        rejected: samples in a row refused for their rate.
        flat_low, flat_high: extent of the present flat stretch [PV unit]; flat_s: its length [s].
    """

    last: float = math.nan
    since_s: float = 0.0
    rejected: int = 0
    flat_low: float = math.nan
    flat_high: float = math.nan
    flat_s: float = 0.0

    @property
    def extent(self) -> float:
        """Peak to peak of the present flat stretch [PV unit]."""
        return self.flat_high - self.flat_low


def in_range(value: float, low: float, high: float) -> bool:
    """False outside, and for NaN."""
    return low <= value <= high


def is_spike(value: float, last: float, rate_per_s: float, elapsed_s: float) -> bool:
    """Did the PV move faster than it can? ``elapsed_s`` since ``last`` was believed: the cone opens with time,
    so a real change of level is believed once it could have happened. False while nothing is known (``last`` NaN)."""
    return abs(value - last) > rate_per_s * elapsed_s


def flat_stretch(
    low: float, high: float, flat_s: float, value: float, dt_s: float, band: float
) -> tuple[float, float, float]:
    """The present stretch of values that fit into ``band`` (peak to peak), with this value: its extent and length [s].

    ``low``, ``high``, ``flat_s``: the same before.
    """
    low, high = min(low, value), max(high, value)
    if high - low <= band * (1.0 + ROUNDING):
        return low, high, flat_s + dt_s
    return value, value, 0.0


def flat_line_samples(noise_sd: float, quantum: float, false_alarms: float = 1.0, samples: int = 28_800) -> float:
    """How many equal samples in a row prove a stuck sensor; inf when quantisation hides the noise.

    White noise of ``noise_sd`` [PV unit] read with steps of ``quantum`` repeats its last reading with at most
    p = P(|noise| < quantum/2) at a steady PV; n repeats happen by chance about ``samples`` p^n times in ``samples``
    readings. Noise that is not white repeats more: then use a longer stretch. Above p = 0.9 no answer is given (inf),
    since a steady PV cannot then be told from a dead one.

    Args:
        false_alarms: accepted number, > 0, in ``samples`` readings (28 800 = 8 h at 1 s).
    """
    if not (noise_sd > 0.0 and quantum >= 0.0 and false_alarms > 0.0 and samples > 0):
        return INF
    p = math.erf(quantum / (2.0 * noise_sd * math.sqrt(2.0)))
    if p > 0.9:
        return INF
    return 2.0 if p == 0.0 else max(2.0, math.ceil(math.log(false_alarms / samples) / math.log(p)))


def watch_pv(watch: PvWatch, state: WatchState, sample: Sample, dt_s: float) -> tuple[Sample, WatchState, str]:
    """One sample through the checks.

    Returns:
        the sample (with lowered quality when it is not believable), new state, and why in one word: ``""``,
        ``"range"`` (BAD), ``"spike"`` (UNCERTAIN, for the first samples), ``"rate"`` (UNCERTAIN, after them) or
        ``"stuck"`` (UNCERTAIN).
    """
    value = sample.number
    last, since_s, rejected, flat_low, flat_high, flat_s = state
    since_s += dt_s
    if not isfinite(value):
        return sample, state._replace(since_s=since_s), ""
    if not in_range(value, watch.low, watch.high):
        return Sample(None, Status.BAD_OUT_OF_RANGE, sample.time), state._replace(since_s=since_s), "range"
    if is_spike(value, last, watch.rate_per_s, since_s):
        first = rejected < SPIKE_SAMPLES
        status = Status.UNCERTAIN_LAST_USABLE_VALUE if first else Status.UNCERTAIN_SUB_NORMAL
        lowered = Sample(value, status, sample.time)
        waiting = state._replace(since_s=since_s, rejected=rejected + 1)
        return lowered, waiting, "spike" if first else "rate"
    if watch.flat_s < INF:
        flat_low, flat_high, flat_s = flat_stretch(flat_low, flat_high, flat_s, value, dt_s, watch.flat_band)
    believed = _new(WatchState, (value, 0.0, 0, flat_low, flat_high, flat_s))
    if watch.flat_s < INF and flat_s >= watch.flat_s:
        return Sample(value, Status.UNCERTAIN_SENSOR_NOT_ACCURATE, sample.time), believed, "stuck"
    return sample, believed, ""
