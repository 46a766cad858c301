"""The engine: commands, holds, limits, modes, prompts; in virtual time on a rough plant."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from recipe_plant import SAFE, FakeLine, load_recipe, to_the_end, virtually
from test_recipe_model import small, sync, text

from linecontrol.core.errors import StateError
from linecontrol.core.model import Severity
from linecontrol.recipe import Engine, Recipe, RunCommand, RunMode, RunState

FEED = {"total": "WQ-102", "amount": "=kg", "set": {"SC-101": "=pct"}}
START = {"name": "start", "kind": "start_station", "params": {"command": "XC-101", "running": "XS-101"}}


def dwell(name: str, time_s: float) -> dict[str, Any]:
    return {"name": name, "kind": "dwell", "params": {"time_s": time_s}}


def feed(**more: Any) -> dict[str, Any]:
    return {"name": "feed", "kind": "feed_until", "params": {**FEED, **more}}


def on_line(mapping: dict[str, Any], story: Callable[[FakeLine, Engine], Awaitable[None]], **sets: Any) -> FakeLine:
    """Play a story with an engine for this recipe; whatever it leaves behind is ended."""

    async def play() -> FakeLine:
        line = FakeLine()
        engine = Engine(Recipe.from_mapping(mapping).control(sets), line.ports())
        try:
            await story(line, engine)
        finally:
            await engine.close()
            await line.end()
        return line

    found: FakeLine = virtually(play())
    return found


def test_a_run_goes_to_complete_once_and_all_is_recorded() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        assert engine.start("r1", "li") == "r1"
        assert await engine.wait_for(RunState.COMPLETE, RunState.HELD) is RunState.COMPLETE
        await engine.settled()
        assert line.number("WQ-102") - 1234.5 == pytest.approx(10, abs=0.6)
        assert line.values["SC-101"] == 0
        assert [kind for _, kind in line.safe_calls] == ["stopped"]
        status = engine.status()
        assert (status.state, status.time_left_s, status.done_fraction) == ("Complete", 0.0, 1.0)
        assert status.legal == ("Reset",)
        assert all(unit.is_finished for unit in status.units)

    line = on_line(small(screening=[START, feed(), sync("a")], grinding=[sync("a"), dwell("rest", 30)]), story)
    assert line.states() == ["Running", "Complete"]
    assert '"state": "Complete"' in line.saved[-1]


def test_hold_takes_safe_outputs_and_restart_goes_on_where_it_was() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(30)
        assert engine.command(RunCommand.HOLD, "li", "smell of smoke") is RunState.HOLDING
        assert await engine.settled() is RunState.HELD
        assert line.safe_calls[-1][1] == "held"
        for tag, value in SAFE["held"].items():
            assert line.values[tag] == value
        reason = engine.reason
        assert reason is not None
        assert (reason.text, reason.cause, reason.who) == ("smell of smoke", "operator", "li")
        fed = line.number("WQ-102")
        await asyncio.sleep(600)
        assert line.number("WQ-102") == pytest.approx(fed, abs=0.4)
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.COMPLETE)
        assert engine.reason is None
        assert line.number("WQ-102") - 1234.5 == pytest.approx(10, abs=0.6)

    line = on_line(small(screening=[START, feed()]), story)
    assert line.states() == ["Running", "Holding", "Held", "Restarting", "Running", "Complete"]
    assert not line.of("run.held"), "a hold a person asked for is no alarm"


def test_restart_sets_again_what_earlier_phases_had_set() -> None:
    """Safe outputs stop a pump an earlier phase had started; Restart brings it, and loops, back as they were."""
    phases = [
        {"name": "start", "kind": "start_station", "params": {"command": "XC-201", "running": "XS-201"}},
        {"name": "pump", "kind": "set", "params": {"values": {"SC-206": "=pct", "FV-203": 25}}},
        {"name": "density", "kind": "loop", "params": {"loop": "DIC-204", "mode": "AUTO", "sp": 1060, "op": 40}},
        dwell("rest", 100),
    ]

    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(50)
        engine.command(RunCommand.HOLD, "li")
        await engine.settled()
        line.trip()
        await asyncio.sleep(5)
        assert (line.values["SC-206"], line.modes["DIC-204"], line.values["XS-201"]) == (0, "MAN", False)
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.RUNNING)
        assert (line.values["SC-206"], line.values["FV-203"], line.values["XS-201"]) == (30.0, 25, True)
        assert (line.modes["DIC-204"], line.values["DIC-204.SP"]) == ("AUTO", 1060)
        began = line.now()
        await engine.wait_for(RunState.COMPLETE)
        assert line.now() - began == pytest.approx(50, abs=4), "the dwell goes on, it does not begin anew"

    on_line(small(grinding=phases), story)


def test_restart_phases_run_before_the_outputs_come_back() -> None:
    mapping = small(
        drying=[
            {"name": "start", "kind": "start_station", "params": {"command": "XC-301", "running": "XC-301"}},
            {"name": "screw", "kind": "set", "params": {"values": {"SC-302": 20}}},
            dwell("rest", 100),
        ]
    )
    mapping["procedure"]["drying"]["operations"][0]["restart"] = [
        {"name": "fan-again", "kind": "set", "params": {"values": {"SC-307": 60}}},
        dwell("purge", 20),
    ]

    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(50)
        engine.command(RunCommand.HOLD, "li")
        await engine.settled()
        engine.command(RunCommand.RESTART, "li")
        await asyncio.sleep(10)
        assert engine.state is RunState.RESTARTING
        assert (line.values["SC-307"], line.values["SC-302"]) == (60, 0)
        await engine.wait_for(RunState.RUNNING)
        assert line.values["SC-302"] == 20

    on_line(mapping, story)


def test_a_step_that_never_completes_holds_the_run_at_its_limit() -> None:
    """At the limit, with an alarm that says what was waited for; after a Restart it may try again."""
    hot = {"name": "hot", "kind": "wait_until", "time_limit_s": 120, "params": {"tag": "TT-303", "at_least": 90}}

    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        began = line.now()
        await engine.wait_for(RunState.HOLDING)
        assert line.now() - began == pytest.approx(120, abs=1)
        await engine.settled()
        assert engine.reason is not None
        assert engine.reason.cause == "phase"
        assert engine.reason.text == (
            "drying, Wait for a condition: not done within its 120 s; it waited for TT-303 ≥ 90"
        )
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.RUNNING)
        line.stuck.add("TT-303")
        line.values["TT-303"] = 91.0
        await engine.wait_for(RunState.COMPLETE)

    line = on_line(small(drying=[hot]), story)
    held = [(severity, about["active"]) for kind, _, severity, about in line.events if kind == "run.held"]
    assert held == [(Severity.ALARM, True), (Severity.INFO, False)]


def test_time_taken_before_a_hold_counts_and_time_held_does_not() -> None:
    hot = {"name": "hot", "kind": "wait_until", "time_limit_s": 120, "params": {"tag": "TT-303", "at_least": 90}}

    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(70)
        engine.command(RunCommand.HOLD, "li")
        await engine.settled()
        await asyncio.sleep(1000)
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.RUNNING)
        began = line.now()
        await engine.wait_for(RunState.HOLDING)
        assert line.now() - began == pytest.approx(50, abs=2)

    on_line(small(drying=[hot]), story)


@pytest.mark.parametrize("fault", ["refused", "unknown tag", "stalled", "fell", "plant defect"])
def test_a_failing_phase_holds_the_run_and_says_why(fault: str) -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        if fault == "refused":
            line.stuck.add("SC-101")
        if fault == "unknown tag":
            del line.values["WQ-102"]
        if fault == "stalled":
            line.stuck.add("WT-102")
        if fault == "plant defect":

            async def broken(_tag: str, _value: object) -> None:
                raise ZeroDivisionError("a defect")

            line.set = broken  # type: ignore[method-assign, assignment]
        engine.start("r1", "li")
        if fault == "fell":
            await asyncio.sleep(30)
            line.values["WQ-102"] = 0.0
        assert await engine.wait_for(RunState.HELD, RunState.COMPLETE) is RunState.HELD
        assert engine.reason is not None
        words = {
            "refused": "SC-101 was written as 30.0 but reads back",
            "unknown tag": "KeyError",
            "stalled": "WQ-102 has not risen for 40 s",
            "fell": "WQ-102 fell from",
            "plant defect": "internal error, ZeroDivisionError: a defect",
        }[fault]
        assert words in engine.reason.text
        if fault == "fell":  # nothing is lost and nothing counted twice when the count began anew
            before = float(engine.snapshot()["units"]["screening"]["progress"]["feed"]["risen"])
            engine.command(RunCommand.RESTART, "li")
            await engine.wait_for(RunState.COMPLETE)
            assert line.number("WQ-102") + before == pytest.approx(10, abs=1.0)

    process = feed(stall_s=40.0)
    on_line(small(screening=[START, process] if fault != "plant defect" else [process]), story)


def test_one_corrupt_telegram_neither_ends_a_feed_nor_moves_its_baseline() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        spikes = [0.0, 9e6]

        def sample(tag: str, original: Any = line.sample) -> Any:
            found = original(tag)
            second = int(line.now()) % 5 if tag == "WQ-102" else 9
            return found._replace(value=spikes[second]) if second < 2 and int(line.now()) % 10 < 1 else found

        line.sample = sample  # type: ignore[method-assign]
        engine.start("r1", "li")
        assert await engine.wait_for(RunState.COMPLETE, RunState.HELD) is RunState.COMPLETE, engine.reason
        assert line.number("WQ-102") - 1234.5 == pytest.approx(10, abs=0.8)

    on_line(small(screening=[START, feed()]), story)


def test_a_bad_sample_is_never_taken_for_a_condition_met() -> None:
    cold = {"name": "cold", "kind": "wait_until", "params": {"tag": "TT-303", "at_most": 60, "for_s": 20}}

    async def story(line: FakeLine, engine: Engine) -> None:
        line.bad.add("TT-303")
        engine.start("r1", "li")
        await asyncio.sleep(200)
        assert engine.state is RunState.RUNNING
        line.bad.clear()
        await asyncio.sleep(15)
        line.bad.add("TT-303")
        await asyncio.sleep(5)
        line.bad.clear()
        began = line.now()
        await engine.wait_for(RunState.COMPLETE)
        assert line.now() - began >= 19, "the twenty seconds are without a break"

    on_line(small(drying=[cold]), story)


# ---- commands ----


@pytest.mark.parametrize("ids", ["the same", "different"])
def test_fifty_parallel_starts_give_one_run(ids: str) -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        async def begin(number: int) -> str | StateError:
            await asyncio.sleep(0)
            try:
                return engine.start("r1" if ids == "the same" else f"r{number}", f"browser {number}")
            except StateError as error:
                return error

        answers = await asyncio.gather(*(begin(n) for n in range(50)))
        if ids == "the same":
            assert answers == ["r1"] * 50
        else:
            assert answers[0] == "r0"
            assert all(
                str(a) == "run r0: Start is not legal in Running; legal now: Hold, Pause, Stop, Abort"
                for a in answers[1:]
            )
        await engine.wait_for(RunState.COMPLETE)
        assert engine.start(engine.run_id, "late retry") == engine.run_id
        assert engine.state is RunState.COMPLETE

    line = on_line(small(screening=[dwell("rest", 5)]), story)
    assert line.states().count("Running") == 1
    assert line.states().count("Complete") == 1


def test_of_two_commands_at_one_instant_one_wins() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(3)
        engine.command(RunCommand.HOLD, "li")
        with pytest.raises(StateError, match="run r1: Hold is not legal in Holding; legal now: Stop, Abort"):
            engine.command(RunCommand.HOLD, "wang")
        engine.command(RunCommand.STOP, "wang")
        with pytest.raises(StateError, match="Restart is not legal in Stopping"):
            engine.command(RunCommand.RESTART, "li")
        assert await engine.settled() is RunState.STOPPED

    line = on_line(small(screening=[dwell("rest", 50)]), story)
    assert [kind for _, kind in line.safe_calls][-1] == "stopped"
    assert line.states() == ["Running", "Holding", "Stopping", "Stopped"]


async def bring_to(state: RunState, line: FakeLine, engine: Engine) -> None:
    """Lead a run into this state; transient ones are caught while their work is under way."""
    if state is RunState.IDLE:
        return
    engine.start("r1", "li")
    await asyncio.sleep(20)
    route = {
        RunState.PAUSING: [RunCommand.PAUSE],
        RunState.PAUSED: [RunCommand.PAUSE],
        RunState.HOLDING: [RunCommand.HOLD],
        RunState.HELD: [RunCommand.HOLD],
        RunState.RESTARTING: [RunCommand.HOLD, RunCommand.RESTART],
        RunState.STOPPING: [RunCommand.STOP],
        RunState.STOPPED: [RunCommand.STOP],
        RunState.ABORTING: [RunCommand.ABORT],
        RunState.ABORTED: [RunCommand.ABORT],
    }.get(state, [])
    for step in route:
        await engine.settled() if engine.state is RunState.HOLDING else None
        engine.command(step, "li")
        await asyncio.sleep(0.01)
    await engine.wait_for(state)


LONG = small(screening=[START, feed(), dwell("rest", 20)], grinding=[dwell("a", 30), dwell("b", 60)])


@pytest.mark.parametrize("state", RunState)
def test_abort_in_every_state(state: RunState) -> None:
    """Accepted where the table says so, at once; else refused and nothing changes."""

    async def story(line: FakeLine, engine: Engine) -> None:
        await bring_to(state, line, engine)
        assert engine.state is state
        if "Abort" in engine.status().legal:
            engine.command(RunCommand.ABORT, "li", "fire")
            began = line.now()
            assert await engine.settled() is RunState.ABORTED
            assert line.now() - began < 2.0
            assert line.safe_calls[-1][1] == "aborted"
            assert line.values["SC-101"] == 0
            writes = len(line.writes)
            await asyncio.sleep(100)
            assert len(line.writes) == writes, "nothing writes after the abort"
        else:
            with pytest.raises(StateError, match="Abort is not legal"):
                engine.command(RunCommand.ABORT, "li")
            assert engine.state is state

    on_line(LONG, story)


@pytest.mark.parametrize("command", [RunCommand.STOP, RunCommand.ABORT])
@pytest.mark.parametrize("hang", ["phase", "write", "safe", "save"])
def test_stop_and_abort_work_while_something_hangs(hang: str, command: RunCommand) -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        never = asyncio.Event()
        stubborn: list[bool] = []

        async def hold_on(*_: Any, **__: Any) -> None:
            while True:  # swallows its cancellation, as broken code does
                try:
                    await never.wait()
                except asyncio.CancelledError:
                    stubborn.append(True)
                else:
                    return

        async def slow(*_: Any) -> None:
            await asyncio.sleep(1000)

        if hang == "phase":
            line.wait_until = hold_on  # type: ignore[method-assign, assignment]
        if hang == "write":
            line.set = hold_on  # type: ignore[method-assign, assignment]
        engine.start("r1", "li")
        await asyncio.sleep(10)
        if hang == "safe":
            object.__setattr__(engine.ports, "safe", lambda kind: slow() if kind == "held" else line.safe(kind))
            engine.command(RunCommand.HOLD, "li")
            await asyncio.sleep(5)
            assert engine.state is RunState.HOLDING
        if hang == "save":
            object.__setattr__(engine.ports, "save", slow)
        began = line.now()
        engine.command(command, "li")
        ended = await engine.wait_for(RunState.STOPPED, RunState.ABORTED)
        assert line.safe_calls[-1][1] == ended.value.lower()
        assert line.safe_calls[-1][0] - began < 4.0
        writes = len(line.writes)
        never.set()
        await asyncio.sleep(30)
        assert len(line.writes) == writes, "a phase that was left behind writes nothing"
        assert bool(stubborn) == (hang in ("phase", "write"))

    # the hanging phase would start the feeder as soon as it is let go
    on_line(small(screening=[feed()] if hang == "phase" else [START, feed()]), story)


def test_safe_outputs_that_fail_are_told_and_do_not_block() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        async def broken(_kind: str) -> None:
            raise OSError("station drying is down")

        engine.start("r1", "li")
        await asyncio.sleep(5)
        object.__setattr__(engine.ports, "safe", broken)
        engine.command(RunCommand.HOLD, "li", "test")
        assert await engine.settled() is RunState.HELD
        assert engine.reason is not None
        assert engine.reason.text == "test; safe outputs (held) failed: station drying is down"

        async def endless(_kind: str) -> None:
            await asyncio.sleep(1e6)

        object.__setattr__(engine.ports, "safe", endless)
        engine.command(RunCommand.STOP, "li")
        began = line.now()
        assert await engine.settled() is RunState.STOPPED
        assert line.now() - began == pytest.approx(30, abs=1)

    line = on_line(small(screening=[dwell("rest", 50)]), story)
    assert len(line.of("run.safe_failed")) == 2


def test_a_start_that_cannot_be_recorded_does_not_run() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        async def full(_snapshot: dict[str, Any]) -> None:
            raise OSError("disk full")

        object.__setattr__(engine.ports, "save", full)
        engine.start("r1", "li")
        assert await engine.wait_for(RunState.HELD) is RunState.HELD
        assert engine.reason is not None
        assert engine.reason.text == "the start could not be recorded"
        assert "XC-101" not in {tag for _, tag, _ in line.writes}
        object.__setattr__(engine.ports, "save", line.save)
        await engine.settled()
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.COMPLETE)

    line = on_line(small(screening=[START, feed()]), story)
    assert len(line.of("run.not_recorded")) == 1, "told once, not at each try"
    assert len(line.of("run.recorded")) == 1


def test_pause_waits_for_a_breakpoint_and_resume_goes_on() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(5)
        engine.command(RunCommand.PAUSE, "li")
        assert engine.state is RunState.PAUSING
        await engine.wait_for(RunState.PAUSED)
        assert line.now() - 1.7e9 == pytest.approx(30, abs=1), "at the end of the longer phase under way"
        await asyncio.sleep(500)
        assert [unit.phase for unit in engine.status().units] == ["second", "late"]
        assert not line.safe_calls
        engine.command(RunCommand.RESUME, "li")
        await engine.wait_for(RunState.COMPLETE)

    line = on_line(
        small(screening=[dwell("first", 10), dwell("second", 10)], grinding=[dwell("early", 30), dwell("late", 10)]),
        story,
    )
    assert line.states() == ["Running", "Pausing", "Paused", "Running", "Complete"]


def test_a_run_can_be_paused_while_one_waits_for_the_other() -> None:
    async def story(_line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(5)
        engine.command(RunCommand.PAUSE, "li")
        assert await engine.wait_for(RunState.PAUSED) is RunState.PAUSED
        engine.command(RunCommand.RESUME, "li")
        await engine.wait_for(RunState.COMPLETE)

    on_line(small(screening=[sync("a")], grinding=[dwell("first", 20), sync("a")]), story)


def test_reset_forgets_the_run_and_nothing_else() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await engine.wait_for(RunState.COMPLETE)
        await engine.settled()
        engine.command(RunCommand.RESET, "li")
        status = engine.status()
        assert (engine.state, status.run_id, status.started_at, status.reason) == (RunState.IDLE, "", None, None)
        assert status.points_passed == ()
        assert all(unit.number == 1 and not unit.is_finished for unit in status.units)
        await engine.settled()
        engine.start("r2", "li")
        await engine.wait_for(RunState.COMPLETE)
        assert line.number("WQ-102") - 1234.5 == pytest.approx(20, abs=1.2)

    on_line(small(screening=[START, feed(), sync("a")], grinding=[sync("a")]), story)


# ---- modes and prompts ----


def test_semi_automatic_asks_before_each_phase_and_says_what_is_next() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li", RunMode.SEMI_AUTOMATIC)
        begun = []
        for expected in ("first", "second"):
            await engine.pulse.until(lambda: engine.status().units[0].waits_for_proceed)
            await asyncio.sleep(300)
            unit = engine.status().units[0]
            assert (unit.phase, unit.waits_for_proceed) == (expected, True)
            begun.append([about["phase"] for about in line.of("run.phase") if about["to"] == "begun"])
            engine.proceed("screening", "li")
            with pytest.raises(StateError, match="grinding waits for no proceed"):
                engine.proceed("grinding", "li")
            await asyncio.sleep(1)
            with pytest.raises(StateError, match="screening waits for no proceed"):
                engine.proceed("screening", "li")
            engine.command(RunCommand.HOLD, "li")
            await engine.settled()
            engine.command(RunCommand.RESTART, "li")
            await engine.wait_for(RunState.RUNNING)  # a phase that had begun needs no second proceed
        assert begun == [[], ["first"]]
        await engine.wait_for(RunState.COMPLETE)

    on_line(small(screening=[dwell("first", 10), dwell("second", 10)]), story)


def test_manual_lets_no_phase_advance_and_gives_the_outputs_back_afterwards() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(30)
        engine.set_mode(RunMode.MANUAL, "li")
        await asyncio.sleep(1)
        fed = line.number("WQ-102")
        writes = len(line.writes)
        await line.set("SC-101", 0)  # the operator, by the gate
        await line.set("SC-103", 3)
        await asyncio.sleep(3000)
        assert engine.state is RunState.RUNNING
        assert len(line.writes) == writes + 2
        assert line.number("WQ-102") == pytest.approx(fed, abs=0.4)
        assert engine.status().units[0].phase == "feed"
        engine.set_mode(RunMode.AUTOMATIC, "li")
        await asyncio.sleep(10)
        assert (line.values["SC-103"], line.values["SC-101"]) == (12, 30.0)
        await engine.wait_for(RunState.COMPLETE)
        assert line.number("WQ-102") - 1234.5 == pytest.approx(10, abs=0.8)

    trommel = {"name": "trommel", "kind": "set", "params": {"values": {"SC-103": 12}}}
    line = on_line(small(screening=[START, trommel, feed()]), story)
    assert [(about["who"], about["mode"]) for about in line.of("run.mode")] == [("li", "Manual"), ("li", "Automatic")]


def test_mode_there_and_back_in_one_instant_stalls_nothing() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        for _ in range(20):
            await asyncio.sleep(0.7)
            engine.set_mode(RunMode.MANUAL, "li")
            engine.set_mode(RunMode.SEMI_AUTOMATIC, "li")
            engine.set_mode(RunMode.AUTOMATIC, "li")
        await engine.wait_for(RunState.COMPLETE)
        assert line.number("WQ-102") - 1234.5 == pytest.approx(10, abs=0.8)

    on_line(small(screening=[START, feed(), dwell("rest", 10)]), story)


@pytest.mark.parametrize("command", [RunCommand.HOLD, RunCommand.STOP, RunCommand.ABORT, RunCommand.PAUSE])
def test_commands_work_in_manual(command: RunCommand) -> None:
    async def story(_line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(5)
        engine.set_mode(RunMode.MANUAL, "li")
        await asyncio.sleep(5)
        engine.command(command, "li")
        ended = await engine.settled()
        assert ended in (RunState.HELD, RunState.STOPPED, RunState.ABORTED, RunState.PAUSED)
        if ended is RunState.HELD:
            engine.command(RunCommand.RESTART, "li")
            await engine.wait_for(RunState.RUNNING)
            await asyncio.sleep(50)
            assert not engine.status().units[0].is_finished
            engine.set_mode(RunMode.AUTOMATIC, "li")
            await engine.wait_for(RunState.COMPLETE)

    on_line(small(screening=[dwell("rest", 20)]), story)


def test_a_prompt_waits_for_an_answer_and_records_who_gave_it() -> None:
    ask = {"name": "ask", "kind": "prompt", "params": {"text": text("empty?")}}

    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(100)
        (prompt,) = engine.prompts()
        assert (prompt.id, prompt.text.en, prompt.unit) == ("r1:screening:ask", "empty?", "screening")
        with pytest.raises(StateError, match="is not asked now"):
            engine.answer("r1:screening:other", "li")
        engine.command(RunCommand.HOLD, "li")
        await engine.settled()
        assert engine.prompts() == ()
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.RUNNING)
        await asyncio.sleep(1)
        engine.answer("r1:screening:ask", "wang")
        with pytest.raises(StateError, match="is not asked now"):
            engine.answer("r1:screening:ask", "li")
        engine.command(RunCommand.HOLD, "li")  # at the same instant: the answer stays given
        await engine.settled()
        engine.command(RunCommand.RESTART, "li")
        await engine.wait_for(RunState.COMPLETE)
        assert engine.snapshot()["units"]["screening"]["progress"]["ask"]["answered_by"] == "wang"

    line = on_line(small(screening=[ask]), story)
    assert len(line.of("run.prompt")) == 2
    assert [about["who"] for about in line.of("run.answer")] == ["wang"]


def test_status_says_how_far_and_how_long() -> None:
    async def story(line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(120)
        status = engine.status()
        feeding = next(unit for unit in status.units if unit.name == "screening")
        assert feeding.phase == "feed-roots" or feeding.kind == "sync"
        await asyncio.sleep(1500)
        begun, status = line.now(), engine.status()
        feeding = next(unit for unit in status.units if unit.name == "screening")
        assert feeding.kind == "feed_until"
        assert feeding.done_fraction is not None
        assert 0.3 < feeding.done_fraction < 1.0
        assert "WQ-102 risen by 300" in feeding.waiting_for
        assert feeding.remaining_s is not None
        told_s = feeding.remaining_s
        await engine.pulse.until(lambda: engine.status().units[0].phase != "feed-roots")
        assert line.now() - begun == pytest.approx(told_s, rel=0.05, abs=5)
        await engine.wait_for(RunState.COMPLETE)

    recipe = load_recipe("kudzu-lobata-standard")
    on_line(recipe.model_dump(mode="json", exclude_unset=True), story)


def test_a_guard_may_hold_the_run_and_that_is_an_alarm() -> None:
    async def story(_line: FakeLine, engine: Engine) -> None:
        engine.start("r1", "li")
        await asyncio.sleep(5)
        engine.command(RunCommand.HOLD, "guard:CCP1", "powder moisture 15.2 % wb", cause="guard")
        await engine.settled()
        assert await to_the_end(engine) is RunState.COMPLETE

    line = on_line(small(screening=[dwell("rest", 20)]), story)
    assert [about["active"] for about in line.of("run.held")] == [True, False]
