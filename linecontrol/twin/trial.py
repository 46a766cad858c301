"""One trial: the whole line on a simulated plant, one run of a recipe, under virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from linecontrol.config import LineConfig, StationConfig, read_line
from linecontrol.core.errors import ConfigError, LineError, Problem
from linecontrol.core.garbage import seldom
from linecontrol.core.model import Event, Tag
from linecontrol.core.ticker import LoopTicker
from linecontrol.line.assembly import Line, assemble
from linecontrol.line.gains_kept import NoKeeper
from linecontrol.line.wiring import Wiring
from linecontrol.twin.invariants import Breach, Watchman
from linecontrol.twin.judge import Judge
from linecontrol.twin.laboratory import Laboratory
from linecontrol.twin.link import TwinFace, TwinLink
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.operators import Attendant, Checker, Hand, Holder, Tester
from linecontrol.twin.powder import Packet, PowderTruth
from linecontrol.twin.recording import Kept, MemoryRecording
from linecontrol.twin.unguarded import without
from linecontrol.twin.upsets import RANDOM, random_faults
from simulator.floor import Floor
from simulator.line_types import with_line_type
from simulator.parameters import Parameters, default_parameters
from simulator.plant import Plant
from simulator.profile import Line as SimulatedLine
from simulator.profile import read_line as read_simulated_line

STEP_S = 1.0  # of plant, PLC programs and scans
OWNER_TOKEN = 1
EPOCH = 1_700_000_000.0  # line time of the first trial [s since 1970]; no trial asks what time it is
TRIAL_LENGTH_S = 7 * 86_400.0  # trials of one campaign lie this far apart in line time
READY_WITHIN_S = 7200.0
LINGER_S = 5.0  # after the run: its last states are scanned too
LONGEST_S = 6 * 86_400.0
TIP_BELOW_KG, TRUCK_KG = 400.0, 1000.0  # roots in the hopper; the line never waits for a truck
SAVE_PERIOD_S = 600.0  # memory does not crash
OUTLET_ALIAS = "drying.outlet_air_temp"  # what a person who dries by hand looks at


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run. Two equal trials have equal outcomes.

    Attributes:
        number: place in its campaign; makes the run's name and its place in line time.
        line: path or name of the line file.
        values: recipe parameters set for this run.
        plant: plant parameters changed, by dotted name.
        species: of the roots; "" = the plant's usual one. line_type: kind of line; "" = mechanised.
        policy: auto, manual, hold, test or checks; see ``operators``.
        faults: as ``python -m simulator --fault`` takes them, or ``random`` for a schedule drawn from the seed.
        every_s: how often a scan of each station is kept [line s].
        watched: check the invariants at every step.
        has_laboratory: samples are taken during the run and their values entered when it has ended.
        without: guards taken away; see ``unguarded``. powder: keep what every second's powder really was.
    """

    recipe: str
    number: int = 0
    seed: int = 1
    line: str = "demo"
    values: Mapping[str, float | bool] = field(default_factory=dict)
    plant: Mapping[str, float] = field(default_factory=dict)
    species: str = ""
    line_type: str = ""
    policy: str = "auto"
    faults: Sequence[str] = ()
    every_s: float = 30.0
    watched: bool = False
    has_laboratory: bool = False
    without: Sequence[str] = ()
    powder: bool = False

    @property
    def run_id(self) -> str:
        """Name of the run, unique within its campaign."""
        return f"sim-{self.number:05d}-{self.policy}-seed{self.seed}"

    @property
    def roots(self) -> dict[str, str]:
        """What the record says of the roots: a seed draws one lot, whatever is done with it."""
        return {"lot": f"seed{self.seed}", "species": self.species or default_parameters().default_species}

    @property
    def made_with(self) -> dict[str, Any]:
        """What the record says of the trial, so that runs are compared by it."""
        line_type = self.line_type or "mechanised"
        return {"policy": self.policy, "line_type": line_type, "plant": dict(self.plant)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out.

    Attributes:
        record: the batch record as the controller made it.
        truth: what it was really worth; see ``judge``.
        line_s: how long it took [line s].
        breaches: invariants that did not hold.
        kept: everything for the historian; None once it is stored.
        powder: what every second's powder really was, when the trial asked for it.
    """

    trial: Trial
    record: dict[str, Any]
    truth: dict[str, float]
    line_s: float
    breaches: Sequence[Breach] = ()
    kept: Kept | None = None
    powder: Sequence[Packet] = ()


@cache
def line_at_step(name: str) -> LineConfig:
    """The line file with every station scanned once per step. Raises ConfigError."""
    config = read_line(name)
    if not config.line.simulated:
        raise LineError(f"the line {config.line.name!r} is a real plant; the twin needs one with `simulated: true`")
    stations = {name: replace(station, scan_s=STEP_S) for name, station in config.stations.items()}
    return replace(config, stations=stations)


@cache
def _simulated_line(path: Path) -> SimulatedLine:
    return read_simulated_line(path)


def plant_parameters(changes: Mapping[str, float], species: str = "", line_type: str = "") -> Parameters:
    """The simulated plant with some parameters changed. Raises ConfigError naming what is wrong."""
    parameters = default_parameters()
    if line_type:
        parameters = _or_told("--line-type", lambda: with_line_type(parameters, line_type))
    if species:
        parameters = _or_told("--species", lambda: parameters.with_species(species))
    return _or_told("--plant", lambda: parameters.with_values(changes))


def _or_told(option: str, make: Callable[[], Parameters]) -> Parameters:
    try:
        return make()
    except (KeyError, ValueError) as error:
        raise ConfigError([Problem("", None, option, *split_accepted(str(error.args[0])))]) from error


def split_accepted(text: str) -> tuple[str, str]:
    """A sentence of the simulator, and what it says is accepted; "" when it does not say."""
    message, _, accepted = text.removesuffix(")").partition(" (accepted: ")
    return (message, accepted) if accepted else (text, "")


async def _load_nothing(_stations: Iterable[StationConfig]) -> None:
    """No protocol library is needed."""


class _NoLock:
    """A trial shares its plant with nobody."""

    def take(self) -> None:
        """Nothing to take."""

    def release(self) -> None:
        """Nothing to release."""

    def describe(self, details: dict[str, str]) -> None:
        """Nobody asks."""


def faults_of(trial: Trial) -> list[str]:
    """The faults of a trial in written form; ``random`` becomes what its seed draws."""
    written = [fault for fault in trial.faults if fault != RANDOM]
    if RANDOM in trial.faults:
        root_kg = float(trial.values.get("root_kg", 300.0))
        written += random_faults(Random(f"{trial.seed}:faults"), latest_s=1500.0 + 10.0 * min(root_kg, 5000.0))
    return written


class Twin:
    """A line and its plant, joined; lives in a virtual loop.

    Raises:
        FaultError: a fault does not fit this line. KeyError, ValueError: a plant parameter is not there, or wrong.
    """

    def __init__(self, trial: Trial, plant: Plant | None = None) -> None:
        self.trial = trial
        config = without(line_at_step(trial.line), trial.without)
        parameters = plant_parameters(trial.plant, trial.species, trial.line_type)
        self.plant = plant or Plant(seed=trial.seed, parameters=parameters)
        self._faces = {name: TwinFace() for name in config.stations}
        self.floor: Floor[TwinFace] = Floor(
            _simulated_line(config.path), self.plant, lambda station, _plc: self._faces[station.name]
        )
        self.floor.plan(faults_of(trial))
        self.floor.scan(0.0, 0.0)
        self.recording: MemoryRecording | None = None
        wiring = Wiring(
            link_for=self._link,
            load=_load_nothing,
            historian=self._historian,
            lock=lambda _config, _data: _NoLock(),
            token=lambda: OWNER_TOKEN,
            gains=lambda _config, _data: NoKeeper(),
            epoch=EPOCH + trial.number * TRIAL_LENGTH_S,
            retry_seed=trial.seed,
            save_period_s=SAVE_PERIOD_S,
        )
        self.line: Line = assemble(config, data=Path(), fresh_plant=True, wiring=wiring)
        self.judge = Judge(self.plant, _moisture_limit(config))
        self.watchman = Watchman(self) if trial.watched else None
        self.laboratory = Laboratory(self.plant, trial.seed) if trial.has_laboratory else None
        self.powder = PowderTruth(self.plant, *_bad_from(line_at_step(trial.line))) if trial.powder else None

    def _link(self, station: StationConfig) -> TwinLink:
        plc = self.floor.cabinets[station.name].plc
        return TwinLink(plc, self._faces[station.name], station.tags, station.brand.timeout_s)

    def _historian(
        self, _config: LineConfig, _data: Path, tags: Sequence[Tag], _tell: Callable[[Event], None]
    ) -> MemoryRecording:
        self.recording = MemoryRecording(tags, self.trial.every_s)
        return self.recording

    async def pass_time(self) -> None:
        """Step the plant and its PLCs until cancelled."""
        floor, beat = self.floor, LoopTicker(STEP_S)
        judge, watchman, laboratory = self.judge, self.watchman, self.laboratory
        while True:
            due = (await beat.next()).due
            if watchman is not None:
                watchman.note_written()
            await floor.faults.advance(floor.time_s)
            floor.step(STEP_S, STEP_S)
            judge.look()
            if laboratory is not None:
                laboratory.look()
            if self.powder is not None:
                self.powder.look(EPOCH + self.trial.number * TRIAL_LENGTH_S + due)
            if self.plant.hopper.mass_kg < TIP_BELOW_KG:
                self.plant.load(TRUCK_KG)  # the next truck, with a lot of its own
            if watchman is not None:
                watchman.look(due)

    def operator(self) -> Attendant:
        """Who stands at this line."""
        trial, line = self.trial, self.line
        who = f"operator:{trial.policy}"
        if trial.policy == "hold":
            return Holder(line, trial.run_id, who)
        if trial.policy == "checks":
            return Checker(line, trial.run_id, who, self.judge.powder_pct_wb, trial.seed)
        if trial.policy == "test":
            return Tester(line, trial.run_id, who)
        if trial.policy == "manual":
            outlet = next(tag.name for tag in line.config.tags if tag.alias == OUTLET_ALIAS)
            return Hand(line, trial.run_id, who, self.judge.powder_pct_wb, outlet, trial.seed)
        return Attendant(line, trial.run_id, who)


def run_trial(trial: Trial, plant: Plant | None = None) -> Outcome:
    """Run one trial to its end. Raises ConfigError, LineError and what ``Twin`` raises; nothing is left behind.

    Args:
        plant: instead of the one that the trial describes.
    """
    with seldom():
        return run_virtual(_run(trial, plant))


async def _run(trial: Trial, plant: Plant | None) -> Outcome:
    twin = Twin(trial, plant)
    passing = asyncio.create_task(twin.pass_time(), name="plant")
    try:
        async with twin.line as line:
            await _ready(line)
            who = f"operator:{trial.policy}"
            await line.runs.start(
                trial.recipe, trial.values, who=who, run_id=trial.run_id, roots=trial.roots, trial=trial.made_with
            )
            working = asyncio.create_task(twin.operator().work(), name="operator")
            await _until_either(working, passing)
            await line.runs.settled()
            await line.clock.sleep(LINGER_S)
            if twin.laboratory is not None:
                await twin.laboratory.report(line, trial.run_id)
            record = line.runs.current_record()
            line_s = asyncio.get_running_loop().time()
        if twin.watchman is not None:
            twin.watchman.end(line_s)
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
    if twin.recording is None:
        raise LineError("the line was never opened")
    breaches = () if twin.watchman is None else tuple(twin.watchman.breaches)
    powder = () if twin.powder is None else tuple(twin.powder.packets)
    return Outcome(trial, record, twin.judge.verdict(), line_s, breaches, twin.recording.kept, powder)


async def _ready(line: Line) -> None:
    """Wait for the stations, which faults may keep away for a while."""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await line.ready()
    except TimeoutError:
        failed = [event.text for event in await line.historian.events(kinds=["controller.failed"])]
        away = [why for station in line.stations.values() if (why := station.why_not_write())]
        raise LineError(f"the line was not ready within {READY_WITHIN_S:.0f} s: {'; '.join(failed or away)}") from None


async def _until_either(working: asyncio.Task[None], passing: asyncio.Task[None]) -> None:
    """Wait for the operator to be done; a plant that fails ends the wait with its error."""
    try:
        async with asyncio.timeout(LONGEST_S):
            await asyncio.wait({working, passing}, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        raise LineError(f"the run did not end within {LONGEST_S / 3600:.0f} h of line time") from None
    finally:
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    for task in (passing, working):
        if task.done() and not task.cancelled():
            task.result()


def _bad_from(config: LineConfig) -> tuple[float, float]:
    """Moisture [% wb] and specks [1/cm2] beyond which powder is bad: the plan's own limits; infinite without one."""
    found = {"moisture": math.inf, "specks": math.inf}
    for row in config.line.guard.critical_limits if config.line.guard is not None else ():
        tag = next((tag for tag in config.tags if tag.name == row.tag), None)
        for word, least in found.items():
            if tag is not None and tag.alias.endswith(word) and row.high is not None:
                found[word] = min(least, row.high)
    return found["moisture"], found["specks"]


def _moisture_limit(config: LineConfig) -> float:
    """Critical limit of powder moisture [% wb]; 100 on a line without one."""
    guard, rows = config.line.guard, config.line.yield_
    if guard is None or rows is None:
        return 100.0
    highs = [row.high for row in guard.critical_limits if row.tag == rows.powder_moisture and row.high is not None]
    return min(highs, default=100.0)
