"""A history with runs made up to a plan, written by the real historian: what the comparisons are tested on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Event, Sample, Severity, Status, Tag, Text
from linecontrol.history import Historian, RunRow
from linecontrol.line.run_view import iso

T0 = 1_767_225_600.0  # 2026-01-01
DAY_S = 86_400.0


def tag(name: str, alias: str, unit: str, station: str = "drying", kind: DataType = DataType.FLOAT64) -> Tag:
    return Tag(name, station, Text(name, name), unit, kind, f"s={name}", alias=alias)


TAGS = [
    tag("MT-306", "drying.powder_moisture", "% wb"),
    tag("TT-303", "drying.inlet_air_temp", "°C"),
    tag("WT-102", "screening.root_rate", "kg/h", "screening"),
    tag("RUN.STATE", "run.state", "", "line", DataType.STRING),
]


@dataclass
class MadeRun:
    """A run of three phases in the dryer: warm-up, drying, cooling [s]."""

    number: int
    recipe: str = "kudzu-lobata-standard"
    yield_pct: float = 88.0
    lot: str | None = None
    species: str | None = "lobata_cultivated"
    values: dict[str, float] = field(default_factory=lambda: {"root_kg": 60.0, "moisture_sp": 12.8})
    lengths: tuple[float, float, float] = (300.0, 900.0, 120.0)
    moisture: float = 12.8
    wobble: float = 0.0
    alarms: int = 0
    state: str = "Complete"

    @property
    def run_id(self) -> str:
        return f"run-{self.number:03d}"

    @property
    def began(self) -> float:
        return T0 + self.number * DAY_S

    @property
    def length_s(self) -> float:
        return sum(self.lengths)

    def record(self) -> dict[str, Any]:
        powder = 0.22 * self.values.get("root_kg", 60.0) * self.yield_pct / 88.0
        return {
            "run_id": self.run_id,
            "recipe": self.recipe,
            "recipe_hash": "0" * 64,
            "state": self.state,
            "started_at": iso(self.began),
            "ended_at": iso(self.began + self.length_s),
            "root_kg": self.values.get("root_kg", 60.0),
            "root_starch_kg": 13.2,
            "powder_kg": round(powder, 3),
            "powder_dry_starch_kg": round(powder * 0.85, 3),
            "extraction_yield": round(self.yield_pct / 100.0, 4),
            "extraction_yield_u": 0.02,
            "moisture_mean_pct_wb": self.moisture,
            "moisture_sd_pct_wb": 0.1,
            "out_of_band_s": 0.0,
            "diverted_kg": 0.1,
            "suspect_kg": 0.0,
            "water_m3": 0.4,
            "energy_kwh": round(0.9 * powder, 2),
            "samples": 1000,
            "reads": {"modbus": 10, "opcua": 10},
            "alarms": self.alarms,
            "line": "demo",
            "simulated": True,
            "recipe_version": "1.0",
            "values": self.values,
            "lot": self.lot,
            "species": self.species,
            "season": "2025-winter" if self.number < 31 else "2026-spring",
            "mode": "Automatic",
            "reason": None,
        }

    def events(self) -> list[Event]:
        at, found = self.began, []
        for name, length in zip(("warm-up", "drying", "cooling"), self.lengths, strict=True):
            for moment, to in ((at, "begun"), (at + length, "done")):
                data = {"run_id": self.run_id, "unit": "drying", "phase": name, "to": to}
                text = f"drying: {name} {to}"
                found.append(Event(moment, "run.phase", self.run_id, text, Severity.INFO, None, data))
            at += length
        return sorted(found, key=lambda event: event.time)

    def scans(self, every_s: float) -> list[Scan]:
        warm, dry, _ = self.lengths
        found = []
        for t in np.arange(0.0, self.length_s + 1e-9, every_s):
            now = self.began + float(t)
            heat = min(1.0, t / warm) if t < warm + dry else max(0.3, 1.0 - (t - warm - dry) / 300.0)
            wet = self.moisture + 0.1 * math.sin(t / 60.0) + self.wobble * (1.0 if warm < t < warm + dry else 0.0)
            values = {"MT-306": wet, "TT-303": 20.0 + 80.0 * heat}
            found.append(Scan("drying", now, {k: Sample(v, Status.GOOD, now) for k, v in values.items()}))
            rate = Sample(180.0 if t < warm + dry else 0.0, Status.GOOD, now)
            found.append(Scan("screening", now, {"WT-102": rate}))
        state = Sample('=HYPERLINK("x")', Status.GOOD, self.began)
        found.append(Scan("line", self.began, {"RUN.STATE": state}))
        return found


async def make_history(folder: Path, runs: Sequence[MadeRun], every_s: float = 10.0) -> Path:
    """``folder/history.sqlite3`` with these runs."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nobody waits in a test
    historian = Historian(f"sqlite:///{folder / 'history.sqlite3'}", folder / "spool", "demo", TAGS, flush_s=0.02)
    await historian.start()
    try:
        for run in runs:
            for scan in run.scans(every_s) if every_s else ():
                historian.offer(scan)
            for event in run.events():
                historian.event(event)
            await historian.save_run(
                RunRow(
                    run.run_id, run.recipe, "0" * 64, run.state, run.began + run.length_s, run.began,
                    run.began + run.length_s, run.record(), {},
                )
            )  # fmt: skip
        await historian.flush()
    finally:
        await historian.stop()
    return folder
