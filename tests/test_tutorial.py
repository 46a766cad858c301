"""The tuning tutorial: its commands as written, one after the other, on a served line that is hot and at rest."""

import asyncio
from pathlib import Path

import pytest
from line_rig import Controller, line_file, simulator
from test_docs import ROOT, commands, run
from tuning_rig import hot, loop

TUTORIAL = ROOT / "docs" / "tutorial-tuning.md"
SPEED = 60.0


@pytest.mark.timeout(300)
async def test_the_tutorial_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "build").mkdir()
    async with simulator(SPEED) as sim:
        controller = Controller(line_file(tmp_path, sim.endpoints), tmp_path / "data", SPEED)
        await controller.start()
        try:
            await hot(controller)
            for line in commands(TUTORIAL):
                await run(line, TUTORIAL, {}, tmp_path)
                if "on purpose" in line:
                    while (await loop(controller))["trial"] is not None:
                        await asyncio.sleep(0.1)
            view = await loop(controller)
            kinds: list[str] = []
            while kinds[:1] != ["tuning.taken_back"]:  # recorded a moment after it has been done
                events = (await controller.ask("GET", "/events?limit=1000")).json()
                kinds = [event["kind"] for event in events if event["source"] == "TIC-303"]
                await asyncio.sleep(0.1)
        finally:
            assert await controller.stop() == 0
    assert (tmp_path / "build" / "tic-303.png").stat().st_size > 10_000
    assert view["gains"]["k"] != 20.0
    assert view["differs_from_line_file"]
    assert kinds.count("tuning.accepted") == 3
    assert kinds.count("tuning.reverted") == 1
