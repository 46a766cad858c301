"""The gate: every refusal has a reason, nothing refused is written, and the read-back decides."""

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.clock import Clock
from linecontrol.core.errors import DeviceRefused
from linecontrol.core.gate import CommandGate
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Command, DataType, Outcome, Receipt, Sample, Status, Tag, Text, Value

TITLE = Text("x", "x")
VALVE = Tag("FV-1", "s", TITLE, "%", DataType.INT16, "D1", low=0, high=100, scale=0.01, writable=True)
METER = Tag("FT-1", "s", TITLE, "m3/h", DataType.FLOAT32, "D2", low=0, high=10)
RUN = Tag("XC-1", "s", TITLE, "", DataType.BOOL, "M1", writable=True)
GATE = Tag(
    "XV-1", "s", TITLE, "", DataType.UINT16, "D3", low=0, high=2, writable=True, choices=((0, "good"), (1, "bad"))
)


class Writes:
    """Stands where a station stands: remembers writes, answers with what the test says the device shows."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Value]] = []
        self.objection: str | None = None
        self.shows: Any = "as written"

    def why_not_write(self) -> str | None:
        return self.objection

    async def write(self, name: str, value: Value) -> Sample:
        self.written.append((name, value))
        if isinstance(self.shows, Exception):
            raise self.shows
        return Sample(value if self.shows == "as written" else self.shows, Status.GOOD, 0.0)


def build(owner: tuple[str, str] | None = None) -> tuple[CommandGate, Writes, list[Receipt], ProcessImage]:
    journal: list[Receipt] = []
    writes = Writes()
    image = ProcessImage([VALVE, METER, RUN, GATE])
    gate = CommandGate(image, {"s": writes}, Clock(), journal.append, owner_of=lambda _command: owner)
    return gate, writes, journal, image


async def test_names_that_nobody_knows_are_refused_and_forgotten() -> None:
    gate, _, journal, _ = build()
    for n in range(50):
        assert (await gate.submit(Command(f"NO-{n}", 1, "operator:li"))).outcome is Outcome.REFUSED
    assert len(journal) == 50
    assert len(gate._locks) == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command("NO-1", 1, "operator:li"), "no tag 'NO-1'"),
        (Command("FT-1", 1, "operator:li"), "read-only"),
        (Command("FV-1", math.nan, "operator:li"), "finite"),
        (Command("FV-1", math.inf, "operator:li"), "finite"),
        (Command("FV-1", True, "operator:li"), "finite number"),
        (Command("FV-1", "50", "operator:li"), "takes a number"),
        (Command("XV-1", "bad", "operator:li"), "takes one of 0 = good, 1 = bad, not 'bad'"),
        (Command("FV-1", 100.01, "operator:li"), "accepted: 0 to 100 %"),
        (Command("FV-1", -0.5, "operator:li"), "accepted: 0 to 100 %"),
        (Command("XC-1", 2, "operator:li"), "true or false"),
        (Command("XV-1", 2, "operator:li"), "0 = good, 1 = bad"),
        (Command("FV-1", 50, "operator:li", expected=20.0), "no longer 20.0"),
    ],
)
async def test_refused_with_a_reason_and_nothing_written(command: Command, words: str) -> None:
    gate, writes, journal, image = build()
    image.publish(Scan("s", 0.0, {"FV-1": Sample(10.0, Status.GOOD, 0.0)}))
    receipt = await gate.submit(command)
    assert receipt.outcome is Outcome.REFUSED
    assert words in receipt.reason
    assert writes.written == []
    assert journal == [receipt]


async def test_confirmed_only_when_the_device_shows_it() -> None:
    gate, writes, journal, _ = build()
    assert (await gate.submit(Command("FV-1", 50.0, "operator:li"))).outcome is Outcome.CONFIRMED
    writes.shows = 50.004  # within the register's rounding
    assert (await gate.submit(Command("FV-1", 50.0, "operator:li"))).ok
    writes.shows = 49.0
    failed = await gate.submit(Command("FV-1", 50.0, "operator:li"))
    assert (failed.outcome, failed.readback) == (Outcome.FAILED, 49.0)
    writes.shows = None
    assert (await gate.submit(Command("FV-1", 50.0, "operator:li"))).outcome is Outcome.FAILED
    writes.shows = DeviceRefused("illegal value (exception 3)")
    refused = await gate.submit(Command("FV-1", 50.0, "operator:li"))
    assert refused.outcome is Outcome.FAILED
    assert "exception 3" in refused.reason
    assert len(journal) == 5
    assert len(writes.written) == 5  # never repeated by the gate


async def test_neighbouring_choices_are_not_the_same() -> None:
    gate, writes, _, _ = build()
    writes.shows = 1
    assert (await gate.submit(Command("XV-1", 0, "guard"))).outcome is Outcome.FAILED
    writes.shows = False
    assert (await gate.submit(Command("XC-1", True, "recipe"))).outcome is Outcome.FAILED


async def test_an_asker_that_goes_away_does_not_break_off_the_write() -> None:
    gate, writes, journal, _ = build()
    began, go_on = asyncio.Event(), asyncio.Event()
    write = writes.write

    async def slow(name: str, value: Value) -> Sample:
        began.set()
        await go_on.wait()
        return await write(name, value)

    writes.write = slow  # type: ignore[method-assign]
    asker = asyncio.ensure_future(gate.submit(Command("FV-1", 50.0, "recipe:s")))
    await began.wait()
    asker.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    assert asker.cancelled()
    go_on.set()
    while not journal:
        await asyncio.sleep(0)
    assert journal[0].ok
    assert writes.written == [("FV-1", 50.0)]


async def test_an_owned_tag_is_the_owners_and_the_guards() -> None:
    gate, writes, _, _ = build(owner=("loop:FIC-1", "FIC-1 is in Auto"))
    refused = await gate.submit(Command("FV-1", 50.0, "operator:li"))
    assert "held by loop:FIC-1: FIC-1 is in Auto" in refused.reason
    assert (await gate.submit(Command("FV-1", 50.0, "loop:FIC-2"))).outcome is Outcome.REFUSED
    assert writes.written == []
    for who in ("loop:FIC-1", "guard", "system"):
        assert (await gate.submit(Command("FV-1", 50.0, who))).ok


async def test_a_station_that_cannot_be_written_says_why() -> None:
    gate, writes, _, _ = build()
    writes.objection = "s is not connected"
    assert (await gate.submit(Command("FV-1", 1.0, "guard"))).reason == "s is not connected"


@given(value=st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=5)))
def test_whatever_is_asked_only_values_in_range_reach_the_device(value: Value) -> None:
    async def ask() -> None:
        gate, writes, _, _ = build()
        receipt = await gate.submit(Command("FV-1", value, "operator:li"))
        fits = not isinstance(value, (str, bool)) and 0 <= value <= 100
        assert (writes.written == [("FV-1", value)]) == fits
        assert receipt.ok == fits

    asyncio.run(ask())
