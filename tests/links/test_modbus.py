"""What is special to the Modbus link: its errors, its plans, its tables. What all links share is in test_contract."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pymodbus.exceptions
import pytest
from link_bench import quiet_loop, tag
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from linecontrol.core.errors import ConfigError, LinkDown, LinkError
from linecontrol.core.model import Status
from linecontrol.links.modbus import ModbusLink
from linecontrol.links.modbus_wire import mapped
from linecontrol.links.plan import Point
from linecontrol.links.settings import ModbusSettings, SerialPort

ERRORS = {
    "ModbusException": LinkError,
    "ModbusIOException": LinkDown,
    "ConnectionException": LinkDown,
    "ParameterException": LinkError,
    "NoSuchIdException": LinkError,
    "NotImplementedException": LinkError,
    "MessageRegisterException": LinkError,
}


def test_every_pymodbus_exception_is_mapped() -> None:
    found = {
        name: kind
        for name, kind in inspect.getmembers(pymodbus.exceptions, inspect.isclass)
        if issubclass(kind, ModbusException)
    }
    assert set(found) == set(ERRORS), "pymodbus has other exceptions now: map them"
    for name, kind in found.items():
        assert type(mapped(kind("why"), "here")) is ERRORS[name]
        assert "here" in str(mapped(kind("why"), "here"))
    assert type(mapped(ConnectionResetError("why"), "here")) is LinkDown


class Device:
    """A real server with holes: holding 0-9, 20-29 and 40-49 exist, 25 can be made to fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.refuse: dict[int, ExcCodes] = {}

    async def start(self) -> None:
        holding = [
            SimData(start, values=list(range(start, start + 10)), datatype=DataType.UINT16) for start in (0, 20, 40)
        ]
        bits = [SimData(0, values=[i % 3 == 0 for i in range(32)], datatype=DataType.BITS)]
        inputs = [SimData(0, values=[100, 101], datatype=DataType.UINT16)]
        device = SimDevice(id=3, action=self._act, simdata=(bits, bits, holding, inputs))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", 0))
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        await self._server.shutdown()

    async def _act(self, function: int, _start: int, address: int, count: int, _now: Any, _new: Any) -> ExcCodes | None:
        self.asked.append((function, address, count))
        return next((code for at, code in self.refuse.items() if address <= at < address + count), None)

    def link(self, *points: Point, **settings: Any) -> ModbusLink:
        return ModbusLink(ModbusSettings(port=self.port, unit=3, timeout_s=1.0, **settings), points)


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    async with quiet_loop():
        made = Device()
        await made.start()
        yield made
        await made.stop()


def holding(*registers: int) -> list[Point]:
    return [Point(tag(f"h{r}", "uint16"), "holding", r) for r in registers]


async def test_a_block_refused_for_its_hole_is_split_there_and_that_is_remembered(device: Device) -> None:
    link = device.link(*holding(0, 9, 20, 29), max_gap_words=20)
    await link.open()
    assert {n: r.value for n, r in (await link.read()).items()} == {"h0": 0, "h9": 9, "h20": 20, "h29": 29}
    blocks = link.counters.requests
    device.asked.clear()
    await link.read()
    assert link.counters.requests - blocks == 4
    assert [(at, count) for _, at, count in device.asked] == [(0, 1), (9, 1), (20, 1), (29, 1)]
    await link.open()
    await link.read()
    assert link.counters.requests - blocks - 4 == 5, "asked afresh after an open"
    await link.close()


async def test_only_the_tags_really_refused_are_bad(device: Device) -> None:
    device.refuse[25] = ExcCodes.ILLEGAL_ADDRESS
    link = device.link(*holding(*range(20, 30)))
    await link.open()
    for _ in range(2):
        readings = await link.read()
        assert {n for n, r in readings.items() if r.status is not Status.GOOD} == {"h25"}
        assert readings["h25"].status is Status.BAD_NODE_ID_UNKNOWN
    await link.close()


async def test_an_area_refused_whole_is_not_asked_for_piece_by_piece_each_scan(device: Device) -> None:
    for register in range(20, 30):
        device.refuse[register] = ExcCodes.ILLEGAL_ADDRESS
    link = device.link(*holding(*range(20, 30)))
    await link.open()
    await link.read()
    before = link.counters.requests
    for _ in range(10):
        assert {r.status for r in (await link.read()).values()} == {Status.BAD_NODE_ID_UNKNOWN}
    assert link.counters.requests - before == 10
    device.refuse.clear()
    assert {r.status for r in (await link.read()).values()} == {Status.GOOD}
    await link.close()


async def test_a_part_that_fails_otherwise_leaves_the_plan_alone(device: Device) -> None:
    link = device.link(*holding(0, 1, 20, 21))
    await link.open()
    device.refuse[20] = ExcCodes.DEVICE_BUSY
    readings = await link.read()
    assert [readings[n].status for n in ("h0", "h1")] == [Status.GOOD, Status.GOOD]
    assert [readings[n].status for n in ("h20", "h21")] == [Status.BAD_TIMEOUT, Status.BAD_TIMEOUT]
    device.refuse.clear()
    before = link.counters.requests
    assert {r.status for r in (await link.read()).values()} == {Status.GOOD}
    assert link.counters.requests - before == 2
    await link.close()


async def test_blocks_keep_to_the_limits_of_the_device(device: Device) -> None:
    link = device.link(*holding(*range(10)), max_read_words=4)
    await link.open()
    assert {n: r.value for n, r in (await link.read()).items()} == {f"h{i}": i for i in range(10)}
    assert [count for _, _, count in device.asked] == [4, 4, 2]
    await link.close()


async def test_all_four_tables(device: Device) -> None:
    points = [Point(tag(f"c{i}", "bool"), "coil", i) for i in (0, 1, 17)]
    points += [Point(tag("d3", "bool"), "discrete", 3), Point(tag("i1", "uint16"), "input", 1), *holding(2)]
    link = device.link(*points, max_gap_words=16)
    await link.open()
    values = {n: r.value for n, r in (await link.read()).items()}
    assert values == {"c0": True, "c1": False, "c17": False, "d3": True, "i1": 101, "h2": 2}
    await link.write("c17", True)
    await link.write("c0", False)
    assert {n: r.value for n, r in (await link.read(["c0", "c17"])).items()} == {"c0": False, "c17": True}
    await link.close()


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (Point(tag("T", "uint16"), "input", 0), "input cannot be written"),
        (Point(tag("T", "bool"), "discrete", 0), "discrete cannot be written"),
        (Point(tag("T", "bool", bit=2), "holding", 0), "one bit of a register"),
        (Point(tag("T", "float64"), "holding", 0), "4 registers; the device takes 2"),
    ],
)
async def test_what_cannot_be_written_is_never_sent(device: Device, point: Point, text: str) -> None:
    link = device.link(point, max_write_words=2)
    await link.open()
    with pytest.raises(LinkError, match=text):
        await link.write("T", 1)
    assert device.asked == []
    await link.close()


@pytest.mark.parametrize(("word", "byte"), [("high_first", "big"), ("low_first", "big"), ("high_first", "little")])
async def test_writes_in_the_order_of_the_device(device: Device, word: Any, byte: Any) -> None:
    point = Point(tag("T", "float32"), "holding", 0)
    link = device.link(point, Point(tag("a", "uint16"), "holding", 0), word_order=word, byte_order=byte)
    await link.open()
    await link.write("T", 123456.0)
    assert (await link.read())["T"].value == 123456.0
    raw = ModbusLink(ModbusSettings(port=device.port, unit=3), holding(0, 1))
    await raw.open()
    words = [r.value for r in (await raw.read(["h0", "h1"])).values()]
    golden = {"high_firstbig": [0x47F1, 0x2000], "low_firstbig": [0x2000, 0x47F1], "high_firstlittle": [0xF147, 0x0020]}
    assert sorted(map(str, words)) == sorted(map(str, golden[word + byte]))
    assert (await raw.read(["h0"]))["h0"].value == golden[word + byte][0]
    await raw.close()
    await link.close()


async def test_silence_between_requests_is_kept(device: Device) -> None:
    link = device.link(*holding(0, 20), inter_frame_s=0.05)
    await link.open()
    loop = asyncio.get_running_loop()
    start = loop.time()
    await link.read()
    assert loop.time() - start >= 0.05
    await link.close()


async def test_the_reason_for_no_connection_is_told() -> None:
    link = ModbusLink(ModbusSettings(port=1, timeout_s=1.0), [])
    with pytest.raises(LinkDown, match="nothing listens there: the PLC's server is off"):
        await link.open()
    port = ModbusLink(ModbusSettings(serial=SerialPort("/dev/no-such-port"), timeout_s=1.0), [])
    with pytest.raises(LinkDown, match=r"no-such-port.*its adapter is not plugged in"):
        await port.open()


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": 256},
        {"max_read_words": 126},
        {"max_write_words": 0},
        {"timeout_s": 0.0},
        {"max_gap_words": -1},
        {"ram_write_offset": 65536},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ModbusSettings(**wrong)
