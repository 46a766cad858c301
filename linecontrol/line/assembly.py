"""Builds one line from its configuration and runs it: stations, image, gate, loops, guard, run, historian.

The only place where everything meets. It decides no control question itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from linecontrol.analysis.extraction import Extraction
from linecontrol.config import LineConfig
from linecontrol.control.loop_settings import LoopSettings
from linecontrol.core.clock import Clock
from linecontrol.core.errors import ConfigError, LineBusy, LineError
from linecontrol.core.gate import CommandGate
from linecontrol.core.image import DirectFeed, LosslessFeed, ProcessImage
from linecontrol.core.model import Command, Event, Outcome, Receipt, Severity, Value
from linecontrol.core.station import Duty, Station
from linecontrol.line.acceptance import is_accepted, read_acceptances
from linecontrol.line.alarms import AlarmDesk
from linecontrol.line.bag_acts import BagActs
from linecontrol.line.bags import BagBook
from linecontrol.line.balances import BalanceDesk
from linecontrol.line.build import divert_guard, known_constant, new_extraction, run_tags
from linecontrol.line.checks import CheckRegister
from linecontrol.line.cycle import ControlCycle
from linecontrol.line.haccp import HaccpDesk
from linecontrol.line.interlocks import InterlockDesk
from linecontrol.line.lab import LabBook
from linecontrol.line.lab_meter import lab_tags
from linecontrol.line.loops import STATION, LoopBank, loop_needs, loop_settings, loop_words, soft_tags
from linecontrol.line.lots import LotBook
from linecontrol.line.moisture import MoistureStrategy, moisture_tags
from linecontrol.line.outputs import Writes, drive_safe
from linecontrol.line.permissives import Permissive, permissives
from linecontrol.line.quality_tags import QualityTags, quality_tags
from linecontrol.line.recipe_book import RecipeBook
from linecontrol.line.recipes import RecipeEntry
from linecontrol.line.rest import RestKeeper
from linecontrol.line.runs import RunDirector
from linecontrol.line.samples import SampleBook
from linecontrol.line.soft import SoftStation
from linecontrol.line.status import accounting, line_status
from linecontrol.line.tuning import TuningDesk
from linecontrol.line.watch import PlantWatch
from linecontrol.line.wiring import Wiring
from linecontrol.recipe.model import ControlRecipe

SETTLE_PATIENCE_REAL_S = 5.0
FIRST_LOOK_REAL_S = 2.0


def assemble(
    config: LineConfig, *, data: Path, speed: float = 1.0, fresh_plant: bool = False, wiring: Wiring | None = None
) -> Line:
    """A line ready to be entered (``async with``). Nothing is opened yet.

    Args:
        data: folder for the historian's database and spool.
        speed: line seconds in a real second; only a simulated line may run at another than 1.
        fresh_plant: the simulated plant begins anew with this controller, so an unfinished run cannot be taken up.
        wiring: what it is connected to; default: its wires, its database, the time of day.
    """
    if speed != 1.0 and not config.line.simulated:
        raise LineError(f"the line {config.line.name!r} is a real plant: its speed is 1, not {speed:g}")
    return Line(config, data, speed, fresh_plant=fresh_plant, wiring=wiring or Wiring())


@dataclass
class Line:
    """One line: enter it to drive it, leave it to bring it to its safe state and let go."""

    config: LineConfig
    data: Path
    speed: float = 1.0
    fresh_plant: bool = False
    wiring: Wiring = field(default_factory=Wiring)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    stations: dict[str, Station] = field(default_factory=dict)
    soft_station: str = STATION
    is_running: bool = False

    # -- life
    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self.lock = self.wiring.lock(self.config, self.data)
            self.lock.take()
            stack.callback(self.lock.release)
            await self._build(stack)
            self._tasks = [
                asyncio.create_task(work, name=name)
                for name, work in (
                    *((("historian feed", self._feed_historian()),) if not self.clock.is_virtual else ()),
                    ("control cycle", self.cycle.run()),
                    *((f"station {name}", station.run()) for name, station in self.stations.items()),
                )
            ]
            for task in self._tasks:
                task.add_done_callback(self._on_task_end)
            self._taking_up = asyncio.create_task(self._settle_in(), name="taking up what was left")
            self._taking_up.add_done_callback(self._on_task_end)
            stack.pop_all()
        self.is_running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.is_closing, self.is_running = True, False
        self._taking_up.cancel()
        self.lab.close()
        self.balances.close()
        self.alarms.close()
        self.interlocks.close()
        self.checks.close()
        self.haccp.close()
        self.lots.close()
        self.book.close()
        self.bags.close()
        saving = asyncio.create_task(self.runs.save(), name="last record of the run")
        await asyncio.sleep(0)  # it is recorded as it stands now
        # Each has a time of its own: a history that takes nothing must not keep the machines on.
        for last, within_s in ((self.tuning.close, 2.0), (self.runs.let_go, 3.0), (self._to_rest, 3.0)):
            with contextlib.suppress(TimeoutError, LineError):
                async with asyncio.timeout(within_s):
                    await last()
        await asyncio.wait([saving], timeout=2.0)
        saving.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(saving, self._taking_up, *self._tasks, self.balances.closed(), return_exceptions=True)
        for scan in self._feed.drain():
            self.historian.offer(scan)
        await self.historian.stop()
        self.lock.release()

    def _patient(self, settings: Sequence[LoopSettings]) -> list[LoopSettings]:
        """On a line simulated at many times real time a hiccup of a wire would outlast what a loop may be held for."""
        return [replace(loop, hold_s=self.clock.patience(loop.hold_s, 3.0)) for loop in settings]

    async def _build(self, stack: contextlib.AsyncExitStack) -> None:
        config, self.is_closing = self.config, False
        self.alarms = AlarmDesk(self)
        self._failing: dict[tuple[str, str], str] = {}
        settings = loop_settings(config)
        titles, units, op_units = loop_words(config)
        run_rows = run_tags()
        loop_tags = soft_tags(settings, titles, units, op_units)
        own_tags = [*loop_tags, *moisture_tags(config.line.loops), *lab_tags(config), *quality_tags(config), *run_rows]
        tags = [*config.tags, *own_tags]
        self.historian = self.wiring.historian(config, self.data, tags, self._tell)
        await self.wiring.load(config.stations.values())  # not beside the other: two threads that load modules
        await self.historian.start()  # hold each other up
        stack.push_async_callback(self.historian.stop)
        self.clock = Clock(self.speed, self._epoch())
        self.image = ProcessImage(tags)
        self.lab = LabBook(self)
        self.samples = SampleBook(self)
        self.balances = BalanceDesk(self)
        self.lab.on_run_value = self.balances.revise
        self.bank = LoopBank(
            self._patient(settings), titles, units, self.image, loop_needs(config), self.lab.best, self._strategies()
        )
        self.lab.hear = self.bank.hear
        self.guard = divert_guard(config)
        self.interlocks = InterlockDesk(self)
        self.checks = CheckRegister(self)
        self.haccp = HaccpDesk(self)
        self.quality = QualityTags(self)
        self.watch = PlantWatch(config, self.clock)
        self.runs = RunDirector(self)
        self.lots, self.bags, self.bag_acts = LotBook(self), BagBook(self), BagActs(self)
        self.tuning = TuningDesk(self)
        token = self.wiring.token()
        accepted = read_acceptances(config)
        for name, station in config.stations.items():
            roles = station.profile.roles
            self.stations[name] = Station(
                name,
                self.wiring.link_for(station),
                station.tags,
                self.image,
                self.clock,
                scan_s=station.scan_s,
                duty=Duty(
                    roles.get("heartbeat"),
                    roles.get("owner"),
                    roles.get("boot"),
                    roles.get("alive"),
                    known_constant(station),
                ),
                beat=lambda: self.cycle.count,
                token=token,
                seed=self.wiring.retry_seed,
                emit=self.emit,
                on_restart=self._on_plc_restart,
                is_accepted=is_accepted(config, name, accepted),
            )
        self.soft = SoftStation(
            STATION,
            own_tags,
            self.image,
            self.clock,
            on_write=self._on_soft_write,
            stale_after_s=self.clock.patience(max(3 * config.line.control_period_s, 3.0), 3.0),
        )
        self.rest = RestKeeper(self)
        self.cycle = ControlCycle(self)
        self.book = RecipeBook(self)
        await asyncio.gather(
            self.alarms.load(),
            self.book.load(),
            self.checks.load(),
            self.haccp.load(),
            self.interlocks.load(),
            self.lots.load(),
        )
        self.gate = CommandGate(
            self.image,
            {**self.stations, STATION: self.soft},
            self.clock,
            self._journal,
            self._owner_of,
            interlock_of=self.interlocks.refusal,
        )
        self.writes = Writes(self.gate, self.image)
        # Where time is virtual no scan is held up by what its record costs.
        self._feed = DirectFeed(self.historian.offer) if self.clock.is_virtual else LosslessFeed()
        self.image.attach(self._feed)
        self.cycle.show(self.clock.now())

    def _strategies(self) -> dict[str, MoistureStrategy]:
        """The model-based strategies of the loops that name a model.

        A model that cannot be read (of another version, say) is an alarm, and its loop a plain PID: no plant must stand
        still for it. ``linecontrol check`` says what is wrong.
        """
        found = {}
        for loop in self.config.line.loops:
            if loop.moisture is None or loop.moisture.model is None:
                continue
            try:
                found[loop.name] = MoistureStrategy(
                    loop, loop.moisture, self.wiring.brain(self.config, loop), self.emit
                )
            except ConfigError as error:
                text = f"{loop.name} is a plain PID: its model cannot be used: {error}"
                self.emit(Event(self.clock.now(), "moisture.model", loop.name, text, Severity.ALARM, active=True))
        return found

    def _epoch(self) -> float | None:
        """Simulated time never goes back: it begins after what is recorded. A real line lives in the wall's time."""
        if self.wiring.epoch is not None:
            return self.wiring.epoch
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
        try:
            await asyncio.wait({waiting, stopper}, return_when=asyncio.FIRST_COMPLETED)
        finally:  # also when the waiting itself is given up, as by Ctrl-C
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

    async def first_look(self, patience_s: float = FIRST_LOOK_REAL_S) -> None:
        """Wait until every station has been asked once, but no longer than so many real seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                for station in self.stations.values():
                    await station.asked()

    async def _all_settled(self) -> None:
        for station in self.stations.values():
            await station.settled()

    async def _settle_in(self) -> None:
        await self._take_up()
        await self.tuning.take_up()
        await self._load_later()

    async def _load_later(self) -> None:
        """What the first full bag needs of scipy takes long to load: beside the scans, once they have begun."""
        if not self.clock.is_virtual:
            await self.first_look()
            await asyncio.to_thread(import_module, "scipy.linalg")

    async def _take_up(self) -> None:
        """After a crash: the unfinished run is taken up as Held, as soon as the stations can be written to."""
        try:
            row = await self.runs.unfinished()
            if row is None:
                await self.balances.take_up(await self.runs.last())
                return
            if self.fresh_plant:
                await self.runs.close_as_lost(row)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_PATIENCE_REAL_S):
                    await self._all_settled()
            await self.runs.take_up(row)
        finally:
            self.runs.looked_back()

    def _on_task_end(self, task: asyncio.Task[Any]) -> None:
        """A part that fails is told and leaves the heartbeat to stop: the PLCs then go safe by themselves."""
        if task.cancelled():
            failure = None if self.is_closing else "broken off"
        else:
            error = task.exception()
            failure = None if error is None else f"{type(error).__name__}: {error}"
        if failure is None:
            return
        text = f"{task.get_name()} failed: {failure}"
        self.emit(Event(self.clock.now(), "controller.failed", task.get_name(), text, Severity.ALARM, active=True))
        if task in self._tasks and not self.is_closing:
            self.runs.hold(text, "controller")

    # -- events and journal
    def emit(self, event: Event) -> None:
        """An event of the line: recorded, counted, shown."""
        self.historian.event(event)
        self._tell(event)
        if event.kind == "plc.claimed":
            self.rest.came_back(event.source)

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
        self.alarms.note(event)

    def _journal(self, receipt: Receipt) -> None:
        self.historian.command(receipt)
        asker = (receipt.command.who, receipt.command.tag)
        if receipt.outcome is not Outcome.FAILED:
            self._failing.pop(asker, None)
        elif not self.is_closing and self._failing.get(asker) != receipt.reason:
            self._failing[asker] = receipt.reason  # a loop tries each second: told once, until it works or fails anew
            value = receipt.command.value
            shown = f"{value:.6g}" if isinstance(value, float) else value
            text = f"{receipt.command.who}: {receipt.command.tag} = {shown} failed: {receipt.reason}"
            self.emit(Event(receipt.time, "command.failed", receipt.command.tag, text, Severity.WARNING))

    async def _feed_historian(self) -> None:
        while True:
            for scan in await self._feed.take():
                self.historian.offer(scan)

    def _on_soft_write(self, name: str, value: Value) -> None:
        """A command for a tag of our own that the gate has passed. Raises DeviceRefused with the reason."""
        if not self.lab.on_write(name, value):
            self.bank.on_write(name, value)

    # -- what is asked of the plant
    def is_available(self, tag: str) -> bool:
        station = self.stations.get(self.image.tags[tag].station)
        return station is not None and station.why_not_write() is None and not self.interlocks.blocks_loop(tag)

    def _owner_of(self, command: Command) -> tuple[str, str] | None:
        tag = command.tag
        if self.bank.is_own(command.who, tag):
            return None  # also in MAN it is the loop that moves its actuator
        if (under_test := self.bank.tests.owner_of(tag, command.source)) is not None:
            return under_test
        if self.guard is not None and tag == self.guard.settings.tag:
            return "guard", "the divert guard decides where powder goes"
        if self.bags.rows is not None and tag == self.bags.rows.change:
            return None  # anybody who may command may ask for a new bag, at any time
        row = self.image.tags.get(tag)
        station = self.config.stations.get(row.station) if row is not None else None
        if station is not None and tag in (station.profile.heartbeat, station.profile.owner):
            return "system", "it belongs to the station's own watch"
        return self.bank.owner_of(tag) or self.runs.owner_of(tag)

    async def drive_safe(self, kind: str) -> None:
        """Safe outputs of every station (``held``, ``stopped``, ``aborted``). Raises LineError naming what failed."""
        await self.drive(kind, f"run {self.runs.state}", lambda _station: True)

    async def drive(self, kind: str, reason: str, is_wanted: Callable[[str], bool]) -> None:
        """Safe outputs of some stations, but for those that an interlock lets come later, as a fan that overruns: the
        rest keeper brings them. Raises LineError naming what failed."""
        outputs: dict[str, Mapping[str, Mapping[str, Value]]] = {
            name: {
                which: self._at_once(values, which == kind) for which, values in station.profile.safe_outputs.named()
            }
            for name, station in self.config.stations.items()
            if is_wanted(name)
        }
        away = [name for name in outputs if self.stations[name].why_not_write() is not None]
        receipts = await drive_safe(
            kind, outputs, self.gate, self.writes, self.bank, reason, lambda name: name not in away
        )
        failed = [f"{r.command.tag}: {r.reason}" for r in receipts if not r.ok]
        failed += [f"{self.stations[name].why_not_write()} ({self._meanwhile(name)})" for name in away]
        if failed:
            raise LineError("; ".join(failed))

    def _at_once(self, values: Mapping[str, Value], is_told: bool) -> dict[str, Value]:
        """Of these safe outputs, those that nothing postpones."""
        waits = {tag: why for tag, value in values.items() if (why := self.interlocks.postpones(tag, value))}
        if is_told:
            now = self.clock.now()
            for tag, why in waits.items():
                text = f"{tag} = {values[tag]} waits: {why.en}"
                self.emit(Event(now, "interlock.postponed", tag, text, Severity.INFO, data={"zh": why.zh}))
        return {tag: value for tag, value in values.items() if tag not in waits}

    def _meanwhile(self, station: str) -> str:
        """What keeps a station safe that cannot be written to."""
        if self.stations[station].is_stalled:
            return "its outputs stay as they are until its program runs again; then they are written"
        return "its own watchdog takes it to safe"

    async def _to_rest(self) -> None:
        """The controller ends: what it drives is left in the held state."""
        with contextlib.suppress(LineError):
            await self.drive("held", "the controller stops", lambda name: self.stations[name].is_claimed)

    def _on_plc_restart(self, station: str) -> None:
        self.runs.hold(f"the PLC {station} was restarted: its outputs and totals began anew", "plc")

    # -- what others ask
    def permissives(self, control: ControlRecipe, *, is_first: bool) -> list[str]:
        """What is not ready for a start or a Restart, each as a sentence with what clears it; empty when all is."""
        rows = permissives(self, control.recipe, is_first=is_first)
        return [_refused(row) for row in rows if row.why and row.name not in ("run", "recipes")]

    def recipes(self) -> list[RecipeEntry]:
        """Those that can be run, each in the version that is in force."""
        return self.book.in_force()

    def new_extraction(
        self, values: Mapping[str, float | bool], saved: Mapping[str, Any] | None = None
    ) -> Extraction | None:
        """Running sums for a run, fresh or as saved; None when the line file has no ``yield`` section."""
        return new_extraction(self.config, values, saved)

    def status(self) -> dict[str, Any]:
        """The line at a glance."""
        return line_status(self)

    def accounting(self) -> dict[str, int]:
        """accepted = stored + spooled + quarantined + dropped + pending."""
        return accounting(self)


def _refused(row: Permissive) -> str:
    """Interlocks and checks say what clears them; a station's sentence does so itself."""
    return row.why if row.name.startswith("station.") else f"{row.why}. {row.clears.en}"


async def _until(event: asyncio.Event) -> None:
    await event.wait()
