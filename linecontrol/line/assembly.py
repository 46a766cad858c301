"""Builds one line from its configuration and runs it: stations, image, gate, loops, guard, run, historian.

The only place where everything meets. It decides no control question itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from linecontrol.analysis.extraction import Declared, Extraction, ExtractionTags
from linecontrol.config import LineConfig
from linecontrol.core.clock import Clock
from linecontrol.core.errors import LineBusy, LineError
from linecontrol.core.gate import CommandGate
from linecontrol.core.image import LosslessFeed, ProcessImage
from linecontrol.core.model import Command, Event, Outcome, Receipt, Severity, Tag, Text, Value
from linecontrol.core.station import Duty, Station
from linecontrol.core.ticker import ticker
from linecontrol.guard.divert import CriticalLimit, DivertGuard, GateSettings, Verdict
from linecontrol.history import Historian
from linecontrol.line.acceptance import is_accepted, read_acceptances
from linecontrol.line.links import link_for
from linecontrol.line.lock import LineLock
from linecontrol.line.loops import STATION, LoopBank, loop_settings, loop_words, soft_tags
from linecontrol.line.outputs import Writes, drive_safe
from linecontrol.line.recipes import RecipeEntry, shipped_recipes
from linecontrol.line.runs import RunDirector
from linecontrol.line.watch import PlantWatch
from linecontrol.links.soft import SoftLink
from linecontrol.recipe.model import ControlRecipe

LEAST_CYCLE_REAL_S = 0.04
SETTLE_PATIENCE_REAL_S = 5.0


def assemble(config: LineConfig, *, data: Path, speed: float = 1.0, fresh_plant: bool = False) -> Line:
    """A line ready to be entered (``async with``). Nothing is opened yet.

    Args:
        data: folder for the historian's database and spool.
        speed: line seconds in a real second; only a simulated line may run at another than 1.
        fresh_plant: the simulated plant begins anew with this controller, so an unfinished run cannot be taken up.
    """
    if speed != 1.0 and not config.line.simulated:
        raise LineError(f"the line {config.line.name!r} is a real plant: its speed is 1, not {speed:g}")
    return Line(config, data, speed, fresh_plant=fresh_plant)


@dataclass
class Line:
    """One line: enter it to drive it, leave it to bring it to its safe state and let go."""

    config: LineConfig
    data: Path
    speed: float = 1.0
    fresh_plant: bool = False
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    stations: dict[str, Station] = field(default_factory=dict)
    cycles: int = 0
    soft_station: str = STATION

    # -- life
    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self.lock = LineLock(
                self.config.line.name,
                [station.endpoint.url for station in self.config.stations.values()],
                {"data": str(self.data), "line": self.config.line.name},
            )
            self.lock.take()
            stack.callback(self.lock.release)
            await self._build()
            stack.push_async_callback(self.historian.stop)
            self._tasks = [
                asyncio.create_task(work, name=name)
                for name, work in (
                    ("historian feed", self._feed_historian()),
                    ("control cycle", self._control()),
                    ("soft tags", self.soft.run()),
                    *((f"station {name}", station.run()) for name, station in self.stations.items()),
                )
            ]
            for task in self._tasks:
                task.add_done_callback(self._on_task_end)
            self._taking_up = asyncio.create_task(self._take_up())
            self._taking_up.add_done_callback(self._on_task_end)
            stack.pop_all()
        gc.collect()
        gc.freeze()  # what lives as long as the line is not looked at again: no long pause of a scan
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.is_closing = True
        self._taking_up.cancel()
        with contextlib.suppress(TimeoutError, LineError):
            async with asyncio.timeout(5.0):
                await self.runs.close()
                await self._to_rest()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._taking_up, *self._tasks, return_exceptions=True)
        for scan in self._feed.drain():
            self.historian.offer(scan)
        await self.historian.stop()
        self.lock.release()
        gc.unfreeze()

    async def _build(self) -> None:
        config, self.is_closing = self.config, False
        self.data.mkdir(parents=True, exist_ok=True)
        settings = loop_settings(config)
        titles, units, op_units = loop_words(config)
        run_tags = _run_tags()
        loop_tags = soft_tags(settings, titles, units, op_units)
        tags = [*config.tags, *loop_tags, *run_tags]
        url = config.line.database or f"sqlite:///{self.data / 'history.sqlite3'}"
        self.historian = Historian(url, self.data / "spool", config.line.name, tags, on_event=self._tell)
        await self.historian.start()
        self.clock = Clock(self.speed, self._epoch())
        self.image = ProcessImage(tags)
        self.bank = LoopBank(settings, titles, units, self.image)
        self.guard = _guard(config)
        self.watch = PlantWatch(config, self.clock)
        self.runs = RunDirector(self)
        token = secrets.randbelow(2**32 - 1) + 1
        accepted = read_acceptances(config)
        for name, station in config.stations.items():
            roles = station.profile.roles
            self.stations[name] = Station(
                name,
                link_for(station),
                station.tags,
                self.image,
                self.clock,
                scan_s=station.scan_s,
                duty=Duty(roles.get("heartbeat"), roles.get("owner"), roles.get("boot"), roles.get("alive")),
                beat=lambda: self.cycles,
                token=token,
                emit=self.emit,
                on_restart=self._on_plc_restart,
                is_accepted=is_accepted(config, name, accepted),
            )
        self._soft_link = SoftLink([*loop_tags, *run_tags], on_write=self.bank.on_write)
        self.soft = Station(
            STATION,
            self._soft_link,
            [*loop_tags, *run_tags],
            self.image,
            self.clock,
            scan_s=config.line.control_period_s,
        )
        self._show()
        self.gate = CommandGate(
            self.image, {**self.stations, STATION: self.soft}, self.clock, self._journal, self._owner_of
        )
        self.writes = Writes(self.gate, self.image)
        self.yield_tags = _yield_tag_names(config)
        self._feed = LosslessFeed()
        self.image.attach(self._feed)
        self._safe_claims: set[str] = set()

    def _epoch(self) -> float | None:
        """Simulated time never goes back: it begins after what is recorded. A real line lives in the wall's time."""
        import time

        latest = self.historian.latest_time()
        if latest is None or not self.config.line.simulated:
            return None
        return max(time.time(), latest + 1.0)

    async def ready(self, stop: asyncio.Event | None = None) -> None:
        """Wait until every station is claimed. Raises LineBusy when another controller drives one.

        A station that is away is waited for, without end or until ``stop``.
        """
        waiting = asyncio.create_task(self._all_settled())
        stopper = asyncio.create_task(_until(stop or asyncio.Event()))
        await asyncio.wait({waiting, stopper}, return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, stopper):
            task.cancel()
        await asyncio.gather(waiting, stopper, return_exceptions=True)
        foreign = [name for name, station in self.stations.items() if station.foreign_owner is not None]
        if foreign:
            token = self.stations[foreign[0]].foreign_owner
            raise LineBusy(
                f"another controller (token {token:08x}) drives {', '.join(foreign)}: its heartbeat is moving there. "
                "Stop that one first."
            )

    async def _all_settled(self) -> None:
        for station in self.stations.values():
            await station.settled()

    async def _take_up(self) -> None:
        """After a crash: the unfinished run is taken up as Held, as soon as the stations can be written to."""
        row = await self.runs.unfinished()
        if row is None:
            return
        if self.fresh_plant:
            await self.runs.close_as_lost(row)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_PATIENCE_REAL_S):
                await self._all_settled()
        await self.runs.take_up(row)

    def _on_task_end(self, task: asyncio.Task[Any]) -> None:
        """A part that fails is told and leaves the heartbeat to stop: the PLCs then go safe by themselves."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        text = f"{task.get_name()} failed: {type(error).__name__}: {error}"
        self.emit(Event(self.clock.now(), "controller.failed", task.get_name(), text, Severity.ALARM, active=True))
        if task in self._tasks and not self.is_closing:
            self.runs.hold(text, "controller")

    # -- events and journal
    def emit(self, event: Event) -> None:
        """An event of the line: recorded, counted, shown."""
        self.historian.event(event)
        self._tell(event)
        if event.kind == "plc.claimed":
            self._safe_claims.add(event.source)

    def _tell(self, event: Event) -> None:
        if hasattr(self, "runs"):
            self.runs.note(event)
        for listener in self.listeners:
            listener(event)

    def _journal(self, receipt: Receipt) -> None:
        self.historian.command(receipt)
        if receipt.outcome is Outcome.FAILED and not self.is_closing:
            text = f"{receipt.command.who}: {receipt.command.tag} = {receipt.command.value} failed: {receipt.reason}"
            self.emit(Event(receipt.time, "command.failed", receipt.command.tag, text, Severity.WARNING))

    async def _feed_historian(self) -> None:
        while True:
            for scan in await self._feed.take():
                self.historian.offer(scan)

    # -- control
    async def _control(self) -> None:
        """The control cycle. Missed ticks are skipped; each cycle is told how much line time has passed."""
        last = self.clock.now()
        with ticker(self.clock, self.config.line.control_period_s, LEAST_CYCLE_REAL_S) as beat:
            while True:
                await beat.next()
                now = self.clock.now()
                self._cycle(now - last, now)
                last = now

    def _cycle(self, dt_s: float, now: float) -> None:
        self.cycles += 1
        if self.guard is not None:
            self._guard_tick(now)
        for write in self.bank.tick(dt_s, now, self._is_available):
            self.writes.submit(Command(write.tag, write.value, write.who))
        for name, out in self.bank.outputs.items():
            for text in (*out.events, *out.refused):
                self.emit(Event(now, "loop.event", name, f"{name}: {text}", Severity.WARNING))
        reason = self.watch.reason_to_hold(now, self.image, self.stations, self.bank)
        if reason is not None and self.runs.is_under_way:
            self.runs.hold(reason, "plant")
        self._resettle()
        self.runs.tick(dt_s, now)
        self._show()

    def _guard_tick(self, now: float) -> None:
        guard = self.guard
        if guard is None:
            return
        names = {limit.tag for limit in guard.limits} | {
            guard.settings.position,
            guard.settings.good_total,
            guard.settings.flow,
        }
        verdict = guard.tick(now, {name: self.image.at(name, now) for name in names})
        tag = guard.settings.tag
        if self._is_available(tag):
            self.writes.submit(Command(tag, verdict.position, "guard", "; ".join(verdict.deviations.values())))
        self._tell_verdict(verdict, now, tag)

    def _tell_verdict(self, verdict: Verdict, now: float, tag: str) -> None:
        if verdict.suspect_kg > 0.0 and self.runs.extraction is not None and self.runs.is_under_way:
            self.runs.extraction.suspect_kg += verdict.suspect_kg
        if verdict.began:
            text = f"Powder diverted to rework: {'; '.join(verdict.deviations.values())}"
            self.emit(Event(now, "guard.divert", tag, text, Severity.ALARM, True, {"suspect_kg": verdict.suspect_kg}))
        elif verdict.ended:
            self.emit(Event(now, "guard.divert", tag, "Powder is good again", Severity.ALARM, active=False))

    def _resettle(self) -> None:
        """A station that came back while its run rests is brought to rest too."""
        if not self._safe_claims:
            return
        back, self._safe_claims = self._safe_claims, set()
        state = self.runs.state
        if state is not None and state.value in ("Held", "Stopped", "Aborted", "Complete"):
            kind = "held" if state.value == "Held" else "stopped"
            reason = f"{', '.join(sorted(back))} came back while the run is {state}"
            self._resting = asyncio.ensure_future(self._drive(kind, reason, back.__contains__))

    def _is_available(self, tag: str) -> bool:
        station = self.stations.get(self.image.tags[tag].station)
        return station is not None and station.why_not_write() is None

    def _owner_of(self, tag: str) -> tuple[str, str] | None:
        if self.guard is not None and tag == self.guard.settings.tag:
            return "guard", "the divert guard decides where powder goes"
        row = self.image.tags.get(tag)
        station = self.config.stations.get(row.station) if row is not None else None
        if station is not None and tag in (station.profile.heartbeat, station.profile.owner):
            return "system", "it belongs to the station's own watch"
        return self.bank.owner_of(tag) or self.runs.owner_of(tag)

    async def drive_safe(self, kind: str) -> None:
        """Safe outputs of every station (``held``, ``stopped``, ``aborted``). Raises LineError naming what failed."""
        await self._drive(kind, f"run {self.runs.state}", lambda _station: True)

    async def _drive(self, kind: str, reason: str, is_wanted: Callable[[str], bool]) -> None:
        outputs: dict[str, Mapping[str, Mapping[str, Value]]] = {
            name: dict(station.profile.safe_outputs.named())
            for name, station in self.config.stations.items()
            if is_wanted(name)
        }
        away = [name for name in outputs if self.stations[name].why_not_write() is not None]
        receipts = await drive_safe(kind, outputs, self.gate, self.bank, reason, lambda name: name not in away)
        failed = [f"{r.command.tag}: {r.reason}" for r in receipts if not r.ok]
        failed += [f"{self.stations[name].why_not_write()} (its own watchdog takes it to safe)" for name in away]
        if failed:
            raise LineError("; ".join(failed))

    async def _to_rest(self) -> None:
        """The controller ends: what it drives is left in the held state."""
        with contextlib.suppress(LineError):
            await self._drive("held", "the controller stops", lambda name: self.stations[name].is_claimed)

    def _on_plc_restart(self, station: str) -> None:
        self.runs.hold(f"the PLC {station} was restarted: its outputs and totals began anew", "plc")

    # -- soft tags
    def _show(self) -> None:
        engine = self.runs.engine
        values: dict[str, Value] = {
            **self.bank.show(),
            "RUN.STATE": engine.state.value if engine is not None else "Idle",
            "RUN.MODE": engine.mode.value if engine is not None else "Automatic",
            "RUN.ID": engine.run_id if engine is not None else "",
            "RUN.CYCLES": self.cycles % 2**32,
        }
        for name, value in values.items():
            self._soft_link.set(name, value)

    # -- what others ask
    def permissives(self, control: ControlRecipe) -> list[str]:
        """What is not ready for a start, each as a sentence; empty when all is."""
        missing = []
        for name in control.recipe.stations:
            objection = self.stations[name].why_not_write()
            if objection is not None:
                missing.append(objection)
        missing += self.watch.trips(self.clock.now(), self.image)
        return missing

    def recipes(self) -> list[RecipeEntry]:
        return shipped_recipes()

    def new_extraction(
        self, values: Mapping[str, float | bool], saved: Mapping[str, Any] | None = None
    ) -> Extraction | None:
        """Running sums for a run, fresh or as saved; None when the line file has no ``yield`` section."""
        rows = self.config.line.yield_
        if rows is None or self.config.line.guard is None:
            return None
        tags = ExtractionTags(
            root_total=rows.root_total,
            root_starch=rows.root_starch,
            powder_total=rows.powder_total,
            powder_moisture=rows.powder_moisture,
            powder_rate=rows.powder_rate,
            diverted_totals=self.config.line.guard.diverted_totals,
            water_totals=rows.water_totals,
            energy_totals=rows.energy_totals,
        )
        declared = Declared(
            purity=rows.powder_purity.value,
            purity_u=rows.powder_purity.u,
            band_pct_wb=rows.moisture_band_pct_wb,
            **rows.uncertainty.model_dump(),
        )
        if saved is not None:
            return Extraction.from_dict(saved, tags, declared)
        return Extraction(tags, declared, float(values.get("moisture_sp", 13.0)))

    def status(self) -> dict[str, Any]:
        """The line at a glance."""
        now = self.clock.now()
        return {
            "line": self.config.line.name,
            "simulated": self.config.line.simulated,
            "speed": self.speed,
            "cycles": self.cycles,
            "stations": {
                name: {
                    "is_up": station.is_up,
                    "is_claimed": station.is_claimed,
                    "is_accepted": station.is_accepted,
                    "objection": station.why_not_write(),
                    "endpoint": self.config.stations[name].endpoint.url,
                    "scans": station.scans,
                    "missed": station.missed,
                    "down_s": None if station.down_since is None else round(now - station.down_since, 1),
                }
                for name, station in self.stations.items()
            },
            "loops": self.bank.view(now),
            "run": self.runs.view(),
            "history": self.accounting(),
        }

    def accounting(self) -> dict[str, int]:
        """accepted = stored + spooled + quarantined + dropped + pending."""
        counters = self.historian.counters
        return {
            key: getattr(counters, key)
            for key in ("offered", "unchanged", "accepted", "stored", "spooled", "quarantined", "dropped", "pending")
        }


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def _run_tags() -> list[Tag]:
    from linecontrol.core.model import DataType

    def tag(name: str, en: str, zh: str, kind: DataType) -> Tag:
        return Tag(name, STATION, Text(en, zh), "", kind, name)

    return [
        tag("RUN.STATE", "Run state", "运行状态", DataType.STRING),
        tag("RUN.MODE", "Run mode", "运行模式", DataType.STRING),
        tag("RUN.ID", "Run", "批次", DataType.STRING),
        tag("RUN.CYCLES", "Control cycles", "控制周期数", DataType.UINT32),
    ]


def _guard(config: LineConfig) -> DivertGuard | None:
    rows = config.line.guard
    if rows is None:
        return None
    settings = GateSettings(
        tag=rows.gate.tag,
        position=rows.gate.position,
        good_total=rows.good_total,
        flow=rows.flow.tag,
        min_flow=rows.flow.min,
        good=rows.gate.good,
        rework=rows.gate.rework,
        waste=rows.gate.waste,
        settle_s=rows.settle_s,
    )
    limits = [
        CriticalLimit(
            row.name,
            row.tag,
            -math.inf if row.low is None else row.low,
            math.inf if row.high is None else row.high,
            row.title.text(),
            row.source,
        )
        for row in rows.critical_limits
    ]
    return DivertGuard(settings, limits)


def _yield_tag_names(config: LineConfig) -> tuple[str, ...]:
    rows, guard = config.line.yield_, config.line.guard
    if rows is None or guard is None:
        return ()
    return (
        rows.root_total,
        rows.root_starch,
        rows.powder_total,
        rows.powder_moisture,
        rows.powder_rate,
        *guard.diverted_totals,
        *rows.water_totals,
        *rows.energy_totals,
    )
