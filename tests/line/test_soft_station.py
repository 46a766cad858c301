from __future__ import annotations

import asyncio

import pytest

from linecontrol.core.clock import Clock
from linecontrol.core.errors import DeviceRefused
from linecontrol.core.image import LosslessFeed, ProcessImage
from linecontrol.core.model import DataType, Status, Tag, Text, Value
from linecontrol.line.soft import SoftStation
from linecontrol.twin.loop import run_virtual

TAGS = [Tag(name, "line", Text(name, name), "", DataType.FLOAT64, name) for name in ("MODE", "SP")]


def test_what_is_shown_is_published_whole_with_the_time_of_the_cycle() -> None:
    async def work() -> None:
        image, feed = ProcessImage(TAGS), LosslessFeed()
        image.attach(feed)
        soft = SoftStation("line", TAGS, image, Clock(epoch=100.0))
        soft.show({"MODE": 2}, 100.0)
        assert image.latest("MODE") == (2, Status.GOOD, 100.0)
        assert image.latest("SP") == (None, Status.BAD_WAITING_FOR_INITIAL_DATA, 100.0)
        soft.show({"SP": 13.5}, 101.0)
        soft.show({"MODE": None}, 102.0)
        assert image.latest("SP") == (13.5, Status.GOOD, 102.0)
        assert image.latest("MODE") == (None, Status.BAD, 102.0)
        with pytest.raises(KeyError, match="no such tag"):
            soft.show({"SP": 14.0, "no such tag": 1}, 103.0)
        assert image.latest("SP").value == 13.5
        assert [(scan.station, scan.time, len(scan.samples)) for scan in feed.drain()] == [
            ("line", 100.0, 2),
            ("line", 101.0, 2),
            ("line", 102.0, 2),
        ]

    run_virtual(work())


def test_a_written_value_is_seen_by_the_program_before_it_is_kept() -> None:
    seen: list[tuple[str, Value]] = []

    def on_write(name: str, value: Value) -> None:
        seen.append((name, value))
        if value == 99:
            raise DeviceRefused("not that")

    async def work() -> None:
        image = ProcessImage(TAGS)
        soft = SoftStation("line", TAGS, image, Clock(epoch=100.0), on_write=on_write)
        await asyncio.sleep(1.0)
        assert await soft.write("MODE", 3) == image.latest("MODE") == (3, Status.GOOD, 101.0)
        with pytest.raises(DeviceRefused, match="not that"):
            await soft.write("MODE", 99)
        with pytest.raises(KeyError):
            await soft.write("no such tag", 1)
        soft.show({"SP": 1.0}, 102.0)
        assert image.latest("MODE").value == 3
        assert seen == [("MODE", 3), ("MODE", 99)]

    run_virtual(work())


def test_without_a_cycle_its_tags_are_bad_for_everybody() -> None:
    async def work() -> None:
        image = ProcessImage(TAGS)
        soft = SoftStation("line", TAGS, image, Clock(epoch=100.0), stale_after_s=3.0)
        soft.show({"MODE": 2, "SP": 1.0}, 100.0)
        assert image.at("SP", 103.0).is_good
        assert image.at("SP", 103.5).status is Status.BAD_NO_COMMUNICATION

    run_virtual(work())
