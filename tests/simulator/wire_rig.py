"""What the wire tests share: a stand-in plant, a running simulation, bare foreign clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import yaml
from asyncua import Client
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from simulator.profile import Line, read_line, shipped_folder
from simulator.simulation import Simulation, url_of
from simulator.yaml_text import load_yaml

DEMO = shipped_folder() / "lines" / "demo.yaml"
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml when it is there
INPUTS = [
    "SC-101", "SC-103", "FV-104", "XC-109", "XS-101",
    "SC-201", "FV-203", "FV-204", "SC-206", "XC-209", "XS-201",
    "SC-302", "TV-303", "SC-307", "XV-312", "XS-301",
]  # fmt: skip
SENSORS = {
    "WT-101": 300.0, "WT-102": 812.5, "WQ-102": 1234.56, "AT-106": 21.5, "ST-103": 12.0, "FT-104": 2.5,
    "JT-201": 14.25, "ST-201": 1500.0, "LT-205": 55.0, "MT-207": 38.5, "AT-209": 1.25, "DT-204": 1060.0,
    "TT-303": 120.0, "TT-305": 50.0, "MT-306": 13.1, "ZT-312": 1.0,
}  # fmt: skip


class StandInPlant:
    """No physics: sensors show what a test puts into them."""

    def __init__(self) -> None:
        self.inputs = dict.fromkeys(INPUTS, 0.0)
        self.sensors = dict(SENSORS)
        self.steps = 0

    def step(self, dt_s: float) -> None:
        assert 0.0 < dt_s <= 1.0
        self.steps += 1

    def measure(self) -> dict[str, float]:
        return dict(self.sensors)

    def truth(self) -> dict[str, object]:
        return {"steps": self.steps}


def write_line(folder: Path, change: Callable[[dict[str, dict[str, Any]]], None]) -> Path:
    """A copy of the demo's station and line files in ``folder``, changed: keys are the station names and ``demo``."""
    shipped = DEMO.parents[1] / "stations"
    files = {name: load_yaml((shipped / f"{name}.yaml").read_text("utf-8")) for name in STATIONS}
    files["demo"] = load_yaml(DEMO.read_text("utf-8"))
    change(files)
    for kind in ("stations", "lines"):
        (folder / kind).mkdir(exist_ok=True)
    for name, content in files.items():
        kind = "lines" if name == "demo" else "stations"
        text = yaml.dump(content, Dumper=_DUMPER, allow_unicode=True, sort_keys=False)
        (folder / kind / f"{name}.yaml").write_text(text, "utf-8")
    return folder / "lines" / "demo.yaml"


STATIONS = ("screening", "grinding", "drying")


def only(line: Line, *names: str) -> Line:
    """The same line with these stations alone; building an OPC UA server takes seconds."""
    return Line(line.name, tuple(station for station in line.stations if station.name in names))


@contextlib.asynccontextmanager
async def running(path: Path = DEMO, *names: str, speed: float = 20.0, **more: Any) -> AsyncIterator[Simulation]:
    """A simulation on free ports, with time passing."""
    line = read_line(path)
    line = only(line, *names) if names else line
    ports = {station.name: 0 for station in line.stations}
    simulation = Simulation(line, StandInPlant(), speed=speed, ports=ports, **more)
    await simulation.start()
    task = asyncio.create_task(simulation.run())
    try:
        yield simulation
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await simulation.stop()


@contextlib.asynccontextmanager
async def modbus(simulation: Simulation, station: str, rtu: bool = False) -> AsyncIterator[AsyncModbusTcpClient]:
    gate = simulation.cabinets[station].face.gate
    framer = FramerType.RTU if rtu else FramerType.SOCKET
    client = AsyncModbusTcpClient(gate.host, port=gate.port, framer=framer, timeout=1.0, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def opcua(simulation: Simulation, station: str = "drying") -> AsyncIterator[tuple[Client, int]]:
    """A connected client and the index of the station's namespace."""
    cabinet = simulation.cabinets[station]
    client = Client(url_of(cabinet), timeout=2)
    await client.connect()
    try:
        yield client, await client.get_namespace_index(cabinet.station.namespace)
    finally:
        with contextlib.suppress(Exception):
            await client.disconnect()


async def until(claim: Callable[[], bool], real_s: float = 5.0) -> None:
    """Wait for something that cannot be awaited; fails after ``real_s``."""
    deadline = asyncio.get_running_loop().time() + real_s
    while not claim():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.005)
