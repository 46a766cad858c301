"""A device that lies. Whatever it sends: wrong data is never GOOD, nothing escapes, and the deadline holds."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
from link_bench import PATIENCE_S, open_files, quiet_loop, tag

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import Reading
from linecontrol.core.model import Status
from linecontrol.links.frames import crc, exception
from linecontrol.links.modbus import ModbusLink
from linecontrol.links.plan import Point
from linecontrol.links.settings import ModbusSettings

TIMEOUT_S = 0.25
HANG_UP = b"hang up"
Answer = bytes | list[bytes | float] | None  # bytes; or bytes and pauses [s] in turn; or nothing
Lie = Callable[[bytes], Answer]


def truth(request: bytes) -> bytes:
    """The right answer: register n holds 1000 + n; writes are echoed."""
    tid, unit, function = struct.unpack(">H4xBB", request[:8])
    if function in (3, 4):
        start, count = struct.unpack(">HH", request[8:12])
        body = bytes((2 * count,)) + struct.pack(f">{count}H", *(1000 + start + i & 0xFFFF for i in range(count)))
    else:
        body = request[8:12]
    return struct.pack(">HHHBB", tid, 0, len(body) + 2, unit, function) + body


def patched(frame: bytes, at: int, new: bytes) -> bytes:
    return frame[:at] + new + frame[at + len(new) :]


def with_pdu(request: bytes, pdu: bytes) -> bytes:
    return request[:2] + struct.pack(">HHB", 0, len(pdu) + 1, request[6]) + pdu


def as_rtu(frame: bytes) -> bytes:
    body = frame[6:]
    return body + crc(body).to_bytes(2, "little")


class Liar(asyncio.Protocol):
    """Answers every request as ``lie`` says; keeps what it still has to say for the next connection if asked to."""

    def __init__(self, device: LyingDevice) -> None:
        self.device = device

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.device.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        request = data if self.device.framer == "tcp" else b"\0\0\0\0\0\0" + data[:-2]
        answer = self.device.lie(request)
        if answer is not None:
            task = asyncio.get_running_loop().create_task(self.device.say(answer))
            self.device.tasks.add(task)
            task.add_done_callback(self.device.tasks.discard)


class LyingDevice:
    """Says everything on the newest connection, as a gateway to a slow device does."""

    def __init__(self, framer: Literal["tcp", "rtu"]) -> None:
        self.framer = framer
        self.lie: Lie = truth
        self.transports: list[Any] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def say(self, answer: bytes | list[bytes | float]) -> None:
        for part in answer if isinstance(answer, list) else [answer]:
            if isinstance(part, float):
                await asyncio.sleep(part)
            elif part == HANG_UP:
                self.transports[-1].close()
            elif not self.transports[-1].is_closing():
                self.transports[-1].write(part if self.framer == "tcp" else as_rtu(part))

    async def start(self) -> None:
        self.server = await asyncio.get_running_loop().create_server(lambda: Liar(self), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        for transport in self.transports:
            transport.abort()
        await self.server.wait_closed()
        await asyncio.sleep(0)

    def link(self, *registers: int) -> ModbusLink:
        points = [Point(tag(f"h{r}", "uint16"), "holding", r) for r in registers]
        return ModbusLink(ModbusSettings(port=self.port, framer=self.framer, timeout_s=TIMEOUT_S), points)


@pytest.fixture
async def device() -> AsyncIterator[LyingDevice]:
    async with quiet_loop():
        made = LyingDevice("tcp")
        await made.start()
        yield made
        await made.stop()


@pytest.fixture
async def rtu_device() -> AsyncIterator[LyingDevice]:
    async with quiet_loop():
        made = LyingDevice("rtu")
        await made.start()
        yield made
        await made.stop()


def assert_true_or_bad(readings: dict[str, Reading]) -> int:
    """No reading is wrong and not bad; returns how many are good."""
    for name, reading in readings.items():
        if reading.value is not None or reading.status >> 30 < 2:
            assert reading == (1000 + int(name[1:]), Status.GOOD, None)
    return sum(reading.status is Status.GOOD for reading in readings.values())


async def read_or_error(link: ModbusLink) -> dict[str, Reading] | LinkError:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await link.read()
    except (LinkDown, LinkTimeout) as error:
        return error


IGNORED: dict[str, Lie] = {  # not the answer: waited past, to the deadline
    "tid + 5": lambda q: patched(truth(q), 0, struct.pack(">H", struct.unpack(">H", q[:2])[0] + 5)),
    "tid 0": lambda q: patched(truth(q), 0, b"\0\0"),
    "nothing": lambda _: None,
    "half a frame": lambda q: truth(q)[:9],
    "one byte a second": lambda q: [p for byte in truth(q) for p in (bytes((byte,)), 1.0)],
    "one byte, often": lambda q: [p for byte in truth(q) for p in (bytes((byte,)), 0.1)],
}
REFUSED: dict[str, Lie] = {  # an answer, in step, but wrong: its tags are bad, the connection stays
    "short count": lambda q: with_pdu(q, bytes((3, 2, 4, 5))),
    "byte count says more than there is": lambda q: with_pdu(q, bytes((3, 6, 4, 5, 6, 7))),
    "one register more": lambda q: with_pdu(q, bytes((3, 6, 4, 5, 6, 7, 8, 9))),
    "an odd byte more": lambda q: with_pdu(q, bytes((3, 4, 4, 5, 6, 7, 8))),
    "no registers": lambda q: with_pdu(q, bytes((3, 0))),
    "wrong function": lambda q: patched(truth(q), 7, b"\x04"),
    "wrong function, refused": lambda q: with_pdu(q, bytes((0x84, 2))),
    "wrong unit": lambda q: patched(truth(q), 6, b"\x02"),
    "unit 0": lambda q: patched(truth(q), 6, b"\x00"),
    "function 0x80": lambda q: with_pdu(q, bytes((0x80, 1))),
    "long refusal": lambda q: with_pdu(q, bytes((0x83, 2, 0, 0))),
}
LOST: dict[str, Lie] = {  # not Modbus: the connection is closed
    "length 0": lambda q: patched(truth(q), 4, b"\0\0"),
    "length 1": lambda q: patched(truth(q), 4, b"\0\1"),
    "length 65535": lambda q: patched(truth(q), 4, b"\xff\xff"),
    "protocol 1": lambda q: patched(truth(q), 2, b"\0\1"),
    "web server": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("lie", IGNORED)
async def test_what_is_not_the_answer_ends_in_a_timeout(device: LyingDevice, lie: str) -> None:
    link = device.link(4, 5)
    await link.open()
    device.lie = IGNORED[lie]
    assert isinstance(await read_or_error(link), LinkTimeout)
    assert link.counters.timeouts == 1
    device.lie = truth
    await link.open()
    assert assert_true_or_bad(await link.read()) == 2
    await link.close()


@pytest.mark.parametrize("lie", REFUSED)
async def test_a_wrong_answer_is_bad_and_the_rest_goes_on(device: LyingDevice, lie: str) -> None:
    link = device.link(4, 5, 20)
    await link.open()
    device.lie = lambda q: REFUSED[lie](q) if q[8:10] == b"\0\4" else truth(q)
    for _ in range(2):
        readings = await link.read()
        assert readings["h4"] == readings["h5"] == (None, Status.BAD_COMMUNICATION_ERROR, None)
        assert readings["h20"] == (1020, Status.GOOD, None)
    assert link.counters.bad_frames == 2
    assert link.counters.connects == 1
    device.lie = truth
    assert assert_true_or_bad(await link.read()) == 3
    await link.close()


@pytest.mark.parametrize("lie", LOST)
async def test_a_stream_out_of_step_is_closed_at_once(device: LyingDevice, lie: str) -> None:
    link = device.link(4, 5)
    await link.open()
    device.lie = LOST[lie]
    assert isinstance(await read_or_error(link), LinkDown)
    assert link.counters.bad_frames == 1
    assert link.counters.timeouts == 0
    with pytest.raises(LinkDown, match="not connected"):
        await link.read()
    device.lie = truth
    await link.open()
    assert assert_true_or_bad(await link.read()) == 2
    await link.close()


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 10, 11, 0, 7, 99, 255])
async def test_every_exception_code_makes_its_block_bad(device: LyingDevice, code: int) -> None:
    link = device.link(4, 5, 20)
    await link.open()
    device.lie = lambda q: with_pdu(q, bytes((q[7] | 0x80, code))) if q[8:10] != b"\0\x14" else truth(q)
    readings = await link.read()
    assert readings["h4"] == readings["h5"] == (None, exception(code)[0], None)
    assert readings["h20"] == (1020, Status.GOOD, None)
    assert link.counters.exceptions >= 1
    with pytest.raises(DeviceRefused, match=f"exception {code}"):
        await link.write("h4", 1)
    await link.close()


async def test_a_late_answer_is_never_taken_for_the_next(device: LyingDevice) -> None:
    link = device.link(4, 20)
    for _ in range(3):
        await link.open()
        device.lie = lambda q: [1.2 * TIMEOUT_S, truth(q)]
        assert isinstance(await read_or_error(link), LinkTimeout)
        device.lie = truth
        await link.open()  # the device says its late answer on the new connection
        for _ in range(20):
            assert assert_true_or_bad(await link.read()) == 2
            await asyncio.sleep(0.01)
    await link.close()


async def test_a_late_answer_before_the_right_one_is_passed_over(device: LyingDevice) -> None:
    link = device.link(4, 20)
    await link.open()
    before: list[bytes] = [b"\0\0\0\0\0\5\1\3\2\xde\xad"]

    def lie(request: bytes) -> Answer:
        right = truth(request)
        late, before[0] = before[0], right
        return late + right

    device.lie = lie
    for _ in range(5):
        assert assert_true_or_bad(await link.read()) == 2
    assert link.counters.bad_frames == 10
    await link.close()


async def test_bytes_after_the_answer_are_never_taken_for_the_next(device: LyingDevice) -> None:
    link = device.link(4, 20)
    device.lie = lambda q: truth(q) + truth(patched(q, 8, b"\x22\x22"))
    for _ in range(20):
        await link.open()
        for _ in range(3):
            readings = await read_or_error(link)
            if isinstance(readings, dict):
                assert_true_or_bad(readings)
    await link.close()


async def test_a_late_answer_on_an_rtu_line_is_never_taken_for_the_next(rtu_device: LyingDevice) -> None:
    """No transaction id, equal length, and the gateway says it on the new connection: only waiting helps."""
    link = rtu_device.link(4, 20)
    for _ in range(2):
        await link.open()
        rtu_device.lie = lambda q: [1.5 * TIMEOUT_S, truth(q)]
        assert isinstance(await read_or_error(link), LinkTimeout)
        rtu_device.lie = truth
        await link.open()
        for _ in range(5):
            assert assert_true_or_bad(await link.read()) == 2
    await link.close()


@pytest.mark.parametrize("lie", ["short count", "wrong function", "wrong unit", "an odd byte more"])
async def test_a_wrong_rtu_answer_is_never_good(rtu_device: LyingDevice, lie: str) -> None:
    link = rtu_device.link(4, 5)
    await link.open()
    rtu_device.lie = REFUSED[lie]
    assert isinstance(await read_or_error(link), LinkTimeout)
    rtu_device.lie = truth
    await link.open()
    assert assert_true_or_bad(await link.read()) == 2
    await link.close()


def nonsense(dice: random.Random, request: bytes) -> bytes:
    """A frame that is right, nearly right, or noise. ``random``: seeded, so that a failure can be repeated."""
    frame = bytearray(truth(request))
    kind = dice.randrange(8)
    if kind == 0:
        return dice.randbytes(dice.randrange(1, 300))
    if kind == 1:
        del frame[dice.randrange(len(frame)) :]
    elif kind == 2:
        frame += dice.randbytes(dice.randrange(1, 20))
    elif kind == 3:
        frame[dice.randrange(9)] ^= dice.randrange(1, 256)  # header, function or byte count
    elif kind == 4:
        at = dice.randrange(8)
        frame[at:at] = dice.randbytes(dice.randrange(1, 4))
    elif kind == 5:
        return with_pdu(request, dice.randbytes(dice.randrange(1, 60)))
    elif kind == 6:
        return bytes(frame) * 2
    return bytes(frame)


@pytest.mark.parametrize(("framer", "frames"), [("tcp", 2000), ("rtu", 400)])
async def test_fuzz(framer: Literal["tcp", "rtu"], frames: int) -> None:
    """Seeded nonsense. A changed value byte cannot be told on TCP, which has no checksum: values are left alone."""
    async with quiet_loop():
        device = LyingDevice(framer)
        await device.start()
        dice = random.Random(20_260_000 + frames)
        sent = 0

        def lie(request: bytes) -> Answer:
            nonlocal sent
            sent += 1
            frame = nonsense(dice, request)
            return [frame, 0.002, HANG_UP]  # so that an incomplete frame needs no deadline to end it

        device.lie = lie
        points = [Point(tag(f"h{r}", "uint16"), "holding", r) for r in (4, 5, 20, 40)]
        timeout_s = 0.02  # RTU waits twice as long again after every failure
        link = ModbusLink(ModbusSettings(port=device.port, framer=framer, timeout_s=timeout_s), points)
        good = failed = 0
        files = open_files()
        while sent < frames or (not good and sent < 4 * frames):  # on a busy computer many true answers come too late
            try:
                await link.open()
                good += assert_true_or_bad(await link.read())
            except (LinkDown, LinkTimeout):
                failed += 1
        assert good > 0
        assert failed > frames // 20
        assert link.counters.bad_frames > 0
        await link.close()
        await device.stop()
        assert open_files() <= files
