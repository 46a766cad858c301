"""A rough plant in virtual time for the tests of this room, with the tags and safe outputs of the real profiles."""

from __future__ import annotations

import asyncio
import json
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from linecontrol.core.model import DataType, Sample, Severity, Status, Tag, Text, Value
from linecontrol.recipe import Engine, PhaseFailed, Ports, Recipe, RunCommand, RunState, poll_until
from simulator.yaml_text import load_yaml

ROOT = Path(__file__).parents[2]


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, lets its time pass."""

    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and no timer is set: a deadlock")
        self.jumped += max(timeout, 0.0)
        if self.jumped > 2 * 86_400.0:
            raise RuntimeError("two days have passed: whatever was waited for does not come")
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.jumped


def virtually(work: Coroutine[Any, Any, Any]) -> Any:
    """Run in virtual time; nothing waits, and a deadlock is an error."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def load_recipe(name: str) -> Recipe:
    return Recipe.from_mapping(load_yaml((ROOT / "recipes" / f"{name}.yaml").read_text("utf-8")))


def line_tags() -> tuple[dict[str, Tag], dict[str, dict[str, Any]], dict[str, dict[str, Value]]]:
    """Tags with those of the loops, loops, and safe outputs by kind, of the demo line."""
    line = load_yaml((ROOT / "plc_profiles/lines/demo.yaml").read_text("utf-8"))
    tags: dict[str, Tag] = {}
    safe: dict[str, dict[str, Value]] = {"held": {}, "stopped": {}, "aborted": {}}
    for station in line["stations"]:
        profile = load_yaml((ROOT / f"plc_profiles/stations/{station}.yaml").read_text("utf-8"))
        for row in profile["tags"]:
            low, high = row.get("range", (-math.inf, math.inf))
            tags[row["name"]] = Tag(
                row["name"], station, Text(**row["title"]), row.get("unit", ""), DataType(row["type"]),
                row["address"], low=low, high=high, writable=row.get("writable", False),
            )  # fmt: skip
        for kind, outputs in profile["safe_outputs"].items():
            safe[kind].update(outputs)
    loops = {loop["name"]: loop for loop in line["loops"]}
    for name, loop in loops.items():
        for part, limits in (("SP", loop["sp"]), ("OP", loop["op_limits"])):
            unit = loop["unit"] if part == "SP" else tags[loop["op"]].unit if loop["op"] in tags else "°C"
            tags[f"{name}.{part}"] = Tag(
                f"{name}.{part}", "soft", Text(name, name), unit, DataType.FLOAT64, "",
                low=limits["low"], high=limits["high"], writable=True,
            )  # fmt: skip
    return tags, loops, safe


TAGS, LOOPS, SAFE = line_tags()
RUNNING = {"XC-101": "XS-101", "XC-201": "XS-201", "XC-301": "XC-301"}


class FakeLine:
    """PLCs and process, going on by themselves; also Plant and the ports of one engine."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.values: dict[str, Value] = {n: False if t.type is DataType.BOOL else 0.0 for n, t in TAGS.items()}
        self.values.update({"TT-303": 18.0, "WQ-102": 1234.5, "AT-209": 2.0})
        self.modes = dict.fromkeys(LOOPS, "MAN")
        self.milk_kg = 0.0
        self.cake_made_kg = 0.0
        self.bad: set[str] = set()
        self.stuck: set[str] = set()
        self.tripped: set[str] = set()
        self.writes: list[tuple[float, str, Value]] = []
        self.safe_calls: list[tuple[float, str]] = []
        self.events: list[tuple[str, str, Severity, dict[str, Any]]] = []
        self.saved: list[str] = []
        self.safe_takes_s = 0.5
        self.write_takes_s = 0.05
        self.process = asyncio.create_task(self._go_on())

    # ---- process ----

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._step()

    def number(self, tag: str) -> float:
        return float(self.values[tag])  # type: ignore[arg-type]

    def _step(self) -> None:
        v = self.values
        for command, running in RUNNING.items():
            if command != running:
                v[running] = bool(v[command]) and command not in self.tripped
        if self.modes["JIC-201"] == "AUTO":
            v["SC-101"] = 30.0
        v["WT-102"] = self.number("SC-101") * 20.0 if v["XS-101"] and "WT-102" not in self.stuck else 0.0
        fed = self.number("WT-102") / 3600.0
        v["WQ-102"] = round(self.number("WQ-102") + fed, 6)
        self.milk_kg += fed
        out = min(self.milk_kg, self.number("SC-206") * 40.0 / 3600.0 if v["XS-201"] else 0.0)
        self.milk_kg -= out
        self.cake_made_kg += out * 0.28
        v["LT-205"] = self.milk_kg
        screw = min(self.number("WT-301") + out * 0.28, self.number("SC-302") * 8.0 / 3600.0 if v["XC-301"] else 0.0)
        v["WT-301"] = self.number("WT-301") + out * 0.28 - screw
        v["WT-302"] = screw * 3600.0
        v["WQ-313"] = self.number("WQ-313") + screw * 0.7
        v["ST-201"] = self.number("SC-201") if v["XS-201"] else 0.0
        v["FT-307"] = self.number("SC-307") * 50.0 if v["XC-301"] else 0.0
        v["AT-209"] = self.number("AT-209") * (0.99 if v["XC-209"] else 1.0)
        self._heat()

    def _heat(self) -> None:
        v, at = self.values, self.number("TT-303")
        if self.modes["MIC-306"] == "AUTO":
            v["MIC-306.OP"] = min(max(self.number("MIC-306.OP") + self.rng.uniform(-0.2, 0.2), 90.0), 185.0)
        if self.modes["TIC-303"] == "CAS":
            v["TIC-303.SP"] = v["MIC-306.OP"]
        heats = self.modes["TIC-303"] in ("AUTO", "CAS") and v["XC-301"] and self.number("FT-307") > 500
        goal = self.number("TIC-303.SP") if heats else 18.0
        v["TV-303"] = 50.0 if heats else 0.0
        if "TT-303" not in self.stuck:
            v["TT-303"] = at + (goal - at) / (40.0 if heats else 250.0)

    def trip(self) -> None:
        """What the PLCs do when the controller's heartbeat stops."""
        for tag, value in SAFE["aborted"].items():
            if not tag.startswith("XC-1") and not tag.startswith("XC-2"):
                self.values[tag] = value
        self.tripped |= {"XC-101", "XC-201"}
        self.values["XC-301"] = False

    # ---- Plant ----

    def now(self) -> float:
        return 1.7e9 + asyncio.get_running_loop().time()

    def sample(self, tag: str) -> Sample:
        if tag in self.bad:
            return Sample(None, Status.BAD_NO_COMMUNICATION, self.now())
        return Sample(self.values[tag], Status.GOOD, math.floor(self.now()))

    async def sleep(self, line_s: float) -> None:
        await asyncio.sleep(line_s)

    async def wait_until(self, predicate: Callable[[], bool], timeout_s: float | None = None) -> bool:
        return await poll_until(self, predicate, timeout_s)

    def _write(self, tag: str, value: Value) -> None:
        self.writes.append((self.now(), tag, value))
        if not value:
            self.tripped.discard(tag)
        self.values[tag] = value

    async def set(self, tag: str, value: Value) -> None:
        point = TAGS[tag]
        if not point.writable or not point.low <= float(value) <= point.high:
            raise PhaseFailed(f"{value} is refused for {tag}")
        await asyncio.sleep(self.write_takes_s)
        if tag in self.stuck:
            raise PhaseFailed(f"{tag} was written as {value} but reads back {self.values[tag]}")
        self._write(tag, value)

    async def set_loop(
        self, loop: str, *, mode: str | None = None, sp: float | None = None, op: float | None = None
    ) -> None:
        await asyncio.sleep(self.write_takes_s)
        for part, value in (("SP", sp), ("OP", op)):
            limits = TAGS[f"{loop}.{part}"]
            if value is not None and not limits.low <= value <= limits.high:
                raise PhaseFailed(f"{value} is refused for {loop}.{part}")
            if value is not None:
                self.values[f"{loop}.{part}"] = value
        if op is not None and LOOPS[loop]["op"] in TAGS and "." not in LOOPS[loop]["op"]:
            self._write(LOOPS[loop]["op"], op)
        if mode is not None:
            self.modes[loop] = mode

    # ---- ports ----

    async def safe(self, kind: str) -> None:
        self.safe_calls.append((self.now(), kind))
        for loop in self.modes:
            self.modes[loop] = "MAN"
        await asyncio.sleep(self.safe_takes_s)
        for tag, value in SAFE[kind].items():
            self._write(tag, value)

    async def save(self, snapshot: dict[str, Any]) -> None:
        await asyncio.sleep(0.002)
        self.saved.append(json.dumps(snapshot, allow_nan=False))

    def event(self, kind: str, text: str, severity: Severity, about: dict[str, Any]) -> None:
        self.events.append((kind, text, severity, json.loads(json.dumps(about))))

    def ports(self) -> Ports:
        return Ports(now=self.now, plant=lambda _unit: self, safe=self.safe, save=self.save, event=self.event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [about for k, _, _, about in self.events if k == kind]

    def states(self) -> list[str]:
        return [about["to"] for about in self.of("run.state")]

    async def end(self) -> None:
        self.process.cancel()
        await asyncio.gather(self.process, return_exceptions=True)


async def crash(engine: Engine, line: FakeLine, down_s: float) -> Engine:
    """kill -9: the engine is gone, what was not saved is lost; the PLCs trip after five seconds; then it comes back."""
    kept = line.saved[-1]
    live, line.saved = line.saved, []
    await _vanish(engine)
    line.saved = live
    await asyncio.sleep(min(down_s, 5.0))
    if down_s > 5.0:
        line.trip()
        await asyncio.sleep(down_s - 5.0)
    return Engine.resume(json.loads(kept), line.ports())


async def _vanish(engine: Engine) -> None:
    """End all tasks of the engine without letting them reach the plant or the record."""
    muted = engine.ports
    object.__setattr__(muted, "event", lambda *_: None)
    await engine.close()


async def keep_saving(line: FakeLine, engine_of: Callable[[], Engine]) -> None:
    """The line's own tick: a snapshot every two seconds."""
    while True:
        await asyncio.sleep(2.0)
        await line.save(engine_of().snapshot())


async def to_the_end(engine: Engine, who: str = "li") -> RunState:
    """Restart whenever it is held, until it has ended."""
    for _ in range(20):
        state = await engine.wait_for(RunState.HELD, RunState.COMPLETE, RunState.STOPPED, RunState.ABORTED)
        await engine.settled()
        if state is not RunState.HELD:
            return state
        engine.command(RunCommand.RESTART, who)
    raise AssertionError(f"held again and again: {engine.reason}")
