"""Instruments between the plant's truth and its tags: lag, calibration error, noise, end stops, quantisation.

Rows in ``data/sensors.yaml``; nothing here knows a machine. Showing a value draws nothing: two readings of one moment
are equal, and how often somebody looks does not change what the plant does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from simulator.constants import EVIDENCE
from simulator.yaml_text import load_yaml


@dataclass(frozen=True)
class Instrument:
    """One row: what a tag shows of what is."""

    tag: str
    unit: str
    tau_s: float
    noise_sd: float
    gain_sd: float
    bias_sd: float
    quantum: float
    low: float
    high: float


@dataclass(frozen=True)
class Totaliser:
    """One row: a counter, sharing the error of instrument ``of`` or having its own."""

    tag: str
    unit: str
    quantum: float
    gain_sd: float = 0.0
    of: str = ""


@dataclass
class Upset:
    """What is wrong with one instrument. Any of them at once; the fields may be changed while it lasts.

    Attributes:
        offset: added to what it shows, in its unit (a step: somebody bent the probe, wrong zero).
        drift_per_h: grows from the moment the upset began, in its unit per hour of plant time (fouling, ageing).
        noise_times: its own noise so many times over (loose terminal, interference).
        stuck_at: shows this and nothing else (frozen analyser); None = follows.
        is_dead: shows nothing (wire off, no power).
    """

    offset: float = 0.0
    drift_per_h: float = 0.0
    noise_times: float = 1.0
    stuck_at: float | None = None
    is_dead: bool = False
    since_s: float = 0.0


class Noise:
    """Standard normal numbers for one plant, cheap: windows at random places of a table drawn once from the seed."""

    def __init__(self, seed: str, size: int = 8192) -> None:
        self._rng = Random(seed)
        self._table = [self._rng.gauss(0.0, 1.0) for _ in range(size)]

    def take(self, count: int) -> list[float]:
        """``count`` numbers, independent of the ones before for all that a control loop can tell."""
        start = int(self._rng.random() * (len(self._table) - count))
        return self._table[start : start + count]


@cache
def instrument_rows() -> tuple[tuple[Instrument, ...], tuple[Totaliser, ...]]:
    """The shipped instruments and totalisers."""
    text = files("simulator").joinpath("data", "sensors.yaml").read_text(encoding="utf-8")
    content: dict[str, dict[str, dict[str, Any]]] = load_yaml(text)

    return parse_instruments(content)


def parse_instruments(
    content: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> tuple[tuple[Instrument, ...], tuple[Totaliser, ...]]:
    """Instruments and totalisers from the parsed file. Raises ValueError for a row without evidence and source."""

    def plain(tag: str, row: Mapping[str, Any]) -> dict[str, Any]:
        if row.get("evidence") not in EVIDENCE or not row.get("source") or not row.get("unit"):
            raise ValueError(f"sensors.yaml {tag}: needs unit, source, evidence of {list(EVIDENCE)}")
        return {key: value for key, value in row.items() if key not in ("evidence", "source")}

    rates = tuple(Instrument(tag=tag, **plain(tag, row)) for tag, row in content["rates"].items())
    totals = tuple(Totaliser(tag=tag, **plain(tag, row)) for tag, row in content["totals"].items())
    return rates, totals


class Sensors:
    """All instruments of one plant. Their calibration errors come from the seed."""

    def __init__(self, seed: str, start: Mapping[str, float]) -> None:
        """Instruments settled on ``start`` (a value per rate tag, NaN where there is nothing to see)."""
        self._rows, self._total_rows = instrument_rows()
        self.tags = tuple(row.tag for row in self._rows)
        self.total_tags = tuple(row.tag for row in self._total_rows)
        self._plain = [(row.tag, row.noise_sd, row.low, row.high, row.quantum, row) for row in self._rows]
        rng = Random(seed)
        self.gain = {row.tag: 1.0 + row.gain_sd * rng.gauss(0.0, 1.0) for row in self._rows}
        self.bias = {row.tag: row.bias_sd * rng.gauss(0.0, 1.0) for row in self._rows}
        for total in self._total_rows:
            own = rng.gauss(0.0, 1.0)
            self.gain[total.tag] = self.gain[total.of] if total.of else 1.0 + total.gain_sd * own
        self._gains = [self.gain[tag] for tag in self.tags]
        self._biases = [self.bias[tag] for tag in self.tags]
        self._total_gains = [self.gain[tag] for tag in self.total_tags]
        self._lagged = [start[tag] * self.gain[tag] + self.bias[tag] for tag in self.tags]
        self._totals = [0.0] * len(self.total_tags)
        self._noise: Sequence[float] = [0.0] * len(self.tags)
        self._time_s = 0.0
        self._upsets: dict[str, Upset] = {}
        self._dt_s = 0.0
        self._shares: list[float] = []

    def step(self, rates: Sequence[float], amounts: Sequence[float], noise: Sequence[float], dt_s: float) -> None:
        """Follow the plant for one step.

        Args:
            rates: true values in the order of ``tags``.
            amounts: what each totaliser's quantity grew by in this step, in the order of ``total_tags``.
            noise: a standard normal number per tag, kept until the next step.
        """
        if dt_s != self._dt_s:
            self._dt_s = dt_s
            self._shares = [1.0 - math.exp(-dt_s / row.tau_s) for row in self._rows]
        self._time_s += dt_s
        before = self._lagged
        self._lagged = [
            old + (true * gain + bias - old) * share
            for old, true, gain, bias, share in zip(before, rates, self._gains, self._biases, self._shares, strict=True)
        ]
        for i, value in enumerate(self._lagged):
            if value != value and rates[i] == rates[i]:  # something to see again: no memory of what was before
                self._lagged[i] = rates[i] * self._gains[i] + self._biases[i]
        self._totals = [
            total + (amount * gain if amount > 0.0 else 0.0)
            for total, amount, gain in zip(self._totals, amounts, self._total_gains, strict=True)
        ]
        self._noise = noise

    def upset(self, tag: str) -> Upset:
        """The upset of an instrument, to be filled in by the caller; begun now if it had none.

        Raises:
            KeyError: no such instrument.
        """
        if tag not in self.gain:
            raise KeyError(f"no instrument {tag!r}")
        return self._upsets.setdefault(tag, Upset(since_s=self._time_s))

    def freeze(self, tag: str) -> None:
        """The instrument is stuck at what it shows in this moment (dead if it sees nothing)."""
        now = self.shown()[tag] if tag in self.gain else math.nan
        upset = self.upset(tag)
        upset.stuck_at, upset.is_dead = (None, True) if now != now else (now, False)

    def mend(self, tag: str) -> None:
        """Nothing is wrong with the instrument any more."""
        self._upsets.pop(tag, None)

    def _with_upset(self, row: Instrument, lagged: float, noise: float, upset: Upset) -> float:
        """What a troubled instrument shows before its end stops."""
        if upset.is_dead:
            return math.nan
        if upset.stuck_at is not None:
            return upset.stuck_at
        drift = upset.drift_per_h * (self._time_s - upset.since_s) / 3600.0
        return lagged + row.noise_sd * noise * upset.noise_times + upset.offset + drift

    def shown(self) -> dict[str, float]:
        """What the tags show now; NaN where an instrument sees nothing."""
        values: dict[str, float] = {}
        upsets = self._upsets
        for (tag, noise_sd, low, high, quantum, row), lagged, noise in zip(
            self._plain, self._lagged, self._noise, strict=True
        ):
            value = lagged + noise_sd * noise
            if upsets and tag in upsets:
                value = self._with_upset(row, lagged, noise, upsets[tag])
            if value != value:
                values[tag] = math.nan
                continue
            if value < low:
                value = low
            elif value > high:
                value = high
            values[tag] = round(value / quantum) * quantum
        for total, value in zip(self._total_rows, self._totals, strict=True):
            values[total.tag] = math.floor(value / total.quantum) * total.quantum
            if upsets and (upset := upsets.get(total.tag)) is not None:
                shown = values[total.tag] + upset.offset if upset.stuck_at is None else upset.stuck_at
                values[total.tag] = math.nan if upset.is_dead else shown
        return values
