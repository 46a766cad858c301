"""Who stands at the line: nobody needed (``auto``), an honest operator (``manual``), one who lets it run (``hold``), a
technician who makes a record for commissioning (``test``), or one who does the checks of the HACCP plan (``checks``).

All answer a held run as a person would: wait until what held it is over, then Restart, and give up after a few
times. They act through the gate as every person does, and know only what a person there knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from linecontrol.control.loop import Mode
from linecontrol.core.errors import LineError, StateError
from linecontrol.core.model import Command, Value
from linecontrol.line.assembly import Line
from linecontrol.recipe.states import ENDED, RunState

POLICIES = ("auto", "manual", "hold", "test", "checks")
LOOK_EVERY_S = 5.0
RESTART_AFTER_S = 120.0  # a person needs that long to come, read and decide
MOST_RESTARTS = 6
GIVE_UP_AFTER_S = 3600.0  # held this long: the run is stopped

LAB_EVERY_S = 1200.0
CHECK_EVERY_S = 3600.0
SETTLED_S = 300.0  # powder has come for so long when it is first sampled
LAB_TAKES_S = 600.0  # moisture balance, and the way there and back
LAB_SD_PCT = 0.1  # % wb
INLET_PER_PCT = 5.0  # what experience says: K of inlet air for 1 % wb
MOST_LAB_STEP_K = 6.0
OUTLET_C = 47.0  # of the outlet air when powder was good on other days
OUTLET_PER_PCT = 2.5  # K warmer outlet air makes powder 1 % wb drier, as experience has it
OUTLET_LOOK_S = 180.0
OUTLET_BAND_K = 2.0
OUTLET_SHARE = 0.8
MOST_OUTLET_STEP_K = 3.0

TEST_AFTER_S = 1500.0  # of normal running before the first step test, and between tests
TEST_STEPS_K = (6.0, -6.0)  # of inlet air, one after the other, about where the loop had settled
TEST_STEP_S = 900.0


class Attendant:
    """Answers held runs; all that an automatic line needs of a person."""

    def __init__(self, line: Line, run_id: str, who: str) -> None:
        self.line, self.run_id, self.who = line, run_id, who
        self.restarts = 0
        self._held_since: float | None = None

    async def work(self) -> None:
        """Look every few seconds until the run has ended."""
        while self.line.runs.state not in ENDED:
            await self.line.clock.sleep(LOOK_EVERY_S)
            await self._answer_hold()
            await self.look()

    async def look(self) -> None:
        """What else this operator does at a look."""

    async def _answer_hold(self) -> None:
        now = self.line.clock.now()
        if self.line.runs.state is not RunState.HELD:
            self._held_since = None
            return
        self._held_since = self._held_since or now
        held_s = now - self._held_since
        if held_s >= GIVE_UP_AFTER_S or self.restarts >= MOST_RESTARTS:
            await self._give("stop", "it cannot be brought to run")
        elif held_s >= RESTART_AFTER_S:
            await self._reset()
            await self._give("restart", "")

    async def _reset(self) -> None:
        """Latched interlocks whose cause is gone, after a look at what had tripped them."""
        for row in self.line.interlocks.rows():
            if row["can_reset"]:
                await self.line.interlocks.reset(row["name"], self.who, "looked at")

    async def _give(self, command: str, reason: str) -> None:
        try:
            await self.line.runs.command(self.run_id, command, who=self.who, reason=reason)
        except (StateError, LineError):
            return  # not possible yet: look again later
        self.restarts += command == "restart"
        self._held_since = None

    async def submit(self, tag: str, value: Value, reason: str) -> bool:
        """A command as a person; True when it was done."""
        receipt = await self.line.gate.submit(Command(tag, value, self.who, reason))
        return receipt.ok


class Checker(Attendant):
    """Does what the HACCP plan asks of a shift: test pieces through the metal detector and an oven sample, each hour
    of drying; the oven's value comes ten minutes later. The first sample is of powder that has come for five minutes:
    the meter must have read it too.

    Args:
        powder_moisture: what a sample of the powder at the bags really has [% wb]; NaN when there is none.
        seed: of the oven's error.
    """

    def __init__(self, line: Line, run_id: str, who: str, powder_moisture: Callable[[], float], seed: int) -> None:
        super().__init__(line, run_id, who)
        self._powder_moisture = powder_moisture
        self._rng = Random(f"{seed}:laboratory")
        self._next = self._sample_next = -math.inf
        self._powder_since = math.nan
        self._pending: list[tuple[float, float, float]] = []
        guard, rows = line.config.line.guard, line.config.line.yield_
        self._tests = [row.name for row in guard.checks if row.kind == "verification"] if guard is not None else []
        self._meter = rows.powder_moisture if rows is not None else ""

    async def look(self) -> None:
        now, moisture = self.line.clock.now(), self._powder_moisture()
        if math.isnan(moisture):
            self._powder_since = math.nan
        elif self.line.runs.state is RunState.RUNNING:
            if math.isnan(self._powder_since):
                self._powder_since = now
            if now >= self._next:
                self._next = now + CHECK_EVERY_S
                for name in self._tests:
                    await self.line.checks.enter(name, "checks", result="passed")
            if now >= self._sample_next and now - self._powder_since >= SETTLED_S:
                self._sample_next = now + CHECK_EVERY_S
                if self.line.lab.is_checked(self._meter):
                    self._pending.append((now + LAB_TAKES_S, now, moisture + self._rng.gauss(0.0, LAB_SD_PCT)))
        if self._pending and now >= self._pending[0][0]:
            _, sampled_at, value = self._pending.pop(0)
            name = f"S{round(sampled_at)}"
            await self.line.lab.add(self._meter, value, sampled_at=sampled_at, who="checks", u=LAB_SD_PCT, lab_id=name)


class Holder(Attendant):
    """Takes the moisture loop into manual as soon as the recipe puts it in automatic, and leaves it where it stands."""

    def __init__(self, line: Line, run_id: str, who: str) -> None:
        super().__init__(line, run_id, who)
        rows = line.config.line.yield_
        loops = [row for row in line.config.line.loops if rows is not None and row.pv == rows.powder_moisture]
        if not loops:
            raise LineError(f"the line {line.config.line.name} has no moisture loop: only the policy auto is possible")
        self.loop = loops[0].name

    async def look(self) -> None:
        if self.line.bank.mode_of(self.loop) is not Mode.MAN:
            await self.submit(f"{self.loop}.MODE", int(Mode.MAN), "drying by hand")


class Hand(Holder):
    """Dries by hand: a lab sample every 20 minutes, whose result comes 10 minutes later, and the outlet temperature.

    Args:
        powder_moisture: what a sample of the powder at the bags really has [% wb]; NaN when there is none.
        outlet: tag of the outlet air temperature.
        seed: of the lab's error.
    """

    def __init__(
        self, line: Line, run_id: str, who: str, powder_moisture: Callable[[], float], outlet: str, seed: int
    ) -> None:
        super().__init__(line, run_id, who)
        self._powder_moisture = powder_moisture
        self._outlet = outlet
        self._rng = Random(f"{seed}:laboratory")
        self._drying_since: float | None = None
        self._next_sample = self._next_outlet = math.inf
        self._pending: list[tuple[float, float]] = []
        self._aim_c = OUTLET_C

    async def look(self) -> None:
        await super().look()
        now = self.line.clock.now()
        moisture = self._powder_moisture()
        if math.isnan(moisture) or self.line.runs.state is not RunState.RUNNING:
            self._drying_since = None
            return
        if self._drying_since is None:
            self._drying_since = now
            self._next_sample, self._next_outlet = now + 300.0, now + OUTLET_LOOK_S
            self._aim_c = OUTLET_C
        if now >= self._next_sample:
            self._next_sample = now + LAB_EVERY_S
            self._pending.append((now + LAB_TAKES_S, moisture + self._rng.gauss(0.0, LAB_SD_PCT)))
        if self._pending and now >= self._pending[0][0]:
            await self._correct_by_lab(self._pending.pop(0)[1])
        elif now >= self._next_outlet:
            self._next_outlet = now + OUTLET_LOOK_S
            await self._correct_by_outlet()

    def _outlet_c(self) -> float:
        return self.line.image.at(self._outlet, self.line.clock.now()).number

    async def _correct_by_lab(self, found_pct: float) -> None:
        engine = self.line.runs.engine
        aim_pct = float(engine.recipe.values.get("moisture_sp", 13.0)) if engine is not None else 13.0
        step_k = max(-MOST_LAB_STEP_K, min(MOST_LAB_STEP_K, (found_pct - aim_pct) * INLET_PER_PCT))
        if abs(found_pct - aim_pct) >= 0.3 and await self._move(step_k, f"laboratory: {found_pct:.1f} % wb"):
            self._aim_c += (found_pct - aim_pct) * OUTLET_PER_PCT

    async def _correct_by_outlet(self) -> None:
        off_k = self._aim_c - self._outlet_c()
        if abs(off_k) > OUTLET_BAND_K:  # False for NaN
            step_k = max(-MOST_OUTLET_STEP_K, min(MOST_OUTLET_STEP_K, off_k * OUTLET_SHARE))
            await self._move(step_k, f"outlet air {off_k:+.1f} K from where it was good")

    async def _move(self, step_k: float, reason: str) -> bool:
        tag = self.line.image.tags[f"{self.loop}.OP"]
        present = self.line.image.latest(tag.name).number
        if math.isnan(present):
            return False
        return await self.submit(tag.name, min(tag.high, max(tag.low, present + step_k)), reason)


class Tester(Holder):
    """Makes a record for commissioning: normal running, then a step test of the inlet air, and again.

    A test is what docs/moisture.md asks of a technician: the loop in MAN, the inlet air a step up, a step down and
    back, long enough for the powder to settle; then AUTO again.
    """

    def __init__(self, line: Line, run_id: str, who: str) -> None:
        super().__init__(line, run_id, who)
        self._auto_since: float | None = None
        self._base_c = math.nan
        self._step: int | None = None
        self._next = math.inf

    async def look(self) -> None:
        now, mode = self.line.clock.now(), self.line.bank.mode_of(self.loop)
        if self.line.runs.state is not RunState.RUNNING:
            self._auto_since = self._step = None
        elif self._step is not None:
            if mode is not Mode.MAN:  # the recipe or the plant has taken over
                self._auto_since = self._step = None
            elif now >= self._next:
                await self._go_on(now)
        elif mode is Mode.AUTO:
            self._auto_since = self._auto_since or now
            if now - self._auto_since >= TEST_AFTER_S:
                await self._begin(now)
        else:
            self._auto_since = None

    async def _begin(self, now: float) -> None:
        self._base_c = self.line.image.latest(f"{self.loop}.OP").number
        if not math.isnan(self._base_c) and await self.submit(f"{self.loop}.MODE", int(Mode.MAN), "step test"):
            self._step, self._next = -1, now + LOOK_EVERY_S

    async def _go_on(self, now: float) -> None:
        self._step = (self._step or 0) + 1 if self._step != -1 else 0
        self._next = now + TEST_STEP_S
        if self._step < len(TEST_STEPS_K):
            await self.submit(f"{self.loop}.OP", self._base_c + TEST_STEPS_K[self._step], "step test")
        elif self._step == len(TEST_STEPS_K):
            await self.submit(f"{self.loop}.OP", self._base_c, "step test: back")
        else:
            await self.submit(f"{self.loop}.MODE", int(Mode.AUTO), "step test done")
            self._auto_since = self._step = None
