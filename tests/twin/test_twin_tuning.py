"""Tests on the loops of the whole line, in a running recipe on the twin: found, given back, never harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from short_run import VALUES

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Mode
from linecontrol.control.tuning.evaluate import Evaluation
from linecontrol.control.tuning.moves import Kind
from linecontrol.core.errors import ConfigError, LineError, StateError
from linecontrol.core.model import Command, Event
from linecontrol.line.assembly import Line
from linecontrol.line.wishes import TestWish, plan_of
from linecontrol.recipe.states import RunState
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.trial import Trial, Twin
from simulator.faults import read_fault

RECIPE = "kudzu-lobata-standard"
HOT = {"root_kg": 1000.0, "start_level": 300.0, "warm_up_per_min": 25.0}  # the cake that begins drying never comes
WHO = {"who": "operator:li", "reason": "a test"}


class Shift:
    """A shift at the twin: a run under way, the events so far, and hands to do things with."""

    def __init__(self, twin: Twin) -> None:
        self.twin, self.line = twin, twin.line
        self.events: list[Event] = []
        twin.line.listeners.append(self.events.append)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events if event.kind.startswith("tuning.")]

    async def until(self, claim: Callable[[], bool], within_s: float = 7200.0) -> None:
        left = within_s
        while not claim():
            left -= 1.0
            assert left > 0.0, "it never came"
            await self.line.clock.sleep(1.0)

    async def hot(self) -> None:
        """The dryer is hot and waits for wet cake: TIC-303 is in AUTO, at rest."""
        await self.until(lambda: "cake" in self._phase())
        await self.line.clock.sleep(120.0)

    def _phase(self) -> str:
        view = self.line.runs.view()
        return "" if view is None else str(view["units"]["drying"]["phase"])

    async def cascade(self, more_s: float) -> None:
        await self.until(lambda: self.line.bank.mode_of("MIC-306") is Mode.AUTO)
        await self.line.clock.sleep(more_s)

    def stage(self, loop: str) -> str | None:
        return self.line.bank.tests.view(loop)

    async def tested(self, loop: str, wish: TestWish) -> Evaluation | None:
        """A whole test, asked for again while the loop is not at rest; what it has shown."""
        desk = self.line.tuning
        for _ in range(8):
            desk.start(loop, wish, **WHO)
            await self.until(lambda: self.stage(loop) is None)
            if desk.view(loop)["last_test"]["state"] != "refused":
                break
        await desk.settled(loop)
        found = desk.evaluation(loop)
        return None if found is None else found[1]

    async def moving(self, loop: str = "TIC-303", **changes: object) -> float:
        """A test that moves the output; returns where it was before."""
        self.line.tuning.start(loop, TestWish(kind=Kind.STEP, **changes), **WHO)  # type: ignore[arg-type]
        await self.until(lambda: self.stage(loop) in ("moving", None))
        assert self.stage(loop) == "moving", self.line.tuning.view(loop)["last_test"]["why"]
        await self.line.clock.sleep(10.0)
        return float(self.line.tuning.view(loop)["last_test"]["start_output"])

    async def begin(self, fault: str) -> None:
        if fault == "heater trip":
            self.twin.floor.cabinets["drying"].plc.heater_tripped = True
            return
        await self.twin.floor.faults.begin(read_fault(fault, self.twin.floor.cabinets))


def on_shift(play: Callable[[Shift], Awaitable[None]], **values: float) -> None:
    """Play a scene in a running recipe; what must always hold is watched meanwhile."""

    async def main() -> None:
        twin = Twin(Trial(RECIPE, seed=1, values=values, watched=True))
        shift = Shift(twin)
        passing = asyncio.create_task(twin.pass_time(), name="plant")
        try:
            async with twin.line as line:
                await line.ready()
                await line.runs.start(RECIPE, values, who="operator:test", run_id="r")
                await play(shift)
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
        assert twin.watchman is not None
        assert twin.watchman.breaches == []

    run_virtual(main())


def state_of(line: Line, loop: str) -> tuple[Mode, float, IsaGains]:
    return line.bank.mode_of(loop), float(line.bank.show()[f"{loop}.SP"]), line.bank.gains_of(loop)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_air_loop_is_found_and_given_back(kind: Kind) -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        before = state_of(shift.line, "TIC-303")
        found = await shift.tested("TIC-303", TestWish(kind=kind))
        assert found, found and found.found
        process = found.found.process  # type: ignore[union-attr]
        # K/% of the simulated heater and duct; a relay sees what its walls let through within minutes.
        assert 1.7 <= process.gain <= 6.0 or process.integrating
        assert 0.2 <= found.candidates[0].gains.k <= 3.0
        assert state_of(shift.line, "TIC-303") == before
        assert shift.kinds() == ["tuning.started", "tuning.ended", "tuning.offered"]
        offered = shift.events[[event.kind for event in shift.events].index("tuning.offered")]
        assert offered.data["model"]["gain"] == process.gain
        assert offered.data["gains"]["k"] == found.candidates[0].gains.k
        start = shift.line.tuning.view("TIC-303")["last_test"]["start_output"]
        assert shift.line.bank.show()["TIC-303.OP"] == pytest.approx(start, abs=4.0)
        await shift.line.clock.sleep(300.0)
        assert abs(shift.line.image.latest("TT-303").number - 96.0) < 3.0
        assert shift.line.runs.state is RunState.RUNNING

    on_shift(play, **HOT)


@pytest.mark.parametrize(
    "wish",
    [
        TestWish(kind=Kind.DOUBLET, size=8.0, pv_limit=2.0, periods=2, longest_s=3000.0),
        TestWish(kind=Kind.STEP, size=10.0, pv_limit=2.0),
        TestWish(kind=Kind.RELAY, size=10.0, pv_limit=2.0, longest_s=3000.0),
    ],
    ids=["doublet", "step", "relay"],
)
def test_the_moisture_loop_moves_the_air_loops_set_point(wish: TestWish) -> None:
    """The load wanders as much as the answer does: a sensible model, or an honest refusal, and never harm."""

    async def play(shift: Shift) -> None:
        await shift.cascade(300.0)
        before = state_of(shift.line, "MIC-306")
        inner = state_of(shift.line, "TIC-303")
        desk = shift.line.tuning
        desk.start("MIC-306", wish, **WHO)
        moved = 0.0
        while shift.stage("MIC-306") is not None:
            shown = shift.line.bank.show()
            if shift.stage("MIC-306") == "moving":
                moved = max(moved, abs(float(shown["TIC-303.SP"]) - desk.view("MIC-306")["last_test"]["start_output"]))
                assert shown["TIC-303.SP"] == pytest.approx(shown["MIC-306.OP"], abs=1.1)
            await shift.line.clock.sleep(1.0)
        await desk.settled("MIC-306")
        if desk.view("MIC-306")["last_test"]["state"] != "refused":
            assert moved >= 0.4 * (wish.size or 0.0)
        assert state_of(shift.line, "MIC-306") == before
        assert state_of(shift.line, "TIC-303")[0] is inner[0] is Mode.CAS
        found = desk.evaluation("MIC-306")
        if found is not None and found[1]:
            assert found[1].found.process.gain < 0.0  # type: ignore[union-attr]
            assert 0.5 < -found[1].candidates[0].gains.k < 20.0
        assert shift.line.runs.state is RunState.RUNNING

    on_shift(play, **{**VALUES, "root_kg": 1000.0}, moisture_sp=12.0)


def test_the_outer_loop_follows_while_its_inner_loop_is_under_test() -> None:
    async def play(shift: Shift) -> None:
        await shift.cascade(300.0)
        await shift.moving()
        out = shift.line.bank.outputs["MIC-306"]
        assert out.following
        assert out.output == pytest.approx(shift.line.bank.outputs["TIC-303"].sp)
        shift.line.tuning.abort("TIC-303", **WHO)
        await shift.until(lambda: shift.stage("TIC-303") is None, 60.0)
        await shift.line.clock.sleep(3.0)
        assert not shift.line.bank.outputs["MIC-306"].following
        assert shift.line.bank.mode_of("TIC-303") is Mode.CAS
        desk = shift.line.tuning  # the model decides the moisture: no gains of the PID prove themselves meanwhile
        desk.apply("MIC-306", gains=IsaGains(200.0, 10.0), **WHO)
        await shift.line.clock.sleep(30.0)
        trial = desk.view("MIC-306")["trial"]
        assert (trial["in_use"], trial["in_control_s"]) == (False, 0.0)

    on_shift(play, **{**VALUES, "root_kg": 200.0})


def test_an_abort_brings_output_mode_and_gains_back() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        before = state_of(shift.line, "TIC-303")
        start = await shift.moving()
        assert shift.line.bank.show()["TIC-303.OP"] == pytest.approx(start + 5.0)
        assert shift.line.bank.show()["TIC-303.TEST"] == 3
        shift.line.tuning.abort("TIC-303", who="operator:wang", reason="the customer is here")
        led: list[float] = []
        while shift.stage("TIC-303") is not None:
            await shift.line.clock.sleep(1.0)
            led.append(float(shift.line.bank.show()["TIC-303.OP"]))
        assert any(abs(op - start) < 0.6 for op in led)
        assert state_of(shift.line, "TIC-303") == before
        ended = next(e for e in shift.events if e.kind == "tuning.aborted")
        assert "operator:wang: the customer is here" in ended.text
        assert ended.data["who"] == "operator:wang"

    on_shift(play, **HOT)


def test_a_loop_under_test_refuses_people_and_gives_way_to_the_recipe() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        await shift.moving()
        line = shift.line
        for tag, value in (("TIC-303.MODE", 0), ("TIC-303.SP", 90.0), ("TIC-303.K", 2.0), ("TV-303", 10.0)):
            receipt = await line.gate.submit(Command(tag, value, "operator:wang", "impatient"))
            assert not receipt.ok
            assert "loop under test" in receipt.reason
        with pytest.raises(StateError, match="under test already"):
            line.tuning.start("TIC-303", TestWish(), **WHO)
        with pytest.raises(StateError, match="loop under test"):
            line.tuning.apply("TIC-303", gains=IsaGains(1.0, 50.0), **WHO)
        with pytest.raises(StateError, match="loop under test"):
            line.tuning.revert("TIC-303", **WHO)
        assert shift.stage("TIC-303") == "moving"
        receipt = await line.gate.submit(Command("TIC-303.SP", 90.0, "recipe:drying", "recipe"))
        assert receipt.ok
        assert line.tuning.view("TIC-303")["last_test"]["end"] == "aborted"
        await line.clock.sleep(3.0)
        assert line.bank.show()["TIC-303.SP"] == 90.0

    on_shift(play, **HOT)


def test_a_pv_limit_ends_it_and_the_loop_goes_on() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        before = state_of(shift.line, "TIC-303")
        shift.line.tuning.start("TIC-303", TestWish(kind=Kind.STEP, size=20.0, pv_limit=3.0), **WHO)
        await shift.until(lambda: shift.stage("TIC-303") is None)
        row = shift.line.tuning.view("TIC-303")["last_test"]
        assert row["end"] in ("aborted", "done")  # its soft limit may have ended the leg before
        assert abs(shift.line.image.latest("TT-303").number - 96.0) < 12.0
        assert state_of(shift.line, "TIC-303") == before

    on_shift(play, **HOT)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("nan:drying:TT-303", "not GOOD"),
        ("heater trip", "tripped"),
        ("silent:drying", "cannot be written to"),
        ("reboot:drying", ""),
    ],
)
def test_whatever_breaks_in_the_middle_the_test_ends_and_safe_outputs_hold(fault: str, told: str) -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        gains = shift.line.bank.gains_of("TIC-303")
        await shift.moving()
        await shift.begin(fault)
        await shift.until(lambda: shift.stage("TIC-303") is None, 120.0)
        row = shift.line.tuning.view("TIC-303")["last_test"]
        assert row["end"] == "aborted"
        assert told in row["why"]
        await shift.until(lambda: shift.line.runs.state is RunState.HELD, 400.0)
        await shift.line.clock.sleep(60.0)
        assert shift.line.bank.gains_of("TIC-303") == gains
        assert shift.line.bank.tests.running == {}
        with pytest.raises(StateError, match="run is Held"):
            shift.line.tuning.start("TIC-303", TestWish(), **WHO)

    on_shift(play, **HOT)


def test_hold_in_the_middle_makes_the_line_safe_at_once() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        await shift.moving()
        await shift.line.runs.command("r", "hold", who="operator:wang", reason="belt slips")
        await shift.until(lambda: shift.line.runs.state is RunState.HELD, 60.0)
        assert shift.stage("TIC-303") is None
        assert shift.line.tuning.view("TIC-303")["last_test"]["end"] == "aborted"
        await shift.line.clock.sleep(5.0)
        assert shift.line.image.latest("TV-303").value == 0.0
        assert shift.line.bank.mode_of("TIC-303") is Mode.MAN

    on_shift(play, **HOT)


def test_nobody_looks_and_the_line_stops() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        await shift.moving(lease_s=150.0)
        await shift.until(lambda: shift.stage("TIC-303") is None, 300.0)
        assert "has not looked" in shift.line.tuning.view("TIC-303")["last_test"]["why"]
        await shift.line.clock.sleep(400.0)
        await shift.moving()  # and the controller is ended in the middle of this one

    on_shift(play, **HOT)


def test_bad_gains_are_taken_back_by_themselves_and_good_ones_stay() -> None:
    async def play(shift: Shift) -> None:
        await shift.hot()
        desk, bank = shift.line.tuning, shift.line.bank
        old = bank.gains_of("TIC-303")
        outputs = [float(bank.show()["TIC-303.OP"])]
        desk.apply("TIC-303", gains=IsaGains(15.0, 15.0), who="operator:li", reason="bad on purpose")
        assert bank.gains_of("TIC-303").k == 15.0
        while desk.view("TIC-303")["trial"] is not None:
            await shift.line.clock.sleep(1.0)
            outputs.append(float(bank.show()["TIC-303.OP"]))
        assert bank.gains_of("TIC-303") == old
        assert max(abs(b - a) for a, b in pairwise(outputs)) <= 2.0 + 1e-6
        event = next(e for e in shift.events if e.kind == "tuning.taken_back")
        assert event.data["new"]["k"] == old.k
        assert event.data["old"]["k"] == 15.0
        assert event.data["reason"]
        with pytest.raises(StateError, match="no gains were applied"):
            desk.revert("TIC-303", **WHO)
        await shift.line.clock.sleep(400.0)
        assert abs(shift.line.image.latest("TT-303").number - 96.0) < 2.0
        desk.apply("TIC-303", gains=IsaGains(1.1, 70.0, b=0.6), who="operator:li", reason="a little quicker")
        await shift.until(lambda: desk.view("TIC-303")["trial"] is None)
        assert bank.gains_of("TIC-303").k == 1.1
        assert "tuning.held" in shift.kinds()
        assert desk.view("TIC-303")["differs_from_line_file"]
        desk.revert("TIC-303", **WHO)
        assert bank.gains_of("TIC-303") == old
        assert not desk.view("TIC-303")["differs_from_line_file"]

    on_shift(play, **HOT)


def test_what_cannot_be_is_refused_with_its_reason() -> None:
    async def play(shift: Shift) -> None:
        desk = shift.line.tuning
        await shift.hot()
        for loop, wish, error, told in (
            ("XIC-9", TestWish(), ConfigError, "no loop 'XIC-9'"),
            ("MIC-306", TestWish(), StateError, "not GOOD"),
            ("TIC-303", TestWish(size=0.0), ConfigError, "size"),
            ("TIC-303", TestWish(pv_limit=-1.0), ConfigError, "pv_limit"),
        ):
            with pytest.raises(error, match=told):
                desk.start(loop, wish, **WHO)
        for command in (desk.abort, desk.accept, desk.revert):
            with pytest.raises(StateError):
                command("TIC-303", **WHO)
        with pytest.raises(StateError, match="no test of this loop"):
            desk.apply("TIC-303", candidate="best", **WHO)
        for gains in (IsaGains(-1.0, 50.0), IsaGains(1.0), IsaGains(1e5, 50.0)):
            with pytest.raises(ConfigError, match="is not accepted"):
                desk.apply("TIC-303", gains=gains, **WHO)
        assert desk.evaluation("TIC-303") is None
        assert shift.kinds() == []
        asked = plan_of(shift.line, "MIC-306", TestWish(pv_low=2.0, pv_high=16.0))
        assert (asked.pv_low, asked.pv_high) == (8.0, 14.0), "no wish goes beyond a critical limit"
        with pytest.raises(LineError):
            desk.view("XIC-9")

    on_shift(play, **HOT)
