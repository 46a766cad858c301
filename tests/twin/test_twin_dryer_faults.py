"""The technician's table of what the dryer does when something fails, row by row on the twin."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from short_run import VALUES as SHORT

from linecontrol.twin import trial as twin_trial
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.trial import Trial, Twin

GUIDE = Path(__file__).parents[2] / "docs" / "technician.md"
# Dries from about 900 s, with its moisture controlled from 970 s, until well after the outputs are looked at.
VALUES = {**SHORT, "root_kg": 200.0, "centrifuge_runout_s": 420.0}
BEGINS_S, LATER_S = 1150.0, 300.0
STEP_S = 1.0  # of the twin
ROW = re.compile(r"^\| (?P<fails>.*) \| `(?P<fault>[^`]+)` \| (?P<rest>.*) \|$", re.MULTILINE)
TABLE = [(row["fault"], *row["rest"].split(" | ")) for row in ROW.finditer(GUIDE.read_text(encoding="utf-8"))]
GATE = {0: "good", 1: "rework"}


async def outputs_after(fault: str) -> tuple[dict[str, float], dict[str, float], str]:
    """Outputs of the drying PLC just before and five minutes after a fault began, and the state of the run."""
    trial = Trial("kudzu-lobata-standard", values=VALUES, faults=(f"{fault}@{BEGINS_S:.0f}",))
    twin = Twin(trial)
    passing = asyncio.create_task(twin.pass_time())
    try:
        async with twin.line as line:
            await line.ready()
            await line.runs.start(trial.recipe, trial.values, who="operator:auto", run_id="run")
            plc, found = twin.floor.cabinets["drying"].plc, []
            for at in (BEGINS_S - STEP_S, BEGINS_S + LATER_S):
                await asyncio.sleep(at - asyncio.get_running_loop().time())
                found.append({name: float(plc.registers[name]) for name in ("TV-303", "SC-302", "XV-312")})
            state = line.runs.state
            assert state is not None
            return found[0], found[1], state.value
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)


def test_the_guide_has_the_table() -> None:
    assert len(TABLE) >= 10
    assert twin_trial.STEP_S == STEP_S  # the times above are its steps


@pytest.mark.parametrize(("fault", "heater", "feed", "powder", "run"), TABLE, ids=[row[0] for row in TABLE])
def test_the_dryer_does_what_the_guide_says(fault: str, heater: str, feed: str, powder: str, run: str) -> None:
    before, after, state = run_virtual(outputs_after(fault))
    assert before["TV-303"] > 10.0  # it was drying
    assert before["SC-302"] > 10.0
    if heater == "0":
        assert after["TV-303"] == 0.0
    elif heater == "as it was":
        assert after["TV-303"] == pytest.approx(before["TV-303"], abs=2.0)
    else:
        assert heater.startswith("controlled")
        assert 10.0 < after["TV-303"] < 90.0
    assert after["SC-302"] == (0.0 if feed == "0" else before["SC-302"])
    assert GATE[int(after["XV-312"])] == (GATE[int(before["XV-312"])] if powder == "as it was" else powder)
    assert state == run
