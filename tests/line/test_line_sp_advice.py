"""Set-point advice from a history: only settled control of flowing powder counts, and nothing is taken unasked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, StateError
from linecontrol.core.image import Scan
from linecontrol.core.model import Sample, Status, Value
from linecontrol.history import Historian, RunRow, open_reader
from linecontrol.line.build import line_tags
from linecontrol.line.sp_advice import SETTLED_S, advice_of, check_taken, run_advice

T0 = 1_750_000_000.0
DEMO = read_line("demo")


async def recorded(folder: Path, hours: float = 4.0, sd: float = 0.25, *, swing: float = 0.0, mode: int = 1) -> str:
    """A run whose powder is this restless; with ``swing``, violently so while nothing is in control."""
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    historian = Historian(url, folder / "spool", "demo", line_tags(DEMO), flush_s=0.05)
    await historian.start()
    rng, x = random.Random(1), 0.0
    for step in range(int(hours * 360)):
        now, x = T0 + 10.0 * step, 0.8 * x + 0.6 * rng.gauss(0.0, sd)
        in_control = step >= 60
        away = 0.0 if in_control else swing * rng.choice((-1, 1))
        soft: dict[str, Value] = {
            "MIC-306.MODE": mode if in_control else 0,
            "MIC-306.WSP": 12.8,
            "MT-306.COR": 12.8 + x + away,
            "MT-306.BIAS_U": 0.1,
            "RUN.STATE": "Running",
            "RUN.ID": "r1",
        }
        for station, values in (("line", soft), ("drying", {"MT-306": 12.8 + x + away, "WT-313": 80.0})):
            samples = {name: Sample(value, Status.GOOD, now) for name, value in values.items()}
            historian.offer(Scan(station, now, samples))
    await historian.save_run(RunRow("r1", "recipe", "hash", "Complete", now, T0, now))
    await historian.stop()
    return url


def advice(url: str, run_id: str = "r1", risk: float = 1e-3) -> dict[str, Any]:
    with open_reader(url) as reader:
        return run_advice(reader, advice_of(DEMO), run_id, risk)


async def test_a_long_quiet_run_is_worth_a_higher_set_point(tmp_path: Path) -> None:
    found = advice(await recorded(tmp_path))
    assert (found["loop"], found["limit"], found["most"], found["present"]) == ("MIC-306", 14.0, 13.5, 12.8)
    assert found["stands_on"] == "meter"
    assert 12.8 < found["set_point"] <= 13.5
    assert found["spread"] == pytest.approx(0.25, abs=0.05)
    assert found["unseen"] == pytest.approx(0.1)
    assert found["hours"] == pytest.approx(4.0 - (600.0 + SETTLED_S) / 3600.0, abs=0.01)


async def test_what_happens_before_control_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert advice(await recorded(tmp_path / "a", swing=8.0)) == advice(await recorded(tmp_path / "b"))


async def test_no_control_no_advice(tmp_path: Path) -> None:
    found = advice(await recorded(tmp_path, mode=0))
    assert found["set_point"] is None
    assert "take a longer run" in found["reason"]
    with pytest.raises(StateError, match="no advice to take"):
        check_taken(found, 12.0)


async def test_a_restless_run_is_told_to_go_lower_and_more_is_not_taken(tmp_path: Path) -> None:
    found = advice(await recorded(tmp_path, sd=0.6))
    assert found["set_point"] < 12.8
    check_taken(found, found["set_point"])
    check_taken(found, 10.0)
    for wanted in (found["set_point"] + 0.05, float("nan")):
        with pytest.raises(StateError, match="above what is advised"):
            check_taken(found, wanted)


async def test_wrong_questions_are_told(tmp_path: Path) -> None:
    url = await recorded(tmp_path, hours=0.5)
    with pytest.raises(ConfigError, match=r"no run 'none' \(accepted: r1\)"):
        advice(url, "none")
    assert "accepted: 0.000001 to 0.05" in advice(url, risk=0.5)["reason"]
