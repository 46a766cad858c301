"""kill -9 at any moment: Held, says why and since when, nothing counted twice, no heat by itself, finishes."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_plant import FakeLine, crash, keep_saving, load_recipe, to_the_end, virtually

from linecontrol.core.errors import StateError, StorageError
from linecontrol.core.model import Value
from linecontrol.recipe import ENDED, Engine, RunCommand, RunMode, RunState
from linecontrol.recipe.states import DONE, TABLE

RECIPE = load_recipe("kudzu-lobata-standard")
CONTROL = RECIPE.control({"root_kg": 50})
AMOUNT_KG = 50.0
OVER_KG = 0.17 * 5  # what 600 kg/h bring in the seconds until a stop takes effect, with readings medians of three
HEAT = {"TV-303", "SC-302"}


class Journey:
    """One run with what happens to it, and what must hold whatever happens."""

    def __init__(self, seed: int = 0) -> None:
        self.line = FakeLine(seed)
        self.line.milk_kg = 0.0
        self.engine = Engine(CONTROL, self.line.ports())
        self.first_total = self.line.number("WQ-102")
        self.saver = asyncio.create_task(keep_saving(self.line, lambda: self.engine))
        self.fed_until_done: float | None = None

    async def crash(self, down_s: float) -> None:
        was = json.loads(self.line.saved[-1])
        self.saver.cancel()
        writes = len(self.line.writes)
        self.engine = await crash(self.engine, self.line, down_s)
        self.saver = asyncio.create_task(keep_saving(self.line, lambda: self.engine))
        began = self.line.now()
        if RunState(was["state"]) in ENDED:
            assert self.engine.state.value == was["state"]
            return
        await self.engine.settled()
        assert self.line.now() - began < 10.0
        assert self.engine.state is RunState.HELD
        self.check_reason(was)
        await asyncio.sleep(120)
        heat = [(tag, value) for _, tag, value in self.line.writes[writes:] if tag in HEAT and value]
        assert heat == [], "heat and wet feed do not come back by themselves"
        assert self.line.modes["TIC-303"] == "MAN"
        self.engine.set_mode(RunMode.AUTOMATIC, "li")  # a run taken over in Manual comes back in Manual

    def check_reason(self, was: dict[str, Any]) -> None:
        reason = self.engine.reason
        assert reason is not None
        assert reason.cause == "controller"
        assert reason.text.startswith("controller stopped at 2023-11-1")
        assert reason.text.endswith("resume with Restart")
        if was["reason"] is None or was["reason"]["cause"] != "controller":
            assert reason.since == was["line_time"]
            assert f"the run was {was['state']}" in reason.text

    async def finish(self) -> None:
        assert await to_the_end(self.engine) is RunState.COMPLETE
        await self.engine.settled()
        self.saver.cancel()
        line = self.line
        fed = line.number("WQ-102") - self.first_total
        assert AMOUNT_KG <= fed <= AMOUNT_KG + OVER_KG, "fed once, whatever happened in between"
        assert line.number("WT-301") < 2.0, "all cake was dried"
        assert line.milk_kg < 1.0
        progress = self.engine.snapshot()["units"]
        assert progress["screening"]["progress"]["feed-roots"]["baseline"] == self.first_total
        assert all(line.values[tag] is False for tag in ("XS-101", "XS-201", "XC-301"))
        assert line.number("SC-302") == 0
        assert line.states().count("Complete") == 1
        await line.end()


def test_an_undisturbed_run_is_the_baseline() -> None:
    async def story() -> None:
        journey = Journey()
        journey.engine.start("r1", "li")
        await journey.finish()

    virtually(story())


def saves_of_a_run() -> int:
    async def story() -> int:
        line = FakeLine()
        engine = Engine(CONTROL, line.ports())
        engine.start("r1", "li")
        await engine.wait_for(RunState.COMPLETE)
        await engine.settled()
        await line.end()
        return len(line.saved)

    count: int = virtually(story())
    return count


def when_saved(line: FakeLine, number: int) -> asyncio.Event:
    """Set at the very moment the ``number``-th record of this run is written."""
    reached, original = asyncio.Event(), line.save

    async def save(snapshot: dict[str, Any]) -> None:
        await original(snapshot)
        if len(line.saved) >= number:
            reached.set()

    line.save = save  # type: ignore[method-assign]
    return reached


EACH = 1 if settings.get_current_profile_name() == "thorough" else 4


def test_killed_at_every_state_and_phase_boundary() -> None:
    """Each record of a whole run in turn (in the suite, every fourth) is the last one written before the kill."""
    count = saves_of_a_run()
    assert count > 80
    for number in range(1, count + 1, EACH):

        async def story(number: int = number) -> None:
            line = FakeLine(number)
            reached = when_saved(line, number)
            journey = Journey.__new__(Journey)
            journey.line, journey.first_total = line, line.number("WQ-102")
            journey.engine = Engine(CONTROL, line.ports())
            journey.saver = asyncio.create_task(asyncio.sleep(0))
            journey.engine.start("r1", "li")
            await reached.wait()
            await journey.crash(down_s=number % 13)
            await journey.finish()

        virtually(story())


@given(
    st.lists(
        st.tuples(st.floats(0, 1500), st.sampled_from(["kill", "hold", "manual", "pause"])), min_size=1, max_size=4
    ),
    st.floats(0, 30),
)
@settings(max_examples=10, deadline=None)
def test_killed_held_paused_taken_over_at_random_instants(story: list[tuple[float, str]], down_s: float) -> None:
    async def play() -> None:
        journey = Journey()
        journey.engine.start("r1", "li")
        for wait_s, what in story:
            await asyncio.sleep(wait_s)
            await happen(journey, what, down_s)
        await journey.finish()

    virtually(play())


async def happen(journey: Journey, what: str, down_s: float) -> None:
    engine = journey.engine
    try:
        if what == "kill":
            if journey.line.saved:
                await journey.crash(down_s)
            return
        if what == "hold":
            engine.command(RunCommand.HOLD, "li")
            await engine.settled()
            await asyncio.sleep(down_s * 10)
        elif what == "pause":
            engine.command(RunCommand.PAUSE, "li")
            await engine.settled()
            if engine.state is RunState.PAUSED:
                engine.command(RunCommand.RESUME, "li")
        elif engine.state is RunState.RUNNING:
            await take_over(journey, down_s)
    except StateError:
        pass  # the run had got there before: Held or ended
    if journey.engine.state is RunState.HELD:
        journey.engine.command(RunCommand.RESTART, "li")


async def take_over(journey: Journey, down_s: float) -> None:
    """An operator takes the line in Manual, stops the feed, and gives it back."""
    journey.engine.set_mode(RunMode.MANUAL, "li")
    await asyncio.sleep(2)
    await journey.line.set("SC-101", 0)
    await asyncio.sleep(down_s)
    journey.engine.set_mode(RunMode.AUTOMATIC, "li")


def test_the_baseline_is_recorded_before_the_feed_starts() -> None:
    """With no record but the engine's own: a kill long after the feeder started still finds the first baseline."""

    async def story() -> None:
        line = FakeLine()
        engine = Engine(CONTROL, line.ports())
        first = line.number("WQ-102")
        engine.start("r1", "li")
        while not line.values["SC-101"]:
            await asyncio.sleep(0.5)
        last = len(line.saved)
        assert json.loads(line.saved[-1])["units"]["screening"]["progress"]["feed-roots"]["baseline"] == first
        await asyncio.sleep(60)
        del line.saved[last:]
        engine = await crash(engine, line, 10)
        await engine.settled()
        assert await to_the_end(engine) is RunState.COMPLETE
        assert AMOUNT_KG <= line.number("WQ-102") - first <= AMOUNT_KG + OVER_KG
        await engine.settled()
        await line.end()

    virtually(story())


def test_killed_while_stopping_it_stops() -> None:
    async def story() -> None:
        line = FakeLine()
        engine = Engine(CONTROL, line.ports())
        engine.start("r1", "li")
        await asyncio.sleep(300)
        line.safe_takes_s = 8.0
        engine.command(RunCommand.STOP, "li", "end of shift")
        await asyncio.sleep(1)
        engine = await crash(engine, line, 3)
        assert engine.state is RunState.STOPPING
        assert await engine.settled() is RunState.STOPPED
        assert line.safe_calls[-1][1] == "stopped"
        assert engine.reason is not None
        assert engine.reason.text == "end of shift"
        await line.end()

    virtually(story())


def test_killed_again_and_again_while_held_it_tells_of_the_first() -> None:
    async def story() -> None:
        line = FakeLine()
        engine = Engine(CONTROL, line.ports())
        engine.start("r1", "li")
        await asyncio.sleep(500)
        engine = await crash(engine, line, 10)
        await engine.settled()
        first = engine.reason
        for _ in range(5):
            await asyncio.sleep(60)
            engine = await crash(engine, line, 10)
            await engine.settled()
        assert engine.reason == first
        assert engine.state is RunState.HELD
        await engine.close()
        await line.end()

    virtually(story())


def test_a_run_goes_on_with_its_own_recipe_not_with_the_file() -> None:
    """The recorded text is what counts; a record that was tampered with is refused."""

    async def story() -> None:
        line = FakeLine()
        engine = Engine(CONTROL, line.ports())
        engine.start("r1", "li")
        await asyncio.sleep(100)
        await engine.close()
        kept = json.loads(line.saved[-1])
        again = Engine.resume(kept, line.ports())
        assert (again.recipe.hash, again.recipe.values) == (CONTROL.hash, CONTROL.values)
        await again.settled()
        kept["recipe"]["text"] = kept["recipe"]["text"].replace("WQ-102", "WQ-208")
        with pytest.raises(StorageError, match="does not fit its hash"):
            Engine.resume(kept, line.ports())
        await line.end()

    virtually(story())


@pytest.mark.parametrize(
    "change",
    [
        lambda k: k.pop("units"),
        lambda k: k.update(state="Sleeping"),
        lambda k: k["units"]["drying"].update(index=999),
        lambda k: k.update(format=99),
        lambda k: k["recipe"].update(text="{}"),
        lambda k: k["recipe"]["values"].update(root_kg=1),
        lambda k: k.update(points=None),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_plainly(change: Callable[[dict[str, Any]], Any]) -> None:
    async def story() -> None:
        line = FakeLine()
        kept = json.loads(json.dumps(Engine(CONTROL, line.ports()).snapshot()))
        change(kept)
        with pytest.raises(StorageError, match="the recorded run cannot be read"):
            Engine.resume(kept, line.ports())
        await line.end()

    virtually(story())


@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_a_storm_of_commands_never_leaves_the_table(seed: int) -> None:
    """Every change of state an engine makes, under random commands at random moments, is in the ISA-88 table."""
    line = virtually(storm(seed, 150))
    check_path([(about["was"], about["to"]) for about in line.of("run.state")])


def check_path(path: list[tuple[str, str]]) -> None:
    at = "Idle"
    for was, to in path:
        assert was == at
        legal = {*TABLE[RunState(was)].values(), DONE.get(RunState(was))}
        assert RunState(to) in legal, (was, to)
        at = to


async def storm(seed: int, count: int) -> FakeLine:
    rng, line = random.Random(seed), FakeLine(seed)
    engine = Engine(CONTROL, line.ports())
    for number in range(count):
        await asyncio.sleep(rng.choice([0.0, 0.0, 0.001, 0.3, 5.0, 100.0]))
        command = rng.choice(list(RunCommand))
        before = engine.state
        try:
            if command is RunCommand.START:
                engine.start(f"r{number}", "li")
            else:
                engine.command(command, "li")
            assert command in TABLE[before]
        except StateError:
            assert command not in TABLE[before]
            assert engine.state is before
    await engine.close()
    await line.end()
    return line


def test_after_any_end_nothing_is_left_on() -> None:
    """Whatever the moment: Stopped and Aborted mean no feed, no heat, no water, and no task that could change it."""

    async def story(seed: int) -> None:
        rng, line = random.Random(seed), FakeLine(seed)
        engine = Engine(CONTROL, line.ports())
        engine.start("r1", "li")
        await asyncio.sleep(rng.uniform(0, 1500))
        engine.command(rng.choice([RunCommand.STOP, RunCommand.ABORT]), "li")
        await engine.settled()
        await asyncio.sleep(60)
        off: dict[str, Value] = {tag: line.values[tag] for tag in ("SC-101", "SC-302", "TV-303", "FV-203", "SC-206")}
        assert not any(off.values()), off
        assert {task for task in asyncio.all_tasks() if task.get_name().startswith(("unit", "recipe"))} == set()
        await line.end()

    for seed in range(12):
        virtually(story(seed))
