from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from link_bench import BENCHES, Bench, quiet_loop, server_process

FAULTY = [name for name in BENCHES if name != "soft"]
WIRED = [name for name in FAULTY if name != "modbus-serial"]


@pytest.fixture(scope="session")
def device_ports() -> Iterator[dict[str, int]]:
    """Ports of real Modbus and OPC UA servers in another process."""
    with server_process() as (_, ports):
        yield ports


@asynccontextmanager
async def made(name: str, ports: dict[str, int]) -> AsyncIterator[Bench]:
    async with quiet_loop():
        bench = BENCHES[name](ports)
        await bench.start()
        yield bench
        await bench.stop()


@pytest.fixture(params=list(BENCHES))
async def bench(request: pytest.FixtureRequest, device_ports: dict[str, int]) -> AsyncIterator[Bench]:
    """Every wire in turn, with a real device at its end."""
    async with made(request.param, device_ports) as bench:
        yield bench


@pytest.fixture(params=FAULTY)
async def faulty(request: pytest.FixtureRequest, device_ports: dict[str, int]) -> AsyncIterator[Bench]:
    """Every wire that can fail."""
    async with made(request.param, device_ports) as bench:
        yield bench


@pytest.fixture(params=WIRED)
async def wired(request: pytest.FixtureRequest, device_ports: dict[str, int]) -> AsyncIterator[Bench]:
    """Every wire with a connection that can be lost."""
    async with made(request.param, device_ports) as bench:
        yield bench
