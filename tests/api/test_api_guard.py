"""Interlocks, critical limits, deviations and the register over HTTP and on the command line, in both languages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from access_rig import PASSWORD, Plant, Site, site
from typer.testing import CliRunner

from linecontrol.cli import client, interlocks, quality
from linecontrol.config import read_line
from linecontrol.core.gate import CommandGate
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Sample, Status
from linecontrol.line.checks import CheckRegister
from linecontrol.line.haccp import HaccpDesk
from linecontrol.line.interlocks import InterlockDesk
from linecontrol.line.quality_tags import quality_tags
from linecontrol.line.signing import MEANINGS

CONFIG = read_line("demo")
UNITS = {"FT-307": 39.0, "TT-303": 20.0, "PT-308": -120.0, "MT-306": 12.8, "QT-321": 9.0, "ST-201": 0.0}


class Guarded(Plant):
    """A plant whose air stands still, with the demo line's interlocks, limits and register, and nothing else of it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        line: Any = self
        self.config = CONFIG  # type: ignore[assignment]
        self.image = ProcessImage([*CONFIG.tags, *quality_tags(CONFIG)])
        self.guard = None
        self.runs = SimpleNamespace(engine=None, state=None, is_under_way=False, view=lambda: None)
        self.lab = SimpleNamespace(
            for_guard=lambda _samples: {}, is_checked=lambda _tag: False, last_inside=lambda *_limits: None
        )
        self.quality = SimpleNamespace(view=lambda: None, spoilage=None)
        self.interlocks, self.checks, self.haccp = InterlockDesk(line), CheckRegister(line), HaccpDesk(line)
        self.gate = CommandGate(
            self.image, {}, self.clock, self.historian.command, interlock_of=self.interlocks.refusal
        )

    async def look(self, **values: float) -> None:
        """Measure, and look at the interlocks for longer than any of them waits."""
        await asyncio.gather(self.interlocks.load(), self.checks.load(), self.haccp.load())
        for leap in (0.0, 30.0):
            self.clock.leap += leap
            now = self.clock.now()
            samples = {name: Sample(value, Status.GOOD, now) for name, value in (UNITS | values).items()}
            self.image.publish(Scan("drying", now, samples))
            self.interlocks.tick(now)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Site]:
    plant = Guarded(tmp_path)
    async with site(tmp_path, plant=plant) as found:
        await plant.look()
        await found.make_users("operator", "supervisor", "technician")
        yield found


@pytest.fixture(autouse=True)
def _nobody() -> Iterator[None]:
    yield
    client.use(None, None)


async def cli(served: Site, role: str, app: typer.Typer | Any, *words: str, typed: str = "") -> tuple[int, str]:
    """The command line in this process, as somebody of that role who types. Exit code and what it said."""
    client.use(served.tokens[role], None)
    if not isinstance(app, typer.Typer):
        app, function = typer.Typer(), app
        app.command()(function)
    out = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--url", served.url], input=typed)
    return out.exit_code, " ".join(out.output.split())


async def test_a_refused_command_and_the_list_say_what_is_measured_and_what_clears_it(served: Site) -> None:
    refused = await served.as_("operator").post("/commands", json={"tag": "TV-303", "value": 40.0})
    assert refused.status_code == 409
    (receipt,) = refused.json()["errors"]
    assert receipt["why"].startswith(
        "TV-303 is interlocked: IL-301 not met (Air flows before heat and feed): FT-307 = 39"
    )
    assert receipt["why"].endswith("must be at least 600 kg/h. Start the fan and wait for the air flow.")
    assert receipt["why_zh"].startswith("TV-303 被联锁：IL-301 未满足（先有风，后加热、进料）：FT-307 = 39")
    assert receipt["why_zh"].endswith("应不低于 600 kg/h。启动风机，等待风量建立。")

    row = (await served.as_("operator").get("/interlocks/IL-301")).json()
    assert (row["state"], row["value"], row["low"], row["unit"]) == ("blocking", 39.0, 600.0, "kg/h")
    assert row["called"] == {"en": "FT-307", "zh": "FT-307"}
    over_sieves = (await served.as_("operator").get("/interlocks/IL-202")).json()
    assert over_sieves["measured"] == "mean(PDT-214, 60) / max(FT-203, 0.3)"
    assert over_sieves["called"]["zh"].startswith("筛网压差与流量之比")
    assert (await served.as_("operator").get("/interlocks/IL-999")).status_code == 404
    for lang, words in (("en", "Start the fan and wait"), ("zh", "启动风机，等待风量建立")):
        code, out = await cli(served, "operator", interlocks.app, "--lang", lang)
        assert code == 0
        assert "XX IL-301" in out
        assert f"{row['title'][lang]} [FT-307 = 39 kg/h, >= 600]" in out
        assert words in out
        assert "IL-307" not in out, "it is met"
    assert "ok IL-306" in (await cli(served, "operator", interlocks.app, "--all"))[1]


async def test_only_a_supervisor_bypasses_for_a_time_and_with_a_reason(served: Site) -> None:
    boss, wish = served.as_("supervisor"), {"reason": "pressure meter swapped", "for_s": 600.0}
    assert (await served.as_("operator").post("/interlocks/IL-307/bypass", json=wish)).status_code == 403
    assert (await served.as_("technician").post("/interlocks/IL-307/bypass", json=wish)).status_code == 403
    no_reason = await boss.post("/interlocks/IL-307/bypass", json={"for_s": 600.0})
    assert (no_reason.status_code, "reason" in no_reason.text) == (422, True)
    too_long = await boss.post("/interlocks/IL-307/bypass", json={**wish, "for_s": 7200.0})
    assert (too_long.status_code, "60 to 1800 s" in too_long.text) == (422, True)
    never = await boss.post("/interlocks/IL-301/bypass", json=wish)
    assert (never.status_code, "cannot be bypassed" in never.json()["detail"]) == (409, True)

    code, out = await cli(
        served,
        "supervisor",
        interlocks.app,
        "bypass",
        "IL-307",
        "--minutes",
        "10",
        "--reason",
        "pressure meter swapped",
    )
    assert code == 0
    assert "bypassed by supervisor until" in out
    assert "pressure meter swapped" in out
    (kept,) = await served.plant.historian.bypasses()
    assert (kept.interlock, kept.who, round(kept.until - kept.since)) == ("IL-307", "supervisor", 600)
    assert any(event.kind == "interlock.bypassed" and event.active for event in served.plant.events)
    assert (await cli(served, "operator", interlocks.app, "end-bypass", "IL-307"))[0] == 0
    assert (await cli(served, "operator", interlocks.app, "end-bypass", "IL-307"))[0] == 3
    rows = [row for row in await served.audit() if row["action"] == "POST /interlocks/{name}/bypass"]
    assert [row["outcome"] for row in reversed(rows)].count("done") == 1
    assert {row["outcome"] for row in rows} == {"done", "denied", "refused"}


async def test_limits_as_they_stand_and_a_failed_test_piece_that_is_closed_only_after_an_action(served: Site) -> None:
    await served.plant.look(**{"MT-306": 13.8})  # type: ignore[attr-defined]
    limits = {row["name"]: row for row in (await served.as_("operator").get("/ccp")).json()["limits"]}
    assert (limits["CCP1-moisture"]["state"], limits["CCP1-moisture"]["value"]) == ("operational", 13.8)
    assert limits["CCP1-moisture"]["standard"]["text_verified"] is False
    assert limits["CCP1-product-temp"]["state"] == "unmeasured"
    for lang, words in (
        ("en", "operational ccp CCP1-moisture: Powder moisture 13.80 % wb (limit 8 to 14)"),
        ("zh", "超操作限 ccp CCP1-moisture: 成品水分 13.80 % wb (限值 8 至 14)"),
    ):
        code, out = await cli(served, "operator", quality.ccp, "--lang", lang)
        assert code == 0
        assert words in out

    code, out = await cli(served, "operator", quality.calibrations_app)
    assert code == 0
    assert "Metal detector finds the test pieces" in out
    assert "金属探测器试块验证" in (await cli(served, "operator", quality.calibrations_app, "--lang", "zh"))[1]
    assert (await cli(served, "operator", quality.calibrations_app, "done", "NONE"))[0] == 2
    calibrated = ("done", "CAL-MT-306", "--certificate", "2026-014")
    assert (await cli(served, "operator", quality.calibrations_app, *calibrated))[0] == 3, "a technician's"
    assert (await cli(served, "technician", quality.calibrations_app, *calibrated))[0] == 0
    assert (await cli(served, "operator", quality.calibrations_app, "done", "METAL-TEST"))[0] == 0
    failed = ("done", "METAL-TEST", "--failed", "--found", "stainless piece not found")
    assert (await cli(served, "operator", quality.calibrations_app, *failed))[0] == 0

    (row,) = (await served.as_("operator").get("/deviations")).json()
    assert (row["ccp"], row["state"], row["stage"]) == ("CCP2-metal", "open", "metal-detector")
    for lang, words in (("en", "failed: stainless piece not found"), ("zh", "不合格：stainless piece not found")):
        out = (await cli(served, "operator", quality.deviations_app, "--lang", lang))[1]
        assert words in out
        assert row["corrective_action"][lang] in out
    name = row["deviation_id"]
    sign = {"reason": "oven values looked at", "password": PASSWORD}
    early = await served.as_("supervisor").post(f"/deviations/{name}/close", json=sign)
    assert (early.status_code, "no corrective action yet" in early.json()["detail"]) == (409, True)
    assert (await cli(served, "operator", quality.deviations_app, "action", "D0", "sieved again"))[0] == 2
    empty = await served.as_("operator").post(f"/deviations/{name}/action", json={"action": " "})
    assert empty.status_code == 422
    code, out = await cli(served, "operator", quality.deviations_app, "action", name, "bags 3 and 4 sieved again")
    assert (code, "operator: bags 3 and 4 sieved again" in out) == (0, True)
    assert (await served.as_("operator").post(f"/deviations/{name}/close", json=sign)).status_code == 403
    slip = await served.as_("supervisor").post(f"/deviations/{name}/close", json={**sign, "password": "another one"})
    assert (slip.status_code, slip.json()["type"]) == (403, "urn:linecontrol:problem:not-signed")
    close = ("close", name, "--reason", "oven values looked at")
    assert (await cli(served, "supervisor", quality.deviations_app, *close))[0] == 2, (
        "nobody to be asked for a password"
    )
    close = (*close, "--password-stdin", "--lang", "zh")
    assert (await cli(served, "supervisor", quality.deviations_app, *close, typed=PASSWORD))[0] == 0
    (row,) = (await served.as_("operator").get("/deviations", params={"state": "closed"})).json()
    assert (row["acted_by"], row["closed_by"]) == ("operator", "supervisor")
    (kept,) = await served.plant.historian.deviations()
    assert (kept.state, kept.acted_by, kept.closed_by) == ("closed", "operator", "supervisor")
    (act,) = (await served.plant.historian.traced(kept.run_id)).acts
    assert (act.kind, act.target, act.who, act.meaning) == ("close", name, "operator:supervisor", MEANINGS["close"].zh)
    closings = [row for row in await served.audit() if row["action"] == "POST /deviations/{deviation_id}/close"]
    assert [row["outcome"] for row in reversed(closings)] == ["refused", "denied", "denied", "done"]
    assert PASSWORD not in str(closings)
    checks = [row for row in await served.audit() if row["action"] == "POST /calibrations" and row["outcome"] == "done"]
    assert json.loads(checks[0]["old"])["result"] == "passed", "what was entered before the failed one"
