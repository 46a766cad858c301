"""What a brand file forbids is never asked of the device, and its way past wearing memory is taken. A real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from link_bench import quiet_loop, tag
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from linecontrol.config import StationConfig, Table, parse_endpoint, read_line
from linecontrol.config.brand import Brand
from linecontrol.core.clock import Clock
from linecontrol.core.errors import ConfigError, LinkError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Status, Tag
from linecontrol.core.station import Station
from linecontrol.line.links import link_for
from linecontrol.links.modbus import ModbusLink

RAM = 0x8000
READ, WRITE_ONE, WRITE_MANY = 3, 6, 16


class Drive:
    """Keeps 0x0000-0x001F in memory that wears out; 0x8000 above each lies a way to write it in RAM, not readable.

    0x2000-0x201F are commands, as in the GD350 manual p. 317: the offset is for parameters only.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.worn_writes = 0

    async def start(self) -> None:
        cells = [SimData(at, values=[0] * 32, datatype=DataType.UINT16) for at in (0, 0x2000, RAM)]
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(id=1, action=self._act, simdata=(bits, bits, cells, cells))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", 0))
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        await self._server.shutdown()

    async def _act(self, function: int, start: int, at: int, count: int, held: list[int], new: Any) -> ExcCodes | None:
        if function == READ:
            self.asked.append((function, at, count))
            return ExcCodes.ILLEGAL_ADDRESS if at + count > RAM else None
        if not new:
            return None  # the server looks at what it has just written
        self.asked.append((function, at, count))
        if at < 0x2000:
            self.worn_writes += 1
        if at >= RAM:
            held[at - RAM - start : at - RAM - start + count] = new
        return None

    def touched(self, *functions: int) -> set[int]:
        """Every register that requests of these kinds named."""
        return {at + i for function, at, count in self.asked if function in functions for i in range(count)}

    def config(self, registers: dict[int, str], **brand: Any) -> StationConfig:
        """A station of a brand with these facts, a writable tag ``r<register>`` at each register."""
        facts: dict[str, Any] = {
            "kind": "brand",
            "name": "drive",
            "title": "Drive",
            "protocol": "modbus",
            "source": "this test",
            "evidence": "standard",
            "verified_on_hardware": False,
            "max_gap_words": 30,
            **brand,
        }
        tags: tuple[Tag, ...] = tuple(tag(f"r{at}", kind, writable=True) for at, kind in registers.items())
        return replace(
            read_line("demo").stations["screening"],
            brand=Brand.model_validate(facts),
            endpoint=parse_endpoint(f"modbus-tcp://127.0.0.1:{self.port}?unit=1"),
            tags=tags,
            wires={f"r{at}": (Table.HOLDING, at) for at in registers},
        )


@pytest.fixture
async def drive() -> AsyncIterator[Drive]:
    async with quiet_loop():
        made = Drive()
        await made.start()
        yield made
        await made.stop()


def forbidden(first: int, last: int, access: str = "any") -> dict[str, Any]:
    return {"table": "holding", "first": first, "last": last, "access": access, "why": "reserved by the maker"}


WORN = {"wear_limited": [{"first": 0, "last": 0x1F, "why": "parameters lie in the EEPROM"}], "ram_write_offset": RAM}


async def read_all(config: StationConfig, parts: Sequence[str]) -> None:
    """Every tag, and parts of them, as scans and read-backs do."""
    link = link_for(config)
    await link.open()
    assert {reading.status for reading in (await link.read()).values()} == {Status.GOOD}
    assert {reading.status for reading in (await link.read(parts)).values()} == {Status.GOOD}
    for name in parts:
        await link.write(name, 1)
    await link.close()


async def test_no_request_touches_a_forbidden_register(drive: Drive) -> None:
    registers = {0: "uint16", 3: "float32", 8: "uint16", 12: "uint16", 16: "uint32"}
    never = [forbidden(5, 7), forbidden(10, 10)]
    await read_all(drive.config(registers, forbidden=never), ["r3", "r8", "r12"])
    assert not drive.touched(READ, WRITE_ONE, WRITE_MANY) & {5, 6, 7, 10}
    assert drive.asked[:3] == [(READ, 0, 5), (READ, 8, 1), (READ, 12, 6)], "no more requests than it takes"


async def test_without_forbidden_registers_the_holes_are_read_along(drive: Drive) -> None:
    registers = {0: "uint16", 3: "float32", 8: "uint16", 12: "uint16", 16: "uint32"}
    await read_all(drive.config(registers), ["r3", "r8", "r12"])
    assert drive.asked[0] == (READ, 0, 18)


async def test_what_must_only_not_be_written_is_read_along(drive: Drive) -> None:
    await read_all(drive.config({0: "uint16", 8: "uint16"}, forbidden=[forbidden(4, 4, "write")]), ["r8"])
    assert drive.asked[0] == (READ, 0, 9)


@pytest.mark.parametrize(
    ("registers", "facts", "text"),
    [
        ({4: "float32"}, {"forbidden": [forbidden(5, 5)]}, "r4: holding 4 must not be touched"),
        ({4: "uint16"}, {"forbidden": [forbidden(4, 4, "write")]}, "r4: holding 4 must not be written"),
        ({4: "uint16"}, {"forbidden": [forbidden(RAM, RAM + 9)], "write_policy": WORN}, "holding 32772 must not be"),
        (
            {0x9000: "uint16"},
            {"write_policy": {**WORN, "wear_limited": [{"first": 0x9000, "last": 0x9000, "why": "worn"}]}},
            "r36864: holding 69632, where it is written, is outside",
        ),
    ],
)
async def test_a_tag_where_none_may_be_is_refused(
    drive: Drive, registers: dict[int, str], facts: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        link_for(drive.config(registers, **facts))


async def test_a_tag_that_is_only_read_may_lie_where_nothing_is_written(drive: Drive) -> None:
    config = drive.config({4: "uint16"}, forbidden=[forbidden(4, 4, "write")])
    link = link_for(replace(config, tags=tuple(replace(tag, writable=False) for tag in config.tags)))
    await link.open()
    assert (await link.read())["r4"].status is Status.GOOD
    drive.asked.clear()
    with pytest.raises(LinkError, match="must not be written"):
        await link.write("r4", 1)
    assert drive.asked == []
    await link.close()


async def test_parameters_are_written_past_the_memory_that_wears_out(drive: Drive) -> None:
    config = drive.config({7: "uint16", 8: "float32", 0x2000: "uint16"}, write_policy=WORN)
    station = Station("s", link_for(config), config.tags, ProcessImage(config.tags), Clock(), scan_s=0.02)
    link = station.link
    assert isinstance(link, ModbusLink)
    await link.open()
    station.is_up = True
    assert (await station.write("r7", 1234)).value == 1234, "read back where it is read"
    assert (await station.write("r8", 12.5)).value == 12.5
    assert (await station.write("r8192", 5)).value == 5
    assert [(function, at) for function, at, _ in drive.asked] == [
        (WRITE_ONE, RAM + 7),
        (READ, 7),
        (WRITE_MANY, RAM + 8),
        (READ, 8),
        (WRITE_ONE, 0x2000),  # a command word has no memory behind it, and no address in RAM
        (READ, 0x2000),
    ]
    await link.read()
    assert max(drive.touched(READ)) < RAM
    assert drive.worn_writes == 0
    await link.close()


async def test_without_an_offset_the_register_itself_is_written(drive: Drive) -> None:
    link = link_for(drive.config({7: "uint16"}, write_policy={**WORN, "ram_write_offset": 0}))
    await link.open()
    await link.write("r7", 1)
    assert drive.asked == [(WRITE_ONE, 7, 1)]
    assert drive.worn_writes == 1
    await link.close()
