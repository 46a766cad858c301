"""Two controllers at one line are refused. One killed in the middle of a run: nothing is lost, the run is Held and says
why, Restart goes on."""

import asyncio
import csv
from pathlib import Path
from typing import Any

import pytest
from line_rig import PATIENCE_S, Controller, demo_at, driven, line_file, simulator, started, until

from linecontrol.core.errors import StateError
from linecontrol.core.model import Sample
from linecontrol.history import open_reader
from linecontrol.line import runs
from linecontrol.line.runs import RunDirector
from linecontrol.recipe.engine import Engine

SPEED = 60.0
SOON = {"warm_up_per_min": 40, "root_kg": 1000}  # hot soon, and roots enough for as long as a busy machine takes


async def feeding(controller: Controller, least_kg: float) -> None:
    await controller.until_view(lambda view: (view["record"]["root_kg"] or 0) > least_kg)


@pytest.mark.timeout(300)
async def test_no_second_controller_beside_one_that_lives_and_the_next_after_a_kill_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "sequence.csv"
    data = tmp_path / "data"
    async with simulator(SPEED, ["--sequence-log", str(log)]) as sim:
        line = line_file(tmp_path, sim.endpoints)
        first = Controller(line, data, SPEED)
        await first.start()
        started = await start_run(first)
        run_id = started["run_id"]
        await feeding(first, 1.0)
        early = (await first.ask("GET", "/tags/SEQ-100")).json()["value"]
        await feeding(first, 20.0)
        await others_refuse(line, tmp_path / "two", first)
        before = await first.run_view()
        await first.kill()  # a crashed holder's lock is taken over

        second = Controller(line, data, SPEED)
        await second.start()
        try:
            held = await second.until_view(lambda view: view["state"] == "Held" and view["record"]["lot"] == "A-17")
            assert held["run_id"] == run_id
            assert (await second.run_view())["record"]["season"] == "2026-winter"
            assert "controller stopped at" in held["reason"]
            assert "Restart" in held["reason"]
            assert held["since"] is not None
            assert held["record"]["root_kg"] >= before["record"]["root_kg"]  # totals are continuous
            heater = (await second.ask("GET", "/tags/TV-303")).json()
            assert heater["value"] == 0.0  # heat does not come back by itself
            refused = await second.ask("POST", "/runs", {"recipe": "kudzu-lobata-standard"})
            assert refused.status_code == 409
            assert run_id in refused.json()["detail"]

            await restart(second, run_id)
            await second.until_view(lambda view: view["state"] == "Running")
            resumed = await second.until_view(lambda view: view["record"]["root_kg"] > held["record"]["root_kg"] + 5)
            assert resumed["record"]["samples"] > held["record"]["samples"]
            stopped = await second.ask("POST", f"/runs/{run_id}/commands", {"command": "stop", "who": "li"})
            assert stopped.status_code == 200
            await second.until_view(lambda view: view["state"] == "Stopped")
        finally:
            assert await second.stop() == 0
    with open_reader(f"sqlite:///{data / 'history.sqlite3'}") as reader:
        row = reader.run(run_id)
        assert row is not None
        assert row.state == "Stopped"
        kinds = [event.kind for event in reader.events(limit=10_000)]
        assert kinds.count("historian.started") == 2
        tags = [f"{name}-{station}" for name in ("SEQ", "CHK") for station in (100, 200, 300)]
        nothing_lost_but_in_the_gap(reader.samples(tags, 0.0, hold=False), log, early)


def nothing_lost_but_in_the_gap(found: dict[str, list[Sample]], log: Path, early: int) -> None:
    """What is recorded against what the simulator has written down itself, outside our code."""
    written: dict[str, dict[int, int]] = {}
    with log.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            written.setdefault(row["station"], {})[int(row["seq"])] = int(row["check"])
    for station, number in (("screening", 100), ("grinding", 200), ("drying", 300)):
        rows, checks = found[f"SEQ-{number}"], found[f"CHK-{number}"]
        values = [int(row.value) for row in rows if row.is_good and row.value is not None]
        assert values == sorted(set(values)), "twice, or out of order"
        assert [row.time for row in rows] == [row.time for row in checks], "torn"
        pairs = {
            int(row.value or 0): int(check.value or 0) for row, check in zip(rows, checks, strict=True) if row.is_good
        }
        assert pairs.items() <= written[station].items(), "not what the PLC had"
        gaps = [at for at, row in enumerate(rows) if not row.is_good]
        (gap,) = gaps  # one row without a value, where the recording ended
        assert rows[gap - 1].is_good
        assert rows[gap + 1].is_good
        if station == "screening":
            assert int(rows[gap - 1].value or 0) >= early, "what had been shown long before the kill is there"


async def start_run(controller: Controller) -> dict[str, Any]:
    """Start as soon as the stations are claimed."""
    lot = {"lot_id": "A-17", "species": "lobata", "received_kg": 1200.0, "season": "2026-winter", "who": "li"}
    assert (await controller.ask("POST", "/lots", lot)).status_code == 201
    wish = {"recipe": "kudzu-lobata-standard", "who": "li", "lot": "A-17", "values": SOON}
    return await controller.start_run(wish)


async def restart(controller: Controller, run_id: str) -> None:
    """Restart as soon as the stations are claimed; until then the refusal names the one that is not."""
    async with asyncio.timeout(60):
        while True:
            answer = await controller.ask("POST", f"/runs/{run_id}/commands", {"command": "restart", "who": "li"})
            if answer.status_code == 200:
                return
            assert answer.status_code == 409, answer.text
            assert "no Restart yet: " in answer.json()["detail"]
            await asyncio.sleep(0.1)


async def others_refuse(line: Path, folder: Path, holder: Controller) -> None:
    """Another state folder stands for another machine: the lock file is not seen, the moving heartbeat is."""
    here = Controller(line, folder, SPEED)
    there = Controller(line, folder, SPEED, state=folder / "elsewhere")
    for second, told in ((here, f"process {holder.process.pid} of"), (there, "another controller (token")):
        await second.start()
        assert await second.ended() == 3
        assert told in "".join(second.said)
        assert (await holder.run_view())["state"] == "Running"


async def test_no_run_begins_while_one_of_before_is_being_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two engines on one plant would drive against each other."""
    may_go_on = asyncio.Event()

    async def slow(_runs: RunDirector) -> None:
        await may_go_on.wait()

    monkeypatch.setattr(RunDirector, "unfinished", slow)
    monkeypatch.setattr(runs, "LOOK_BACK_S", 0.2)
    async with simulator(SPEED) as sim, driven(demo_at(sim.endpoints), tmp_path, SPEED) as line:
        with pytest.raises(StateError, match="still being taken up"):
            await line.runs.start("kudzu-lobata-standard", {}, who="operator:test")
        assert line.runs.engine is None
        monkeypatch.setattr(runs, "LOOK_BACK_S", PATIENCE_S)
        starting = asyncio.create_task(line.runs.start("kudzu-lobata-standard", {}, who="operator:test"))
        await asyncio.sleep(0)
        may_go_on.set()
        assert (await starting)["state"] == "Running"


async def test_a_history_that_takes_nothing_keeps_no_machine_on_when_the_controller_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_engine: Engine) -> bool:
        await asyncio.Event().wait()
        return False

    async with simulator(SPEED) as sim:
        async with driven(demo_at(sim.endpoints), tmp_path, SPEED) as line:
            await started(line, "kudzu-lobata-standard", dict(SOON), "operator:test")
            await until(lambda: line.image.at("TV-303", line.clock.now()).number > 0.0)
            monkeypatch.setattr(Engine, "save", never)
        assert line.image.latest("TV-303").value == 0.0
        with open_reader(f"sqlite:///{tmp_path / 'history.sqlite3'}") as reader:
            last = max((row for row in reader.commands(limit=200, tag="TV-303") if row.ok), key=lambda row: row.time)
        assert (last.command.who, last.readback) == ("system", 0.0)


async def test_sigterm_leaves_safe_outputs_and_exits_cleanly(tmp_path: Path) -> None:
    async with simulator(SPEED) as sim:
        controller = Controller(line_file(tmp_path, sim.endpoints), tmp_path / "data", SPEED)
        await controller.start()
        await start_run(controller)
        await controller.until_view(lambda view: view["units"]["drying"]["phase"] == "hot")
        assert await controller.stop() == 0
        with open_reader(f"sqlite:///{tmp_path / 'data' / 'history.sqlite3'}") as reader:
            written = {
                r.command.tag: r.readback for r in reader.commands(limit=200) if r.command.who == "system" and r.ok
            }
        assert {tag: written[tag] for tag in ("SC-101", "TV-303", "SC-302", "FV-203")} == {
            "SC-101": 0,
            "TV-303": 0,
            "SC-302": 0,
            "FV-203": 0,
        }
