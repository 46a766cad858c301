from __future__ import annotations

import pytest
from link_bench import tag

from linecontrol.core.errors import DeviceRefused
from linecontrol.core.model import Status, Value
from linecontrol.links.soft import SoftLink

TAGS = [tag("mode", "uint16"), tag("sp", "float64")]


async def test_waits_for_a_first_value() -> None:
    link = SoftLink(TAGS, {"mode": 2})
    readings = await link.read()
    assert readings["mode"] == (2, Status.GOOD, None)
    assert readings["sp"] == (None, Status.BAD_WAITING_FOR_INITIAL_DATA, None)


async def test_the_program_sets_what_it_likes() -> None:
    link = SoftLink(TAGS)
    link.set("sp", 13.5)
    link.set("mode", 1, Status.UNCERTAIN)
    assert (await link.read())["sp"] == (13.5, Status.GOOD, None)
    assert (await link.read(["mode"]))["mode"] == (1, Status.UNCERTAIN, None)
    link.set("sp", 13.5, Status.BAD_OUT_OF_SERVICE)
    assert (await link.read())["sp"] == (None, Status.BAD_OUT_OF_SERVICE, None)
    with pytest.raises(ValueError, match="no value cannot be Good"):
        link.set("sp", None)
    with pytest.raises(KeyError):
        link.set("no such tag", 1)
    with pytest.raises(KeyError):
        SoftLink(TAGS, {"no such tag": 1})


async def test_many_values_are_shown_at_once_or_none() -> None:
    link = SoftLink(TAGS)
    link.set("mode", 3, Status.UNCERTAIN)
    link.show({"mode": 3, "sp": 13.5})
    assert await link.read() == {"mode": (3, Status.GOOD, None), "sp": (13.5, Status.GOOD, None)}
    with pytest.raises(KeyError, match="no such tag"):
        link.show({"sp": 14.0, "no such tag": 1})
    assert (await link.read())["sp"].value == 13.5


async def test_a_written_value_is_seen_by_the_program_before_it_is_kept() -> None:
    seen: list[tuple[str, Value]] = []

    def on_write(name: str, value: Value) -> None:
        seen.append((name, value))
        if value == 99:
            raise DeviceRefused("not that")

    link = SoftLink(TAGS, {"mode": 0}, on_write)
    await link.write("mode", 3)
    with pytest.raises(DeviceRefused, match="not that"):
        await link.write("mode", 99)
    assert seen == [("mode", 3), ("mode", 99)]
    assert (await link.read())["mode"].value == 3


async def test_a_reading_given_out_does_not_change() -> None:
    link = SoftLink(TAGS, {"mode": 0})
    before = await link.read()
    await link.write("mode", 1)
    assert before["mode"].value == 0
