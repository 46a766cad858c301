"""Background writes: one at a time for a tag, and the last wish is written, whatever was under way when it came."""

import asyncio

from linecontrol.core.clock import Clock
from linecontrol.core.gate import CommandGate
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Command, DataType, Sample, Status, Tag, Text, Value
from linecontrol.line.outputs import Writes

VALVE = Tag("TV-1", "s", Text("x", "x"), "%", DataType.FLOAT64, "D1", low=0, high=100, writable=True)


class SlowDevice:
    """A station that takes a write when the test lets it."""

    def __init__(self) -> None:
        self.written: list[Value] = []
        self.turn = asyncio.Event()

    def why_not_write(self) -> str | None:
        return None

    async def write(self, _name: str, value: Value) -> Sample:
        await self.turn.wait()
        self.written.append(value)
        return Sample(value, Status.GOOD, 0.0)


def build(shown: float) -> tuple[Writes, SlowDevice]:
    image, device = ProcessImage([VALVE]), SlowDevice()
    image.publish(Scan("s", 0.0, {"TV-1": Sample(shown, Status.GOOD, 0.0)}))
    return Writes(CommandGate(image, {"s": device}, Clock(), lambda _: None), image), device


def wish(writes: Writes, *values: float) -> None:
    for value in values:
        writes.submit(Command("TV-1", value, "loop:TIC-1"))


async def test_the_last_wish_follows_the_write_under_way_and_those_between_are_left_out() -> None:
    writes, device = build(30.0)
    wish(writes, 20.0, 10.0, 5.0, 0.0)
    device.turn.set()
    await writes.settle()
    assert device.written == [20.0, 0.0]


async def test_the_same_wish_again_is_one_write() -> None:
    writes, device = build(30.0)
    wish(writes, 20.0, 20.0, 20.0)
    device.turn.set()
    await writes.settle()
    assert device.written == [20.0]


async def test_a_wish_to_go_back_is_written_though_the_image_still_shows_it() -> None:
    writes, device = build(30.0)
    wish(writes, 20.0, 30.0)
    device.turn.set()
    await writes.settle()
    assert device.written == [20.0, 30.0]


async def test_what_the_device_shows_is_not_written_again() -> None:
    writes, device = build(30.0)
    device.turn.set()
    wish(writes, 30.0)
    await writes.settle()
    assert device.written == []


async def test_a_wish_does_not_outlive_the_safe_outputs_that_overrule_it() -> None:
    writes, device = build(30.0)
    wish(writes, 20.0, 25.0)
    writes.forget(["TV-1"])
    device.turn.set()
    await writes.settle()
    assert device.written == [20.0]
