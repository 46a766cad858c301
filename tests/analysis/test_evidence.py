"""The evidence pack answers its five questions from what is on record, in both languages, and shows a touch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linecontrol.analysis.evidence import check_pack, gather, pack_in, page
from linecontrol.analysis.evidence.answers import answers
from linecontrol.analysis.evidence.glance import _DID, glance
from linecontrol.analysis.evidence.limits import judged
from linecontrol.analysis.evidence.page import suspects_of, words_of
from linecontrol.analysis.evidence.pdf import write_pdf
from linecontrol.analysis.evidence.seal import sealed
from linecontrol.analysis.labels import label_sheet, label_text
from linecontrol.analysis.wallclock import Face
from linecontrol.core.errors import ConfigError, StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Event, Sample, Severity, Status, Tag, Text
from linecontrol.history import (
    ActRow,
    AuditRow,
    BagRow,
    BypassRow,
    CalibrationRow,
    DeviationRow,
    Historian,
    LotRow,
    LotUseRow,
    RecipeRow,
    RecipeVersionRow,
    RunRow,
    open_reader,
)

T0 = 1_750_000_000.0
TAGS = [Tag(name, "drying", Text(name, name), "", DataType.FLOAT64, "x") for name in ("MT-306", "WT-313", "ZT-312")]
LIMIT = {
    "name": "CCP1-moisture",
    "tag": "MT-306",
    "unit": "% wb",
    "title": {"en": "Powder moisture", "zh": "成品水分"},
    "low": 8.0,
    "high": 14.0,
    "source": "working limit <of this line>",
    "source_zh": "本线工作限值 <of this line>",
    "kind": "ccp",
    "stage": "powder-window",
    "hazard": {"en": "Mould", "zh": "霉菌"},
    "standard": {"name": "GB 31637-2016", "text_verified": False, "note": ""},
}


TITLES = {
    "drying": {"en": "Drying and packing", "zh": "干燥包装"},
    "METAL-TEST": {"en": "Test pieces", "zh": "试块验证"},
}
DUCT = {
    "name": "IL-303",
    "value": "TT-303",
    "unit": "°C",
    "low": 60.0,
    "high": None,
    "acts": [],
    "oprp": False,
    "title": {"en": "The duct is hot", "zh": "热风管已升温"},
    "clears": {"en": "Let the recipe warm up the duct.", "zh": "等待升温阶段完成。"},
}
RECIPE = "name: standard </script>\ntitle: {en: Wet feed on, zh: 开始湿料进料}\n"
LOCKED_ZH = (
    "干燥包装，开始湿料进料：SC-302 = 23.0 被拒绝：SC-302 被联锁：IL-303 未满足（热风管已升温）："
    "TT-303 = 48.1 °C，应不低于 60.0 °C。等待升温阶段完成。"
)
DEVIATION = DeviationRow(
    *("D1-CCP1-moisture", "r1", "CCP1-moisture", "ccp", "powder-window", T0 + 599, T0 + 600, T0 + 660),
    *(14.6, 14.0, "% wb", "too wet", "太湿", "hold the bags", "隔离各袋", "operator", 0.4),
    *("closed", "bags dried again", "operator:li", T0 + 950, "operator:wang", T0 + 1000),
)


VERSION = RecipeVersionRow(
    *("standard:1", "standard", "1", "active", "name: standard", "h", "", "operator:li", "finer rasp", T0 - 900),
    *("operator:wang", "tried on two runs", T0 - 800, "operator:wang", "from today", T0 - 700),
)


def check(name: str, done: float, result: str) -> CalibrationRow:
    return CalibrationRow(
        name, "METAL-TEST", "verification", "QT-321", done, done + 14_400, done, "operator:li", result, "", "2026-14"
    )


async def record(folder: Path) -> str:
    """A run with one excursion of a minute, 20 s of it into the good bag."""
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    history = Historian(url, folder / "spool", "demo", TAGS, flush_s=0.02)
    await history.start()
    for n in range(0, 1200, 10):
        wet = 600 <= n < 660
        values = {
            "MT-306": 14.6 if wet else 12.8,
            "WT-313": 0.0 if n < 100 else 80.0,
            "ZT-312": 1.0 if 620 <= n < 680 else 0.0,
        }
        history.offer(Scan("drying", T0 + n, {k: Sample(v, Status.GOOD, T0 + n) for k, v in values.items()}))
    history.event(Event(T0 + 620, "guard.divert", "XV-312", "wet", Severity.ALARM, active=True))
    history.event(Event(T0 + 680, "guard.divert", "XV-312", "dry", Severity.ALARM, active=False))
    held = {"zh": "IL-202 筛网完好：筛前有压差"}
    history.event(Event(T0 + 700, "interlock.tripped", "IL-202", "IL-202 Sieves are whole", Severity.ALARM, True, held))
    history.event(Event(T0 + 700, "run.held", "r1", "Hold by controller: IL-202", Severity.ALARM, True, held))
    history.event(Event(T0 + 760, "run.held", "r1", "no longer held: Restart", Severity.INFO, active=False))
    locked = (
        "drying, Wet feed on: SC-302 = 23.0: refused: SC-302 is interlocked: IL-303 not met (The duct is hot): "
        "TT-303 = 48.1 °C, must be at least 60.0 °C. Let the recipe warm up the duct."
    )
    history.event(Event(T0 + 770, "run.held", "r1", locked, Severity.ALARM, active=True))
    history.event(Event(T0 + 780, "run.held", "r1", "no longer held: Restart", Severity.INFO, active=False))
    rain = {"run_id": "r1", "since": T0 + 300, "until": T0 + 310, "kg": 52.0, "lot": "", "zh": "进料 52 kg，未登记批次"}
    history.event(
        Event(T0 + 380, "lot.tipped", "root-hopper", "52 kg came into root-hopper", Severity.WARNING, data=rain)
    )
    history.event(Event(T0 + 770, "interlock.tripped", "IL-303", "only refuses commands", Severity.INFO))
    history.event(
        Event(
            T0 + 800,
            "link.down",
            "drying",
            "drying: no answer: connection refused. Trying again about once a second.",
            Severity.ALARM,
            active=True,
        )
    )
    history.event(Event(T0 + 621, "alarm.raised", "DIVERTED", "Powder is diverted", Severity.ALARM, active=True))
    facts: dict[str, Any] = {
        "run_id": "r1",
        "recipe": "standard",
        "state": "Complete",
        "line": "demo",
        "simulated": False,
    }
    facts |= {"root_kg": 300.0, "powder_kg": 50.1, "diverted_kg": 1.2, "suspect_kg": 0.4, "recipe_version": "1"}
    facts |= {
        "critical_limits": [LIMIT],
        "titles": TITLES,
        "interlocks": [DUCT],
        "making": {"flow": "WT-313", "min_flow": 20.0, "gate": "ZT-312", "good": 0.0},
    }
    await history.save_recipe(RecipeRow("h", "standard", "1", RECIPE, T0))
    await history.save_run(RunRow("r1", "standard", "h", "Complete", T0 + 1200, T0, T0 + 1200, facts))
    why = "MT-306 = 14.60 is above 14"
    await history.save_trace(
        LotRow("west", "Pueraria lobata", 900.0, T0 - 9, "operator:li", "云阳", "Li", "2026-01-10"),
        LotUseRow("U1", "r1", "west", T0, T0, "operator:li"),
        BagRow(
            *("r1-B001", "r1", 1, "good", T0, T0 + 500, T0 + 500, 25.0, 12.8, 12.8, 22.0, 0.6, 0.5, 0.8),
            lots=[("west", 1.0, 25.0)],
        ),
        BagRow(
            *("r1-B002", "r1", 2, "held", T0 + 500, T0 + 1200, T0 + 1200, 25.1, 12.9, 14.6, 22.0, 0.6, 0.5, 0.8, 0.4),
            lots=[("west", 1.0, 25.1)],
            suspects=[("r1-S01", 0.02, why)],
        ),
        ActRow("A1", "r1", "r1-S01", "action", T0 + 900, "operator:li", "operator", "meter cleaned, sample dry"),
    )  # fmt: skip
    await history.save_deviation(DEVIATION)
    await history.save_deviation(
        replace(DEVIATION, deviation_id="D2-CCP2-metal", since=T0 + 1300, opened=T0 + 1301, action="")
    )
    await history.save_calibration(check("C1", T0 - 7200, "passed"))
    await history.save_calibration(check("C2", T0 - 3600, "passed"))
    await history.save_calibration(check("C3", T0 + 900, "failed"))
    await asyncio.to_thread(history.recipe_versions().save, VERSION)
    await history.save_bypass(BypassRow("B1", "IL-307", "operator:wang", "meter swapped", T0 + 10, T0 + 70))
    row = AuditRow(T0 + 1, "operator:li", "operator", "session:1", "", "POST /runs", "/runs", None, "{}", "", "done")
    await history.save_audit(row)
    asked = {"action": "POST /runs/{run_id}/commands", "target": "/runs/r1/commands", "new": '{"command": "Restart"}'}
    await history.save_audit(replace(row, time=T0 + 780, **asked))
    await history.stop()
    return url


async def test_the_first_page_answers_all_five_questions(tmp_path: Path) -> None:
    with open_reader(await record(tmp_path)) as reader:
        pack = gather(reader, "r1", T0 + 2000)
        with pytest.raises(StorageError, match="no run 'r2'"):
            gather(reader, "r2", T0)
    found = pack["glance"]
    assert (found["root_kg"], found["powder_kg"]) == (300.0, 50.1)
    assert [(row["lot"], row["powder_kg"], row["grower"]) for row in found["lots"]] == [("west", 50.1, "Li")]
    (broken,) = found["broken"]
    assert (broken["outside_s"], broken["to_good_s"], broken["max"]) == (60.0, 20.0, 14.6)
    assert found["unanswered"] == []
    told = [(row["reason"], row["who"]) for row in found["actions"]]
    assert told == [("meter cleaned, sample dry", "operator:li"), ("bags dried again", "operator:li")]
    assert [(row["ccp"], row["state"], row["closed_by"]) for row in found["deviations"]] == [
        ("CCP1-moisture", "closed", "operator:wang")
    ]
    assert found["unverified"] == ["GB 31637-2016"]
    assert [row["calibration_id"] for row in pack["calibrations"]] == ["C2", "C3"]  # and what vouched at the start
    assert [row["bypass_id"] for row in pack["bypasses"]] == ["B1"]
    assert found["places"] == {"good": {"bags": 1, "kg": 25.0}, "held": {"bags": 1, "kg": 25.1}}
    assert {row["who"]: row["did"] for row in found["people"]}["operator:wang"] == {"close": 1, "bypass": 1}
    for lang, words in (
        (
            "en",
            [
                "Where is the powder now?",
                "HELD",
                "supports",
                "started the run",
                "limits broken: 1",
                "(15:16:40 – 15:17:40)",
            ],
        ),
        ("zh", ["粉现在在哪里", "扣留", "支持", "启动批次, 重启批次", "操作员", "METAL-TEST（试块验证）"]),
    ):
        text = page(pack, lang)
        assert "compliant" not in text
        assert {"en": "8.0 … 14.0 % wb", "zh": "8.0 … 14.0 % 湿基"}[lang] in text
        first = text[: text.index("</section>")]
        for word in [*words, "west", "B002", "14.60", "IL-307", "meter cleaned, sample dry", "1.20 kg"]:
            assert word in first, (lang, word)
        assert "POST" not in first, "people read it"
        hold = {"en": "held the run 15:18:20 – 15:19:20: Hold by controller: IL-202", "zh": "控制器保持批次 15:18:20"}
        assert hold[lang] in first
        locked = {"en": "drying, Wet feed on: SC-302 = 23.0: refused", "zh": LOCKED_ZH}
        assert locked[lang] in first
        rain = {"en": "15:11:40 52 kg came into root-hopper", "zh": "15:11:40 进料 52 kg，未登记批次"}
        assert rain[lang] in first
        silent = {"en": "drying: no answer", "zh": "干燥包装：无应答"}
        assert silent[lang] in text[text.index("</section>") : text.index('<script type="application/json"')]
        assert "only refuses commands" not in text.partition('<script type="application/json"')[0]
        assert re.search(r"wang 2025-06-15 14:53:20[:：] ?tried on two runs", text), "who approved the recipe"
        assert {"en": "working limit &lt;of this line&gt;", "zh": "本线工作限值 &lt;of"}[
            lang
        ] in text  # people's words are text
        assert not re.search(r"(src|href)=", re.sub(r'xlink:href="#', "", text))  # nothing from elsewhere
        assert pack_in(text) == pack
        write_pdf(pack, lang, tmp_path / "pack.pdf")
        assert (tmp_path / "pack.pdf").read_bytes().startswith(b"%PDF")


def test_what_was_not_measured_is_not_told_as_outside() -> None:
    """A cabinet was silent for 40 s, 10 of them with the gate on good; nothing that was read lay outside."""
    times = np.arange(0.0, 100.0, 10.0)
    silent = (times >= 30.0) & (times < 70.0)
    curves = {
        "MT-306": (times, np.where(silent, np.nan, 12.0)),
        "WT-313": (times, np.full(10, 80.0)),
        "ZT-312": (times, np.where(times == 30.0, 0.0, 1.0)),
    }
    row = judged(LIMIT, curves, {"flow": "WT-313", "min_flow": 20.0, "gate": "ZT-312", "good": 0.0}, 100.0)
    assert (row["outside_s"], row["to_good_s"], row["times_outside"]) == (0.0, 0.0, 0)
    assert (row["unknown_s"], row["unknown_to_good_s"]) == (40.0, 10.0)
    pack = gather_like([row])
    (big, told, *rest) = [line.text for line in answers(pack, words_of("en", Face()), "en")[1].lines]
    assert big.startswith("No reading was outside its limit")
    assert told.endswith("40 s while powder was made: Powder moisture, 10 s OF IT WHILE THE GATE STOOD ON GOOD")
    assert rest == [
        "Nobody vouched for the meter of “Powder moisture”: OVEN was not passed before the run ended. Do it, and look "
        "at these bags again with what it finds"
    ]
    curves["ZT-312"] = (times, np.where(silent, np.nan, 1.0))
    row = judged(LIMIT, curves, {"flow": "WT-313", "min_flow": 20.0, "gate": "ZT-312", "good": 0.0}, 100.0)
    told = answers(gather_like([row]), words_of("en", Face()), "en")[1].lines[1].text
    assert told.endswith(": Powder moisture, for 40 s where the gate stood was not measured")


def gather_like(limits: list[dict[str, Any]]) -> dict[str, Any]:
    """A pack of nothing but its limits, for a meter that OVEN should vouch for."""
    empty = ("bags", "deviations", "bypasses", "events", "acts", "uses", "lots", "audit", "calibrations")
    pack: dict[str, Any] = {key: [] for key in empty}
    limits = [{**row, "checked_by": ["OVEN"], "standard": None} for row in limits]
    pack |= {"run": {}, "limits": limits, "start": 0.0, "end": 100.0, "is_cut": False}
    return {**pack, "glance": glance(pack)}


async def test_a_pack_is_read_by_the_clock_on_the_wall_of_the_plant(tmp_path: Path) -> None:
    """A run in Chongqing: its people do not reckon in UTC, and the pack is the same wherever it is made."""
    with open_reader(await record(tmp_path)) as reader:
        pack = gather(reader, "r1", T0 + 2000)
    there = {**pack, "run": {**pack["run"], "utc_offset_s": 28_800.0}}
    here, away = (page(one, "en").partition('<script type="application/json"')[0] for one in (pack, there))
    assert "15:18:20 – 15:19:20" in here
    assert "23:18:20 – 23:19:20" in away
    assert "Time (UTC+08:00)" in away
    assert "15:18" not in away, "not in a chart either"
    assert "UTC+08:00" in away[away.index("<svg") :]


@pytest.mark.parametrize(
    ("offset_s", "at", "told"),
    [
        (0.0, T0, "2025-06-15 15:06:40"),
        (28_800.0, "2025-06-15T15:06:40.250Z", "2025-06-15 23:06:40"),
        (34_200.0, "2025-06-15T23:59:59+08:00", "2025-06-16 01:29:59"),
        (-12_600.0, T0, "2025-06-15 11:36:40"),
        (28_800.0, None, "–"),
    ],
)
def test_an_instant_is_told_in_the_plants_zone(offset_s: float, at: Any, told: str) -> None:
    assert Face(offset_s, T0).moment(at) == told
    bag = {"bag_id": "B1", "weight_kg": 25.0, "closed_at": "2025-06-15T20:00:00Z", "lots": [], "status": "good"}
    bag |= dict.fromkeys(("water_activity", "water_activity_low", "water_activity_high", "moisture_mean_pct_wb"))
    sheet = label_sheet("demo", "Demo", [bag], "en", Face(28_800.0), is_simulated=False)
    assert "2025-06-16 04:00 UTC+08:00" in sheet


async def test_a_pack_stands_when_its_records_went_on_as_they_may(tmp_path: Path) -> None:
    with open_reader(await record(tmp_path)) as reader:
        pack = json.loads(json.dumps(gather(reader, "r1", T0 + 2000)))
    history = Historian(f"sqlite:///{tmp_path / 'history.sqlite3'}", tmp_path / "spool", "demo", TAGS, flush_s=0.02)
    await history.start()
    await history.save_deviation(replace(DEVIATION, note="looked at once more"))
    await history.save_bypass(BypassRow("B1", "IL-307", "operator:wang", "meter swapped", T0 + 10, T0 + 70, T0 + 40))
    await history.stop()
    with open_reader(f"sqlite:///{tmp_path / 'history.sqlite3'}") as reader:
        assert check_pack(reader, pack).findings == []
        pack["digests"] = [[kind, key, "0" * 64] for kind, key, _ in pack["digests"] if kind == "deviation"]
        found = [one.text for one in check_pack(reader, sealed(pack)).findings]
    assert found == ["deviation D1-CCP1-moisture is on record otherwise than in the pack"]


def test_both_languages_have_a_word_for_everything() -> None:
    english, chinese = words_of("en", Face()), words_of("zh", Face())
    assert english.keys() == chinese.keys()
    for key, words in english.items():
        if isinstance(words, dict) and words:
            assert words.keys() == chinese[key].keys(), key
        if isinstance(words, str):
            assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", chinese[key])), key
    assert {word for word in _DID.values() if word} <= english["did"].keys()


def test_a_chart_is_shaded_by_the_deviations_of_its_own_limit() -> None:
    pack = {"deviations": [{"ccp": "A", "since": 1.0, "until": 2.0}, {"ccp": "B", "since": 3.0, "until": None}]}
    assert suspects_of(pack, "A") == [{"since": 1.0, "until": 2.0}]
    assert suspects_of(pack, "C") == []


async def test_a_pack_shows_when_it_or_the_history_was_touched(tmp_path: Path) -> None:
    url = await record(tmp_path)
    with open_reader(url) as reader:
        pack = json.loads(json.dumps(gather(reader, "r1", T0 + 2000)))
        assert check_pack(reader, pack).findings == []
        pack["glance"]["unanswered"] = ["r1-S01"]
        assert [one.where for one in check_pack(reader, pack).findings] == ["pack"]
        pack["glance"]["unanswered"] = []
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite3")) as connection:
        connection.execute("UPDATE bag SET moisture_max = 13.9 WHERE bag_id = 'r1-B002'")
        connection.execute("UPDATE deviation SET acted_by = 'operator:chen' WHERE deviation_id LIKE 'D1%'")
        connection.execute("UPDATE recipe_version SET judged_by = 'operator:li'")
        connection.execute("UPDATE calibration SET result = 'passed'")
        connection.execute("DELETE FROM bypass")
        connection.commit()
    with open_reader(url) as reader:
        found = {(one.what, one.where) for one in check_pack(reader, pack).findings}
    assert found == {
        ("changed", "bag r1-B002"),
        ("changed", "recipe_version standard:1"),
        ("changed", "deviation D1-CCP1-moisture"),
        ("changed", "calibration C3"),
        ("removed", "bypass B1"),
    }
    with pytest.raises(ConfigError, match="holds no evidence pack"):
        pack_in("<html>nothing</html>", "page.html")


def test_the_code_on_a_label_is_read_without_a_network() -> None:
    bag = {
        "bag_id": "r1-B001",
        "weight_kg": 25.0,
        "closed_at": "2026-01-12",
        "lots": [{"lot_id": "west", "share": 0.75}],
    }
    assert label_text("demo", bag).splitlines() == [
        "BAG r1-B001",
        "LINE demo",
        "NET 25.00 kg",
        "CLOSED 2026-01-12",
        "LOTS west:75%",
    ]
