"""Late laboratory values on the twin: a meter that reads wrong no longer makes wet powder."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from short_run import VALUES

from linecontrol.line.assembly import Line
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.operators import Attendant
from linecontrol.twin.trial import Trial, Twin

TRIAL = Trial(
    "kudzu-lobata-standard", values={**VALUES, "root_kg": 450.0}, faults=("offset:drying:MT-306=-0.9",), watched=True
)
EVERY_S, LATE_S = 300.0, 600.0


class Laboratory(Attendant):
    """Takes a sample every five minutes; its oven is ten minutes late and ±0.1 wrong."""

    def __init__(self, twin: Twin, run_id: str, *, enters: bool) -> None:
        super().__init__(twin.line, run_id, "operator:li")
        self._twin, self._enters, self._rng = twin, enters, Random(5)
        self._next, self._oven = 0.0, list[tuple[float, float]]()
        self.true: list[tuple[float, float]] = []
        self.rows: list[dict[str, Any]] = []

    async def look(self) -> None:
        now, moisture = self.line.clock.now(), self._twin.judge.powder_pct_wb()
        if math.isnan(moisture):
            return
        self.true.append((now, moisture))
        if now >= self._next:
            self._next = now + EVERY_S
            self._oven.append((now, moisture + self._rng.gauss(0.0, 0.1)))
        if self._enters and self._oven and now - self._oven[0][0] >= LATE_S:
            at, value = self._oven.pop(0)
            self.rows.append(await self.line.lab.add("MT-306", value, sampled_at=at, who="li"))


@dataclass
class Seen:
    lab: Laboratory
    biases: list[dict[str, Any]]
    breaches: list[Any]
    truth: dict[str, float]


def run(*, enters: bool) -> Seen:
    async def whole() -> Seen:
        twin = Twin(TRIAL)
        passing = asyncio.create_task(twin.pass_time())
        try:
            line: Line
            async with twin.line as line:
                await line.ready()
                await line.runs.start(TRIAL.recipe, TRIAL.values, who="operator:li", run_id="r")
                lab = Laboratory(twin, "r", enters=enters)
                working = asyncio.create_task(lab.work())
                await asyncio.wait({working, passing}, return_when=asyncio.FIRST_COMPLETED)
                biases = line.lab.biases()
            assert twin.watchman is not None
            return Seen(lab, biases, list(twin.watchman.breaches), twin.judge.verdict())
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)

    return run_virtual(whole())


@pytest.mark.timeout(240)
def test_late_values_bring_a_wrong_meters_powder_back_below_the_limit() -> None:
    without, with_lab = run(enters=False), run(enters=True)
    for seen in (without, with_lab):
        assert seen.breaches == []

    def late(seen: Seen) -> float:
        last = seen.lab.true[-1][0]
        values = [m for at, m in seen.lab.true if last - 1500.0 <= at <= last - 300.0]
        return sum(values) / len(values)

    assert late(without) > 13.4  # the meter says 12.8
    # What is left is the doubt of ten values and the swings of twenty minutes.
    assert abs(late(with_lab) - 12.8) < 0.55
    (bias,) = with_lab.biases
    sensors_bias = -0.9
    assert abs(bias["bias"] - sensors_bias) < 0.45  # and the instrument's own calibration error, of 0.2
    assert bias["values_used"] >= 2
    assert late(with_lab) < late(without) - 0.4
    assert with_lab.truth["wet_in_good_kg"] == 0.0
