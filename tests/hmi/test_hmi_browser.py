"""The display in a real browser, against the real controller and a simulated plant."""

from __future__ import annotations

import asyncio
import re
import signal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from hmi_rig import Stage, browser_page, needs_browser
from line_rig import PATIENCE_S

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]
UP = 'body[data-link="up"]'
SPEED = 120.0


async def test_an_operator_who_reads_chinese_runs_the_line(line: Stage) -> None:
    """From the lot that is registered to the laboratory's value of what came of it."""
    async with browser_page(line) as page:
        await page.goto(line.display.url + "/quality/lots")
        for label, text in (("批号", "Y-17"), ("品种", "lobata"), ("收货 kg", "900")):
            await page.get_by_label(label).fill(text)
        await page.get_by_role("button", name="登记").click()
        await page.get_by_role("cell", name="Y-17").wait_for()
        await page.goto(line.display.url + "/run")
        await page.get_by_text("启动条件").wait_for()
        await page.locator(".checklist .met").nth(3).wait_for()  # every station takes commands
        await page.get_by_label("处理鲜葛根").fill("50")
        await page.get_by_label("批号").click()
        await page.get_by_role("option", name="Y-17").click()
        await page.get_by_role("button", name="启动").click()
        await page.get_by_text("启动 标准葛根粉（野葛）？").wait_for()
        await page.locator(".ask .btn.main").click()
        await page.locator(".ask").wait_for(state="detached")

        await page.locator('.pill[data-state="Running"]').first.wait_for()
        await page.locator(".phase.here").first.wait_for()
        view = await line.controller.run_view()
        assert view["run_id"].endswith("-Y-17")
        assert view["record"]["values"]["root_kg"] == 50.0
        restart = page.locator(".commands").get_by_role("button", name="重启")
        assert await restart.is_disabled()
        assert "运行时不可用" in await restart.inner_text()

        await page.locator(".commands").get_by_role("button", name="保持", exact=True).click()
        await page.get_by_text("已保持，原因：").wait_for()
        assert (await line.controller.run_view())["state"] in ("Holding", "Held")
        await page.get_by_role("button", name="重启生产").click()
        await page.locator(".ask .btn.main").click()
        await page.locator('.pill[data-state="Running"]').first.wait_for()

        await page.get_by_text("上次生产").wait_for(timeout=150_000)
        record = (await line.controller.run_view())["record"]
        assert record["state"] == "Complete"
        shown = page.locator('[data-k="run.record.extraction_yield"]').first
        async with asyncio.timeout(PATIENCE_S):  # the last powder may still fall when the run has ended
            while await shown.inner_text() != f"{record['extraction_yield'] * 100:.1f}":
                record = (await line.controller.run_view())["record"]
        assert record["lot"] == "Y-17"

        await page.goto(line.display.url + "/lab")
        await page.get_by_label("分析项目").click()
        await page.get_by_role("option", name="薯渣游离淀粉").click()
        field, save = page.get_by_label("数值"), page.get_by_role("button", name="保存")
        await field.fill("95")
        await save.click()
        await page.locator(".q-notification", has_text="20").wait_for()  # what is accepted
        await field.fill("0.42")
        await save.click()
        await page.get_by_role("row", name="薯渣游离淀粉").get_by_text("0.42").wait_for()
        [entered] = (await line.controller.ask("GET", "/lab?tag=PULP-FREE")).json()
        assert (entered["value"], entered["run_id"], entered["who"]) == (0.42, view["run_id"], "operator")
        assert line.errors == []
        assert {urlsplit(url).hostname for url in line.requests if not url.startswith("data:")} == {"127.0.0.1"}


async def test_a_wash_asks_and_is_answered_by_name(line: Stage) -> None:
    async with browser_page(line, "en-GB") as page:
        await page.goto(line.display.url + "/run")
        await page.get_by_role("radio", name="End-of-day wash").click()
        start = page.locator(".start-box .btn.main")
        await page.locator(".checklist .met").nth(3).wait_for()
        await start.click()
        await page.locator(".ask .btn.main").click()
        question = page.locator(".question", has_text="covers are closed")
        await question.get_by_role("button", name="Confirm as operator-en").click()
        await question.wait_for(state="detached")
        async with asyncio.timeout(PATIENCE_S):
            while not (events := (await line.controller.ask("GET", "/events?kind=run.answer")).json()):
                await asyncio.sleep(0.1)
        assert events[0]["data"]["who"] == "operator:operator-en"


async def test_a_controller_that_hangs_greys_everything(line: Stage) -> None:
    async with browser_page(line) as page:
        await page.goto(line.display.url + "/stations/drying")
        await page.wait_for_selector(UP)
        await page.locator(".edit").first.wait_for()
        line.controller.process.send_signal(signal.SIGSTOP)
        try:
            await is_grey(page)
        finally:
            line.controller.process.send_signal(signal.SIGCONT)  # or nobody after this would be answered
        await page.wait_for_selector(UP)
        assert await page.locator(".cmd").evaluate_all("all => all.every(e => !e.inert)")


async def is_grey(page: Any) -> None:
    """Every value is greyed and every command out of reach, and the page says so."""
    await page.wait_for_selector('body[data-link="down"]')
    assert await page.locator(".lost").is_visible()
    grey = "e => getComputedStyle(e.closest('.live')).filter"
    assert await page.locator(".values .value").first.evaluate(grey) == "grayscale(1)"
    assert await page.locator(".cmd").evaluate_all("all => all.length > 0 && all.every(e => e.inert)")


async def test_a_run_whose_controller_was_killed_asks_whether_to_go_on(line: Stage) -> None:
    """kill -9 in a run: the display greys; back again it says why the run is held and since when, and goes on."""
    async with browser_page(line) as page:
        await page.goto(line.display.url + "/stations/drying")
        await page.wait_for_selector(UP)
        run = {"recipe": "kudzu-lobata-standard", "values": {"root_kg": 2000}}
        await line.begin(run)
        await line.controller.until_view(lambda view: view["state"] == "Running")
        await line.controller.kill()
        await is_grey(page)
        await line.controller.start(same_port=True)
        await page.wait_for_selector(UP)
        view = await line.controller.until_view(lambda view: view["state"] == "Held")
        await page.goto(line.display.url + "/run")
        held = page.locator(".held")
        await held.get_by_text("已保持，原因：").wait_for()
        said = await held.inner_text()
        assert "控制器于" in said  # why, in Chinese
        assert "当时生产为运行" in said
        assert re.search(r"\d{4}年\d+月\d+日 \d\d:\d\d:\d\d", said)  # since when
        assert view["reason"].startswith("controller stopped at ")
        await line.commanded()  # the stations are claimed again first
        await line.reset()
        await line.pass_checks()  # some of them fall due within a minute at this speed
        await page.get_by_role("button", name="重启生产").click()
        await page.locator(".ask .btn.main").click()
        await page.locator('.pill[data-state="Running"]').first.wait_for()
        assert (await line.controller.run_view())["state"] == "Running"


async def test_a_display_that_dies_is_noticed_by_the_browser_and_comes_back(line: Stage) -> None:
    async with browser_page(line) as page:
        await page.goto(line.display.url)
        await page.wait_for_selector(UP)
        await line.display.kill()
        await page.wait_for_selector('body[data-link="gone"]')
        await line.display.start()
        await page.wait_for_selector(UP)


async def test_the_language_changes_without_loading_anew(line: Stage) -> None:
    async with browser_page(line, "en-GB", role="researcher") as page:
        await page.goto(line.display.url)
        await page.get_by_text("Root hopper").first.wait_for()
        await page.evaluate("window.isTheSame = true")
        await page.get_by_role("button", name="中文").click()
        await page.get_by_text("原料斗").first.wait_for()
        assert await page.evaluate("window.isTheSame") is True
        await page.wait_for_function("document.documentElement.lang === 'zh-CN'")
        await page.reload()
        await page.get_by_text("原料斗").first.wait_for()
        await page.goto(line.display.url + "/users")  # not for a researcher, who is told so
        await page.get_by_text("您的角色无权查看此页").wait_for()


async def test_a_set_point_is_changed_on_the_faceplate_and_read_back(line: Stage) -> None:
    async with browser_page(line, "en-GB") as page:
        await page.goto(line.display.url + "/stations/drying")
        await page.locator(".loop", has_text="MIC-306").click()
        await page.get_by_role("button", name="Change set point").click()
        field = page.locator(".ask input")
        await field.fill("99")
        await page.locator(".ask .btn.main").click()
        await page.locator(".ask .q-field--error").wait_for()  # outside its limits: it goes no further
        await field.fill("12.4")
        await page.locator(".ask .btn.main").click()
        await page.get_by_text("12.80 → 12.40").wait_for()
        await page.get_by_role("button", name="Command").click()
        await page.get_by_text("MIC-306.SP reads back 12.40").wait_for()
        await page.locator('.faceplate [data-k="t.MIC-306.WSP"]', has_text="12.40").first.wait_for()
        async with asyncio.timeout(PATIENCE_S):
            while (row := await last_command(line))["who"] != "operator:operator-en":
                await asyncio.sleep(0.1)
        assert (row["tag"], row["value"], row["outcome"]) == ("MIC-306.SP", 12.4, "confirmed")


async def last_command(on: Stage) -> dict[str, Any]:
    found: dict[str, Any] = (await on.controller.ask("GET", "/commands?limit=1")).json()[0]
    return found


async def test_a_trend_goes_from_live_back_into_the_record_without_a_gap(line: Stage) -> None:
    async with browser_page(line, "en-GB") as page:
        await page.goto(line.display.url)
        await page.wait_for_selector(UP)
        await page.wait_for_function(
            "line.value('now') - performance.timeOrigin / 1000 > 120"
        )  # two minutes of line time
        asked: list[str] = []
        page.on("response", lambda answer: asked.append(answer.url) if "tag=TT-303" in answer.url else None)
        await page.goto(line.display.url + "/stations/drying")
        points = """() => {
          const chart = getElement(Number(document.querySelector('.trend')?.id.slice(1)))?.chart;
          const found = chart?.getOption().series?.find((s) => s.id === 'TT-303')?.data ?? [];
          return found.map((row) => row[0] / 1000);
        }"""
        opened = await page.evaluate("performance.timeOrigin / 1000")
        await page.wait_for_function(
            f"() => {{ const t = ({points})(); return t.length > 40 && t.at(-1) - t[0] > 200; }}", timeout=60_000
        )
        async with asyncio.timeout(PATIENCE_S):
            while len(asked) < 2:  # what the record still lacked is asked for again
                await asyncio.sleep(0.1)
        seen = await page.evaluate("line.value('now')")
        await page.wait_for_function(f"() => ({points})().at(-1) > {seen + 2 * SPEED}")  # and it is drawn
        times = await page.evaluate(points)
        gaps = [after - before for before, after in pairwise(times)]
        assert times == sorted(times)
        assert max(gaps) < SPEED * 2.5, opened  # never more than some broadcasts
