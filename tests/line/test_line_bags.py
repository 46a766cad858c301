"""The controller killed with a bag at the spout: the bag goes on with the run, to its end; its evidence is sound."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from line_rig import Controller, line_file, simulator

from linecontrol.history import open_reader
from linecontrol.history.trace import bags_of_lot, traced
from linecontrol.history.verify import verify

SPEED = 120.0
SOON = {"warm_up_per_min": 40, "start_level": 4, "root_kg": 150}
"""The first powder comes soon."""


async def bags_of(controller: Controller, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await controller.ask("GET", f"/runs/{run_id}/bags")).json()["bags"]
    return found


async def until_bag(controller: Controller, run_id: str, least_kg: float) -> dict[str, Any]:
    async with asyncio.timeout(90.0):
        while True:
            bags = await bags_of(controller, run_id)
            if bags and bags[-1]["weight_kg"] >= least_kg:
                return bags[-1]
            await asyncio.sleep(0.1)


async def command(controller: Controller, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
    """Ask until the stations are claimed."""
    async with asyncio.timeout(60.0):
        while True:
            answer = await controller.ask("POST", path, body)
            if answer.status_code == status:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 409, answer.text
            await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_an_open_bag_survives_the_controller(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with simulator(SPEED) as sim:
        line = line_file(tmp_path, sim.endpoints)
        first = Controller(line, data, SPEED)
        await first.start()
        lot = {"lot_id": "west", "species": "lobata", "received_kg": 900, "who": "li"}
        assert (await first.ask("POST", "/lots", lot)).status_code == 201
        wish = {"recipe": "kudzu-lobata-standard", "who": "li", "lot": "west", "run_id": "r", "values": SOON}
        await first.start_run(wish)
        before = await until_bag(first, "r", 2.0)
        await first.kill()

        second = Controller(line, data, SPEED)
        await second.start()
        try:
            await second.until_view(lambda view: view["state"] == "Held")
            (bag,) = await bags_of(second, "r")
            assert bag["bag_id"] == before["bag_id"]
            assert bag["is_open"]
            assert bag["weight_kg"] >= before["weight_kg"] - 0.5  # what was saved last
            await command(second, "/runs/r/commands", {"command": "restart", "who": "li"}, 200)
            await second.until_view(lambda view: view["state"] == "Running")
            grown = await until_bag(second, "r", before["weight_kg"] + 2.0)
            assert grown["bag_id"] == before["bag_id"]
            ended = await second.until_view(lambda view: view["state"] in ("Complete", "Held", "Stopped", "Aborted"))
            assert ended["state"] == "Complete", ended["reason"]
            async with asyncio.timeout(60.0):
                while any(bag["is_open"] for bag in await bags_of(second, "r")):
                    await asyncio.sleep(0.1)
        finally:
            assert await second.stop() == 0
    with open_reader(f"sqlite:///{data / 'history.sqlite3'}") as reader:
        found = traced(reader, "r")
        run = reader.run("r")
        assert run is not None
        assert sum(bag.weight_kg for bag in found.bags) == pytest.approx(run.record["powder_kg"], abs=0.5)
        assert found.bags[0].status == "held"  # made while nobody could look at it
        assert 0.5 < run.record["extraction_yield"] < 0.95
        _, bags = bags_of_lot(reader, "west")
        assert [one.bag.bag_id for one in bags] == [bag.bag_id for bag in found.bags]
        assert verify(reader).findings == []
