"""Outputs of a resting run are brought to rest again, whichever station comes back and whenever it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from linecontrol.config import read_line
from linecontrol.core.model import Event
from linecontrol.line.rest import RestKeeper
from linecontrol.recipe.states import RunState


class RestingLine:
    """What the keeper asks of a line; ``drive`` takes until it is let go."""

    def __init__(self, state: RunState | None) -> None:
        self.config = read_line("demo")
        self.clock = SimpleNamespace(patience=lambda line_s, _real_s: line_s, now=lambda: 0.0)
        self.runs = SimpleNamespace(state=state, engine=None)
        self.driven: list[set[str]] = []
        self.told: list[Event] = []
        self.may_end = asyncio.Event()

    def emit(self, event: Event) -> None:
        self.told.append(event)

    async def drive(self, _kind: str, _reason: str, is_meant: Callable[[str], bool]) -> None:
        self.driven.append({name for name in self.config.stations if is_meant(name)})
        await self.may_end.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_second_station_that_comes_back_while_the_first_is_written_to_is_not_forgotten() -> None:
    """As after a power cut of the network switch, when all of them do."""
    line = RestingLine(RunState.COMPLETE)
    keeper = RestKeeper(cast(Any, line))
    keeper.came_back("drying")
    keeper.tick(0.0)
    await settled()
    keeper.came_back("grinding")
    keeper.tick(1.0)
    keeper.came_back("screening")
    keeper.tick(2.0)
    await settled()
    assert line.driven == [{"drying"}]
    line.may_end.set()
    await settled()
    keeper.tick(3.0)
    await settled()
    assert line.driven == [{"drying"}, {"grinding", "screening"}]
    keeper.tick(4.0)
    await settled()
    assert len(line.driven) == 2


async def test_a_station_that_comes_back_in_a_run_is_the_runs_business() -> None:
    line = RestingLine(RunState.RUNNING)
    keeper = RestKeeper(cast(Any, line))
    keeper.came_back("drying")
    keeper.tick(0.0)
    line.runs.state = RunState.COMPLETE
    keeper.tick(1.0)
    await settled()
    assert line.driven == []
