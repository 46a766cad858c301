"""Laboratory values at a line: judged against the recorded meter, corrected for, kept, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, DeviceRefused
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Event, Sample, Status
from linecontrol.history import Historian, RunRow
from linecontrol.line.build import line_tags
from linecontrol.line.lab import LabBook
from linecontrol.line.lab_due import LabCheck

T0 = 1_750_000_000.0
TAG = "MT-306"


@dataclass
class Bench:
    """A book beside a real historian; its clock stands where the test puts it."""

    historian: Historian
    now: float = T0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = read_line("demo")
        self.image = ProcessImage(line_tags(self.config))
        self.clock = SimpleNamespace(now=lambda: self.now)
        self.runs = SimpleNamespace(engine=None)
        self.haccp = SimpleNamespace(lab_value=lambda _row: None)
        self.book = LabBook(cast(Any, self))

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def measure(self, seconds: int, value: float | None) -> None:
        """Time passes while the meter shows this."""
        for _ in range(seconds):
            self.now += 1.0
            status = Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE
            scan = Scan("drying", self.now, {TAG: Sample(value, status, self.now)})
            self.image.publish(scan)
            self.historian.offer(scan)
            self.book.tick(1.0, self.now)

    async def enter(self, value: float, ago_s: float, **more: Any) -> dict[str, Any]:
        return await self.book.add(TAG, value, sampled_at=self.now - ago_s, who="li", **more)

    def sample(self) -> Sample:
        return self.image.latest(TAG)

    async def loaded(self) -> None:
        self.book.tick(1.0, self.now)
        reading = self.book._reading
        if reading is not None:
            await reading

    async def loaded_again(self) -> None:
        """As after a restart."""
        self.book._meters[TAG].heard, self.book._next_s = None, 0.0
        await self.loaded()


@asynccontextmanager
async def bench(folder: Path, now: float = T0) -> AsyncIterator[Bench]:
    config = read_line("demo")
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    historian = Historian(url, folder / "spool", "demo", line_tags(config), flush_s=0.02)
    await historian.start()
    found = Bench(historian, now)
    await found.loaded()
    try:
        yield found
    finally:
        found.book.close()
        await historian.stop()


async def test_late_values_correct_the_bias_at_the_time_of_their_own_sample(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(600, 12.4)
        line.measure(600, 13.9)  # what it shows now says nothing about the sample
        row = await line.enter(12.9, ago_s=900)
        assert (row["verdict"], row["meter"], row["unit"]) == ("used", pytest.approx(12.4), "% wb")
        assert row["difference"] == pytest.approx(-0.5)
        (bias,) = line.book.biases()
        assert -0.45 < bias["bias"] < -0.25
        assert bias["u"] < 0.22
        assert abs(bias["applied"]) < 0.01  # it reaches the loop slowly
        line.measure(600, 12.4)
        (bias,) = line.book.biases()
        assert bias["applied"] == pytest.approx(bias["bias"], abs=1e-3)
        assert line.book.best(TAG, line.sample()).number == pytest.approx(12.4 - bias["bias"], abs=1e-3)
        shown = line.book.show(line.now)
        assert shown[f"{TAG}.COR"] == pytest.approx(12.4 - bias["bias"], abs=1e-3)
        line.measure(1, None)
        assert line.book.show(line.now)[f"{TAG}.COR"] is None
        assert not line.book.best(TAG, line.sample()).is_good


async def test_each_believed_value_is_told_on_once_with_what_is_left_of_it(tmp_path: Path) -> None:
    heard: list[LabCheck] = []
    async with bench(tmp_path) as line:
        line.book.hear = lambda tag, check, _now: heard.append(check) if tag == TAG else None
        line.measure(900, 13.0)
        await line.enter(12.9, ago_s=300)
        (bias,) = line.book.biases()
        assert heard[0].left == pytest.approx(13.0 - 12.9 - bias["bias"], abs=1e-3)
        assert heard[0].u > 0.15
        assert heard[0].age_s == pytest.approx(300.0, abs=1.0)
        await line.enter(5.0, ago_s=200)  # absurd
        line.measure(120, 13.0)
        assert len(heard) == 1
        await line.enter(13.0, ago_s=100)
        await line.enter(12.8, ago_s=800)  # of an older sample: the newest stays the newest
        assert len(heard) == 2
        now = line.now
    async with bench(tmp_path, now) as line:
        line.book.hear = lambda _tag, check, _now: heard.append(check)
        line.book._is_loaded = False
        await line.loaded_again()
    assert len(heard) == 3, "after a restart the newest is told again"
    assert heard[2].age_s == pytest.approx(100.0, abs=1.0)


async def test_after_a_restart_the_bias_is_what_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(900, 12.4)
        await line.enter(12.9, ago_s=700)
        await line.enter(12.8, ago_s=300)
        before, rows, now = line.book.biases(), line.book.rows(), line.now
    async with bench(tmp_path, now) as line:
        after = line.book.biases()
        assert line.book.rows() == rows
        assert after[0]["bias"] == before[0]["bias"]
        assert after[0]["applied"] == after[0]["bias"]  # nothing is in control yet that a step could disturb
        assert line.book.for_guard({TAG: Sample(13.8, Status.GOOD, now)})[TAG].sample.number > 14.0


@pytest.mark.parametrize(
    ("value", "ago_s", "more", "field", "said"),
    [
        (12.9, -60.0, {}, "sampled_at", "in the future"),
        (12.9, 50 * 3600.0, {}, "sampled_at", "too long ago"),
        (41.0, 60.0, {}, "value", "0 to 40 % wb"),
        (float("nan"), 60.0, {}, "value", "0 to 40 % wb"),
        (12.9, 60.0, {"u": 0.0}, "u", "above 0"),
        (12.9, 60.0, {"replaces": "L7"}, "replaces", "no value 'L7'"),
        (12.9, 60.0, {"run_id": "none"}, "run_id", "no run 'none'"),
        (12.9, 300.0, {"run_id": "r1"}, "run_id", "was not under way"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_kept(
    value: float, ago_s: float, more: dict[str, Any], field: str, said: str, tmp_path: Path
) -> None:
    async with bench(tmp_path) as line:
        line.measure(120, 12.4)
        run = RunRow("r1", "recipe", "hash", "Complete", line.now, line.now - 100.0, line.now)
        await line.historian.save_run(run)
        with pytest.raises(ConfigError, match=said) as caught:
            await line.enter(value, ago_s, **more)
        assert caught.value.problems[0].key == field
        assert line.book.rows() == []
        assert await line.historian.lab() == []
        with pytest.raises(ConfigError, match="MT-306"):
            await line.book.add("TT-303", 12.9, sampled_at=line.now, who="li")


async def test_a_value_finds_its_run_and_a_retry_is_kept_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(120, 12.4)
        await line.historian.save_run(RunRow("r1", "recipe", "hash", "Complete", line.now, line.now - 100.0, line.now))
        one = await line.enter(12.5, 60.0, lab_id="mine")
        two = await line.enter(12.5, 60.0, lab_id="mine")
        assert one == two
        assert one["run_id"] == "r1"
        assert len(await line.historian.lab()) == 1


async def test_a_wrong_entry_is_replaced_not_changed(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(300, 12.4)
        wrong = await line.enter(13.3, 200.0)
        right = await line.enter(12.3, 200.0, replaces=wrong["lab_id"])
        rows = {row["lab_id"]: row["verdict"] for row in line.book.rows()}
        assert rows == {wrong["lab_id"]: "replaced", right["lab_id"]: "used"}
        assert line.book.biases()[0]["bias"] == pytest.approx(0.065, abs=0.01)
        assert [row.value for row in await line.historian.lab()] == [13.3, 12.3]


async def test_an_absurd_value_is_told_kept_and_not_used(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(300, 12.4)
        row = await line.enter(21.9, 100.0)
        assert row["verdict"] == "absurd"
        assert line.book.biases()[0]["values_used"] == 0
        assert line.events[-1].kind == "lab.outlier"
        none = await line.enter(12.4, 4000.0)  # from before there was a meter reading
        assert none["verdict"] == "no-reading"
        assert line.book.biases()[0]["bias"] == 0.0


async def test_a_correction_is_accepted_by_a_person_and_lapses(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(900, 13.2)
        with pytest.raises(DeviceRefused, match="too few"):
            line.book.on_write(f"{TAG}.BIAS_OK", 1)
        await line.enter(12.8, 700.0)
        with pytest.raises(ConfigError, match="entered already"):
            await line.enter(12.8, 700.0)
        await line.enter(12.7, 700.0)  # the same scoop, determined twice
        with pytest.raises(DeviceRefused, match="1 samples of the laboratory are too few"):
            line.book.on_write(f"{TAG}.BIAS_OK", 1)
        await line.enter(12.8, 300.0)
        assert not line.book.for_guard({TAG: line.sample()})[TAG].is_accepted
        assert line.book.on_write(f"{TAG}.BIAS_OK", 1)
        assert line.book.for_guard({TAG: line.sample()})[TAG].is_accepted
        line.now += 12.5 * 3600.0
        line.book.tick(1.0, line.now)
        assert line.events[-1].kind == "lab.lapsed"
        assert not line.book.for_guard({TAG: line.sample()})[TAG].is_accepted
        with pytest.raises(DeviceRefused, match="12 h old"):
            line.book.on_write(f"{TAG}.BIAS_OK", 1)
        with pytest.raises(DeviceRefused, match="read-only"):
            line.book.on_write(f"{TAG}.BIAS", 0)
        assert not line.book.on_write("MIC-306.SP", 12.0)


async def test_many_at_once_are_taken_one_after_the_other(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.measure(600, 12.4)
        await asyncio.gather(*(line.enter(12.4, 10.0 * n + 5) for n in range(20)))
        assert len(line.book.rows()) == 20
        assert line.book.biases()[0]["values_used"] == 20
