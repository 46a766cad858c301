"""Keeps what one virtual run offers to its historian in memory, to be stored by whoever asked for the run.

No thread and no database in the run itself: their timing would be the only thing that differs between two runs of one
seed. Whole scans are kept every ``every_s``, outages always; events, commands and the run at all times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from linecontrol.core.image import Scan
from linecontrol.core.model import Event, Receipt, Sample, Tag
from linecontrol.history import (
    ActRow,
    AlarmStateRow,
    BagRow,
    BypassRow,
    CalibrationRow,
    DeviationRow,
    Historian,
    LabRow,
    LotRow,
    LotUseRow,
    RecipeRow,
    RunRow,
    Traced,
    TraceRow,
    VersionRow,
)
from linecontrol.history.intake import Counters


@dataclass
class Kept:
    """What a run leaves behind, in order. ``store`` puts it into a historian as any run would have."""

    scans: list[Scan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    commands: list[Receipt] = field(default_factory=list)
    recipes: list[RecipeRow] = field(default_factory=list)
    labs: list[LabRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    alarms: dict[str, AlarmStateRow] = field(default_factory=dict)
    deviations: dict[str, DeviationRow] = field(default_factory=dict)
    calibrations: dict[str, CalibrationRow] = field(default_factory=dict)
    bypasses: dict[str, BypassRow] = field(default_factory=dict)
    traces: list[LotRow | LotUseRow | ActRow] = field(default_factory=list)
    bags: dict[str, BagRow] = field(default_factory=dict)
    run: RunRow | None = None

    async def store(self, historian: Historian) -> None:
        """Raises StorageError when the run could not be made durable."""
        for scan in self.scans:
            historian.offer(scan)
        for event in self.events:
            historian.event(event)
        for receipt in self.commands:
            historian.command(receipt)
        for recipe in self.recipes:
            await historian.save_recipe(recipe)
        for lab in self.labs:
            await historian.save_lab(lab)
        for alarm in self.alarms.values():
            historian.alarm(alarm)
        for deviation in self.deviations.values():
            await historian.save_deviation(deviation)
        for calibration in self.calibrations.values():
            await historian.save_calibration(calibration)
        for bypass in self.bypasses.values():
            await historian.save_bypass(bypass)
        for trace in (*self.traces, *self.bags.values()):
            historian.trace(trace)
        if self.run is not None:
            await historian.save_run(self.run)
        for version in self.versions:
            await historian.save_version(version)


class MemoryRecording:
    """See ``linecontrol.line.wiring.Recording``.

    Args:
        tags: of the line; a scan of fewer than all tags of its station is a read-back, which the next scan repeats.
        every_s: how often a scan of each station is kept [line s].
    """

    def __init__(self, tags: Sequence[Tag], every_s: float) -> None:
        self.kept = Kept()
        self._every_s = every_s
        self._sizes: dict[str, int] = {}
        for tag in tags:
            self._sizes[tag.station] = self._sizes.get(tag.station, 0) + 1
        self._due: dict[str, float] = {}
        self._skipped: dict[str, Scan] = {}
        self._offered = self._accepted = 0

    @property
    def counters(self) -> Counters:
        """Everything kept is as good as stored: it cannot get lost on its way."""
        return Counters(
            offered=self._offered,
            unchanged=self._offered - self._accepted,
            accepted=self._accepted,
            stored=self._accepted,
        )

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Keep the last scan of every station: how it ended."""
        for scan in self._skipped.values():
            self._keep(scan)
        self._skipped.clear()

    async def flush(self) -> None:
        """Everything is kept already."""

    def latest_time(self) -> float | None:
        """Nothing is recorded from before."""
        return None

    def offer(self, scan: Scan) -> None:
        """Keep this scan when it is due, or when the whole station is bad."""
        count = len(scan.samples)
        self._offered += count
        due = self._due.get(scan.station, scan.time)
        is_whole = count == self._sizes[scan.station]
        if scan.time < due:
            if not next(iter(scan.samples.values())).status >> 31:
                if is_whole:
                    self._skipped[scan.station] = scan
                return
        elif not is_whole:
            return
        else:
            self._due[scan.station] = due + self._every_s
        self._skipped.pop(scan.station, None)
        self._keep(scan)

    def _keep(self, scan: Scan) -> None:
        self._accepted += len(scan.samples)
        self.kept.scans.append(scan)

    def event(self, event: Event) -> None:
        """Keep an event."""
        self.kept.events.append(event)

    def command(self, receipt: Receipt) -> None:
        """Keep what became of a command."""
        self.kept.commands.append(receipt)

    def alarm(self, alarm: AlarmStateRow) -> None:
        """The newest state of an alarm replaces the one before."""
        self.kept.alarms[alarm.name] = alarm

    async def alarms(self) -> list[AlarmStateRow]:
        """Where the alarms of this run stand."""
        return list(self.kept.alarms.values())

    def deviation(self, deviation: DeviationRow) -> None:
        """The newest state of a deviation replaces the one before."""
        self.kept.deviations[deviation.deviation_id] = deviation

    async def save_deviation(self, deviation: DeviationRow) -> None:
        """As ``deviation``."""
        self.deviation(deviation)

    async def save_calibration(self, calibration: CalibrationRow) -> None:
        """Keep an entry of the register."""
        self.kept.calibrations[calibration.calibration_id] = calibration

    async def save_bypass(self, bypass: BypassRow) -> None:
        """The newest state of a bypass replaces the one before."""
        self.kept.bypasses[bypass.bypass_id] = bypass

    async def deviations(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        run_id: str | None = None,
        state: str | None = None,
    ) -> list[DeviationRow]:
        """Newest first; those whose suspect interval touches [since, until)."""
        found = [
            row
            for row in self.kept.deviations.values()
            if (since is None or row.until is None or row.until >= since)
            and (until is None or row.since < until)
            and run_id in (None, row.run_id)
            and state in (None, row.state)
        ]
        return sorted(found, key=lambda row: row.opened, reverse=True)[:limit]

    async def calibrations(self, item: str | None = None, limit: int = 1000) -> list[CalibrationRow]:
        """Newest first."""
        found = [row for row in self.kept.calibrations.values() if item in (None, row.item)]
        return sorted(found, key=lambda row: row.done, reverse=True)[:limit]

    async def bypasses(
        self, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[BypassRow]:
        """Newest first; those that were on some time in [since, until)."""
        found = [
            row
            for row in self.kept.bypasses.values()
            if (since is None or (row.until if row.ended is None else row.ended) >= since)
            and (until is None or row.since < until)
        ]
        return sorted(found, key=lambda row: row.since, reverse=True)[:limit]

    async def save_run(self, run: RunRow) -> None:
        """The newest state of the run replaces the one before."""
        self.kept.run = run

    async def save_version(self, version: VersionRow) -> None:
        """Keep a version of the run's record, which the run then shows."""
        self.kept.versions.append(version)
        if self.kept.run is not None and self.kept.run.run_id == version.run_id:
            self.kept.run = replace(self.kept.run, record=version.record)

    async def versions(self, run_id: str) -> list[VersionRow]:
        """Every version of the run's record, the first first."""
        return [version for version in self.kept.versions if version.run_id == run_id]

    async def save_recipe(self, recipe: RecipeRow) -> None:
        """Keep a recipe text."""
        self.kept.recipes.append(recipe)

    async def save_trace(self, *rows: TraceRow) -> None:
        """Keep lots, their uses, bags and acts."""
        for row in rows:
            self.trace(row)

    def trace(self, row: TraceRow) -> None:
        """The newest state of a bag replaces the one before."""
        if isinstance(row, BagRow):
            self.kept.bags[row.bag_id] = row
        else:
            self.kept.traces.append(row)

    async def traced(self, run_id: str | None = None) -> Traced:
        """Lots, uses, bags and acts of this run; there is no other."""
        rows = self.kept.traces
        lots = [row for row in rows if isinstance(row, LotRow)]
        if run_id is None:
            return Traced(lots)
        uses = [row for row in rows if isinstance(row, LotUseRow)]
        acts = [row for row in rows if isinstance(row, ActRow)]
        return Traced(lots, uses, sorted(self.kept.bags.values(), key=lambda bag: bag.number), acts)

    async def save_lab(self, lab: LabRow) -> None:
        """Keep a laboratory value."""
        self.kept.labs.append(lab)

    async def lab(
        self, tag: str | None = None, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[LabRow]:
        """The newest laboratory values by the time of their sample, oldest first."""
        low, high = -math.inf if since is None else since, math.inf if until is None else until
        found = [row for row in self.kept.labs if tag in (None, row.tag) and low <= row.sampled_at < high]
        return sorted(found, key=lambda row: row.sampled_at)[-limit:]

    async def run(self, run_id: str) -> RunRow | None:
        """The run, if it is this one."""
        run = self.kept.run
        return run if run is not None and run.run_id == run_id else None

    async def runs(self, limit: int = 50, state: str | None = None, recipe: str | None = None) -> list[RunRow]:
        """The one run there is."""
        run = self.kept.run
        if run is None or state not in (None, run.state) or recipe not in (None, run.recipe):
            return []
        return [run][:limit]

    async def last_run(self) -> RunRow | None:
        """The one run there is."""
        return self.kept.run

    async def recipe(self, recipe_hash: str) -> RecipeRow | None:
        """A recipe of this run."""
        return next((row for row in self.kept.recipes if row.hash == recipe_hash), None)

    async def samples(
        self, tags: Sequence[str], start: float, end: float | None = None, limit: int = 100_000, *, hold: bool = True
    ) -> dict[str, list[Sample]]:
        """The kept samples of these tags; ``hold`` makes no difference here."""
        del hold
        until = float("inf") if end is None else end
        return {
            tag: [s.samples[tag] for s in self.kept.scans if tag in s.samples and start <= s.time <= until][:limit]
            for tag in tags
        }

    async def events(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        kinds: Sequence[str] | None = None,
        source: str | None = None,
    ) -> list[Event]:
        """The newest events of these kinds and the kinds below them, oldest first."""
        found = [
            event
            for event in self.kept.events
            if (since is None or event.time >= since)
            and (until is None or event.time <= until)
            and (kinds is None or any(event.kind == kind or event.kind.startswith(f"{kind}.") for kind in kinds))
            and source in (None, event.source)
        ]
        return found[-limit:]

    async def commands(
        self, since: float | None = None, until: float | None = None, limit: int = 1000, tag: str | None = None
    ) -> list[Receipt]:
        """The newest receipts, oldest first."""
        found = [
            receipt
            for receipt in self.kept.commands
            if (since is None or receipt.time >= since)
            and (until is None or receipt.time <= until)
            and (tag is None or receipt.command.tag == tag)
        ]
        return found[-limit:]
