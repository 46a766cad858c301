"""A served line whose dryer is hot and at rest, for the tests of tuning."""

from __future__ import annotations

import asyncio
from typing import Any

from line_rig import Controller

RUN = {
    "recipe": "kudzu-lobata-standard",
    "values": {"root_kg": 5000, "start_level": 300, "warm_up_per_min": 40},
    "who": "li",
}


async def hot(controller: Controller) -> None:
    """A run is started and its dryer is hot and at rest, waiting for wet cake."""
    while any(s["objection"] for s in (await controller.ask("GET", "/status")).json()["stations"].values()):
        await asyncio.sleep(0.1)
    await controller.start_run(RUN)
    await controller.until_view(lambda view: view["units"]["drying"]["phase"] == "cake")
    began = (await loop(controller))["pv"]
    assert began is not None
    at_rest = 0
    while at_rest < 40:
        view = await loop(controller)
        at_rest = at_rest + 1 if abs(view["pv"] - view["sp"]) < 1.0 else 0
        await asyncio.sleep(0.1)


async def loop(controller: Controller) -> dict[str, Any]:
    found: dict[str, Any] = (await controller.ask("GET", "/tuning/TIC-303")).json()
    return found
