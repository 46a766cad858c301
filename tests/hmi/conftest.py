"""One line, display and browser for all tests of a file: what costs most is their start."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hmi_rig import Stage, stage

SPEED = 60.0
"""Of real time. A file whose tests wait for no run says SPEED itself: a slow plant costs little."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Simulator, controller and display."""
    async with stage(tmp_path_factory.mktemp("line"), getattr(request.module, "SPEED", SPEED)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def line(served: Stage) -> AsyncIterator[Stage]:
    """The same for one test, which finds it at rest."""
    await served.at_rest()
    yield served
