"""Extraction yield of a run from measured tags, with its standard uncertainty.

    yield = dry starch in good powder / starch in roots as delivered

Both sums run over increments of the PLC's totalisers weighted with the composition measured at that moment. Nothing
here knows a simulator. Totals come from the PLC's own counters, so a controller that was away loses nothing.

Uncertainty: GUM (JCGM 100:2008) first-order propagation of the declared standard uncertainties; scale and calibration
errors do not average out over a run, so they are taken as fully correlated, and noise is neglected beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from linecontrol.core.model import Sample


@dataclass(frozen=True, slots=True)
class ExtractionTags:
    """Which tags carry the masses and compositions (from the line file's ``yield`` section)."""

    root_total: str
    root_starch: str
    powder_total: str
    powder_moisture: str
    powder_rate: str
    diverted_totals: tuple[str, ...]
    water_totals: tuple[str, ...]
    energy_totals: tuple[str, ...]
    others: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Every total but those of roots and powder."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", (*self.diverted_totals, *self.water_totals, *self.energy_totals))


@dataclass(frozen=True, slots=True)
class Declared:
    """Declared standard uncertainties (k = 1) and the powder's purity (dry starch in dry powder)."""

    purity: float = 0.97
    purity_u: float = 0.01
    root_scale_rel: float = 0.005
    root_starch_abs_pct: float = 0.6
    powder_scale_rel: float = 0.003
    powder_moisture_abs_pct: float = 0.2
    band_pct_wb: float = 1.0


@dataclass(slots=True)
class Counter:
    """Follows one totaliser across resets. ``last`` is the reading last seen; None = not seen yet."""

    last: float | None = None
    total: float = 0.0
    resets: int = 0

    def advance(self, sample: Sample) -> float:
        """The increase since the last good reading; 0 when the reading is not good.

        A counter that went back was reset by its PLC: what it shows now has been counted since the reset.
        """
        reading = sample.number
        if reading != reading:  # NaN
            return 0.0
        increase = 0.0
        if self.last is not None:
            increase = reading - self.last
            if increase < 0.0:
                if increase > -0.1:  # display noise of a counter that is not a counter; not a reset
                    return 0.0
                self.resets += 1
                increase = reading
        self.last = reading
        self.total += increase
        return increase


@dataclass(slots=True)
class Extraction:
    """Running sums of one run. ``advance`` once per control tick; ``to_dict``/``from_dict`` across restarts."""

    tags: ExtractionTags
    declared: Declared
    moisture_sp_pct_wb: float
    counters: dict[str, Counter] = field(default_factory=dict)
    root_starch_kg: float = 0.0
    powder_dry_starch_kg: float = 0.0
    moisture_kg: float = 0.0
    moisture_sum: float = 0.0
    moisture_sum2: float = 0.0
    out_of_band_s: float = 0.0
    suspect_kg: float = 0.0
    last_starch_pct: float | None = None
    last_moisture_pct: float | None = None

    def advance(self, samples: Mapping[str, Sample], dt_s: float) -> None:
        """Take in one look at the image. ``dt_s`` [line s] since the look before."""
        tags = self.tags
        starch_pct = samples[tags.root_starch].number
        if not math.isnan(starch_pct):
            self.last_starch_pct = starch_pct
        moisture_pct = samples[tags.powder_moisture].number
        if not math.isnan(moisture_pct):
            self.last_moisture_pct = moisture_pct

        root_kg = self._counter(tags.root_total).advance(samples[tags.root_total])
        if self.last_starch_pct is not None:
            self.root_starch_kg += root_kg * self.last_starch_pct / 100.0

        powder_kg = self._counter(tags.powder_total).advance(samples[tags.powder_total])
        if self.last_moisture_pct is not None and powder_kg > 0.0:
            dry = 1.0 - self.last_moisture_pct / 100.0
            self.powder_dry_starch_kg += powder_kg * dry * self.declared.purity
            self.moisture_kg += powder_kg
            self.moisture_sum += powder_kg * self.last_moisture_pct
            self.moisture_sum2 += powder_kg * self.last_moisture_pct**2

        rate = samples[tags.powder_rate].number
        is_off = math.isnan(moisture_pct) or abs(moisture_pct - self.moisture_sp_pct_wb) > self.declared.band_pct_wb
        if rate > 5.0 and is_off:
            self.out_of_band_s += dt_s

        for name in tags.others:
            self._counter(name).advance(samples[name])

    def _counter(self, name: str) -> Counter:
        found = self.counters.get(name)
        if found is None:
            found = self.counters[name] = Counter()
        return found

    def total(self, name: str) -> float:
        return self._counter(name).total

    @property
    def root_kg(self) -> float:
        return self.total(self.tags.root_total)

    @property
    def powder_kg(self) -> float:
        return self.total(self.tags.powder_total)

    @property
    def extraction_yield(self) -> float | None:
        """Dry starch in good powder per starch in roots, 0..1; None before any root was fed."""
        return self.powder_dry_starch_kg / self.root_starch_kg if self.root_starch_kg > 0.0 else None

    @property
    def extraction_yield_u(self) -> float | None:
        """Standard uncertainty (k = 1) of the yield, same unit."""
        found = self.extraction_yield
        if found is None or self.root_kg <= 0.0:
            return None
        declared = self.declared
        starch_pct = 100.0 * self.root_starch_kg / self.root_kg
        moisture_pct = self.moisture_mean_pct_wb or 0.0
        relative = math.sqrt(
            declared.root_scale_rel**2
            + (declared.root_starch_abs_pct / starch_pct) ** 2
            + declared.powder_scale_rel**2
            + (declared.powder_moisture_abs_pct / (100.0 - moisture_pct)) ** 2
            + (declared.purity_u / declared.purity) ** 2
        )
        return found * relative

    @property
    def moisture_mean_pct_wb(self) -> float | None:
        """Mean moisture of the good powder, weighted by mass."""
        return self.moisture_sum / self.moisture_kg if self.moisture_kg > 0.0 else None

    @property
    def moisture_sd_pct_wb(self) -> float | None:
        """Standard deviation of the measured moisture over the good powder, weighted by mass."""
        if self.moisture_kg <= 0.0:
            return None
        mean = self.moisture_sum / self.moisture_kg
        return math.sqrt(max(0.0, self.moisture_sum2 / self.moisture_kg - mean * mean))

    def record(self) -> dict[str, float | None]:
        """The measured part of the run record."""
        tags = self.tags
        return {
            "root_kg": _rounded(self.root_kg, 2),
            "root_starch_kg": _rounded(self.root_starch_kg, 3),
            "powder_kg": _rounded(self.powder_kg, 3),
            "powder_dry_starch_kg": _rounded(self.powder_dry_starch_kg, 3),
            "extraction_yield": _rounded(self.extraction_yield, 4),
            "extraction_yield_u": _rounded(self.extraction_yield_u, 4),
            "moisture_mean_pct_wb": _rounded(self.moisture_mean_pct_wb, 3),
            "moisture_sd_pct_wb": _rounded(self.moisture_sd_pct_wb, 3),
            "out_of_band_s": _rounded(self.out_of_band_s, 1),
            "diverted_kg": _rounded(sum(self.total(name) for name in tags.diverted_totals), 3),
            "suspect_kg": _rounded(self.suspect_kg, 3),
            "water_m3": _rounded(sum(self.total(name) for name in tags.water_totals), 3),
            "energy_kwh": _rounded(sum(self.total(name) for name in tags.energy_totals), 2),
        }

    def to_dict(self) -> dict[str, Any]:
        """State for the run snapshot, JSON-able."""
        sums = {row.name: getattr(self, row.name) for row in fields(self) if row.name not in ("tags", "declared")}
        return sums | {"counters": {name: asdict(counter) for name, counter in self.counters.items()}}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], tags: ExtractionTags, declared: Declared) -> Extraction:
        """The sums a stopped controller had saved; its counters go on from the readings last seen."""
        values = dict(state)
        values["counters"] = {name: Counter(**row) for name, row in values["counters"].items()}
        return cls(tags=tags, declared=declared, **values)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
