"""The process image never passes an old value off as a good one, and its feeds keep their promises."""

import asyncio

import pytest

from linecontrol.core.image import LiveFeed, LosslessFeed, ProcessImage, Scan
from linecontrol.core.model import DataType, Quality, Sample, Status, Tag, Text

TAG = Tag("TT-1", "s", Text("x", "x"), "°C", DataType.FLOAT32, "D1")


def good(value: float, at: float) -> Scan:
    return Scan("s", at, {"TT-1": Sample(value, Status.GOOD, at)})


def test_unread_tag_is_bad_without_value() -> None:
    sample = ProcessImage([TAG]).latest("TT-1")
    assert (sample.value, sample.status.quality) == (None, Quality.BAD)


def test_a_silent_station_goes_bad_without_value() -> None:
    image = ProcessImage([TAG])
    image.set_stale_after("s", 3.0)
    image.publish(good(20.0, 100.0))
    assert image.at("TT-1", 102.9).value == 20.0
    late = image.at("TT-1", 103.1)
    assert (late.value, late.status) == (None, Status.BAD_NO_COMMUNICATION)
    assert late.time == 100.0  # its age goes on from the device's last word


def test_a_value_the_device_stamped_long_ago_is_good_while_the_device_answers() -> None:
    image = ProcessImage([TAG])
    image.set_stale_after("s", 3.0)
    image.publish(Scan("s", 500.0, {"TT-1": Sample(20.0, Status.GOOD, 100.0)}))
    assert image.at("TT-1", 501.0).value == 20.0


def test_unknown_and_duplicate_tags_are_errors() -> None:
    image = ProcessImage([TAG])
    with pytest.raises(KeyError):
        image.publish(Scan("s", 0.0, {"XX-9": Sample(1, Status.GOOD, 0.0)}))
    with pytest.raises(ValueError, match="twice"):
        ProcessImage([TAG, TAG])


async def test_lossless_feed_keeps_all_and_live_feed_drops_the_oldest_and_counts() -> None:
    image = ProcessImage([TAG])
    everything, live = LosslessFeed(), LiveFeed(size=3)
    image.attach(everything)
    image.attach(live)
    for index in range(10):
        image.publish(good(index, index))
    assert [scan.time for scan in everything.drain()] == list(range(10))
    assert [scan.time for scan in live.drain()] == [7, 8, 9]
    assert live.dropped == 7
    waiting = asyncio.ensure_future(live.take())
    await asyncio.sleep(0)
    image.publish(good(1.0, 11))
    assert len(await waiting) == 1
    image.detach(live)
    image.publish(good(1.0, 12))
    assert len(live) == 0
