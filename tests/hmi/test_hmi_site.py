"""The site in a real browser: people let in, a recipe changed and approved; and what holds of every page: nothing that
somebody has typed is run, every word can be read, every command reached with the keyboard."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hmi_rig import PASSWORD, DisplayProcess, Stage, browser_page, needs_browser
from screens import PARTS, addresses

sys.path.append(str(Path(__file__).parents[1] / "api"))
from access_rig import site

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]
NAME = "kudzu-lobata-standard"
SPEED = 4.0
PAYLOADS = ("<script>alert(1)</script>", "<img src=x onerror=alert(2)>", '"><svg onload=alert(3)>', "{{7*7}}")


async def test_an_administrator_lets_somebody_in(line: Stage) -> None:
    """A new user, who chooses a password with the one-time token; then locked out, which ends the session."""
    async with browser_page(line, role="admin") as page:
        await page.goto(line.display.url + "/users")
        await page.get_by_role("button", name="添加用户").click()
        await page.locator(".ask input").first.fill("陈静")
        await page.locator(".ask .btn.main").click()
        token = await page.locator(".secret").inner_text()
        assert token.startswith("lcr_")
        assert token not in str((await line.controller.ask("GET", "/audit?limit=20")).json())

        fresh = await (await line.browser()).new_context(locale="zh-CN")
        try:
            other = await fresh.new_page()
            await other.goto(line.display.url)
            await other.get_by_role("button", name="我有一次性令牌").click()  # whoever comes next is not logged in
            await other.get_by_role("button", name="设置密码").wait_for()
            fields = await other.locator(".panel.narrow input").all()
            for field, word in zip(fields, (token, "陈静", PASSWORD, PASSWORD), strict=True):
                await field.fill(word)
            await other.get_by_role("button", name="设置密码").click()
            await other.locator('input[autocomplete="current-password"]').fill(PASSWORD)
            await other.locator('input[autocomplete="username"]').fill("陈静")
            await other.locator(".panel.narrow .btn.main").click()
            await other.locator(".person-name", has_text="陈静").wait_for()
            assert await other.locator(".demo-user").count() == 0
            assert await other.locator('.place[href="/tuning"]').count() == 0  # an operator's pages, and no others

            row = page.locator("tr", has_text="陈静").first
            await row.get_by_role("button", name="锁定").click()
            await page.locator(".ask input").fill("休假")
            await page.locator(".ask .btn.main").click()
            await page.locator("tr", has_text="陈静").get_by_text("已锁定").wait_for()
            await other.locator('input[autocomplete="current-password"]').wait_for()  # out at once
        finally:
            await fresh.close()
        await page.goto(line.display.url + "/audit")
        done = page.locator("tr", has_text="PATCH /users/").first
        await done.wait_for()
        said = await done.inner_text()
        for words in ("更改用户", "admin", "is_enabled: true", "is_enabled: false", "休假", "已执行"):
            assert words in said, (words, said)


async def test_a_demo_logs_in_its_own_browsers_and_says_so(line: Stage, tmp_path: Path) -> None:
    async with site(tmp_path, is_demo=True) as api:
        display = DisplayProcess(api.url, tmp_path / "display", "--access", str(tmp_path / "access"))
        context = await (await line.browser()).new_context(locale="zh-CN")
        try:
            await display.start()
            page = await context.new_page()
            await page.goto(display.url)
            await page.locator(".demo-user", has_text="演示").wait_for()
            assert await page.locator(".person-name").inner_text() == "demo"
            assert await page.locator('input[autocomplete="current-password"]').count() == 0
        finally:
            await context.close()
            await display.kill()


async def test_a_recipe_is_changed_by_one_and_approved_by_another(line: Stage) -> None:
    async with browser_page(line, "en-GB", role="technician") as page:
        await page.goto(f"{line.display.url}/recipes/{NAME}")
        await page.get_by_role("button", name="Edit", exact=True).click()
        row = page.locator(".formula-row", has_text="Roots to process")
        await row.locator("input").nth(0).fill("10")  # below its own lower limit
        await save(page, "smaller lots")
        problem = page.locator(".panel.off")
        await problem.get_by_text("formula.root_kg").wait_for()
        assert "50 to 20000 kg" in await problem.inner_text()

        await row.locator("input").nth(0).fill("250")
        await save(page, "smaller lots")
        await page.get_by_text("What differs from version 1.0").wait_for()
        shown = await page.locator(".page").inner_text()
        assert re.search(r"formula\.root_kg\.value\s+300\s+250", shown)
        assert await page.get_by_role("button", name="Approve").is_disabled()
        version = page.url.rsplit("/", 1)[1]
    async with browser_page(line, role="supervisor") as page:
        await page.goto(f"{line.display.url}/recipes/{NAME}/{version}")
        for verb in ("批准", "启用"):
            await page.locator(".page").get_by_role("button", name=verb, exact=True).click()
            await page.locator(".ask input").fill("试过两批")
            await page.locator(".ask .btn.main").click()
            await page.locator(".page").get_by_role("button", name=verb, exact=True).wait_for(state="detached")
        assert (await line.controller.ask("GET", f"/recipes/{NAME}")).json()["version"] == version
        await page.goto(line.display.url + "/run")
        field = page.get_by_label("处理鲜葛根")
        await field.wait_for()
        assert await field.input_value() == "250"
    assert line.errors == []


async def save(page: Any, why: str) -> None:
    await page.get_by_role("button", name="Save as a new draft").click()
    await page.locator(".ask input").fill(why)
    await page.locator(".ask .btn.main").click()
    await page.locator(".ask").wait_for(state="detached")


async def test_what_somebody_has_typed_is_shown_and_never_run(line: Stage) -> None:
    """Into every text that people may fill in and others are shown."""
    typed = " ".join(PAYLOADS)
    recipe = (await line.controller.ask("GET", f"/recipes/{NAME}")).json()
    recipe |= {"name": "typed", "version": "1.0", "title": {"en": typed, "zh": typed}, "product": recipe["title"]}
    made = await line.controller.ask("POST", "/recipes/typed/versions", {"recipe": recipe, "reason": typed})
    assert made.status_code == 201, made.text
    for verb in ("approve", "activate"):
        done = await line.controller.ask("POST", f"/recipes/typed/versions/1.0/{verb}", {"reason": typed})
        assert done.status_code == 200
    alarm = (await line.controller.ask("GET", "/alarms?all=true")).json()[0]["name"]
    said = await line.controller.ask("POST", f"/alarms/{alarm}/comment", {"text": typed, "who": "li"})
    assert said.status_code == 200
    await line.controller.ask("POST", "/commands", {"tag": "SC-307", "value": 25, "reason": typed})
    async with browser_page(line, role="admin") as page:
        parts = ("", "/typed", "/typed/1.0", "/typed/1.0/edit")
        for path in (*(f"/recipes{part}" for part in parts), "/run", "/audit", "/alarms/history"):
            await page.goto(line.display.url + path)
            await page.get_by_text("onerror=alert(2)").first.wait_for()
            assert await page.locator("img[src=x], svg[onload]").count() == 0
    assert line.dialogs == []
    assert line.errors == []


READABLE = r"""() => {
  const number = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const bright = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), c = number(style.backgroundColor);
      if (style.backgroundImage !== "none") return null;
      if (c[3] > 0.99) return c;
    }
    return [255, 255, 255, 1];
  };
  const poor = new Set();
  const texts = document.createTreeWalker(document.querySelector(".frame"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement, said = texts.currentNode.data.trim().slice(0, 30);
    if (!said || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (e.closest("[disabled], .disabled, [inert], [aria-hidden=true], svg")) continue;
    const style = getComputedStyle(e), back = ground(e);
    if (!back) continue;
    const [a, b] = [bright(number(style.color)), bright(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), isBold = Number(style.fontWeight) >= 700;
    const ratio = (a + 0.05) / (b + 0.05);
    const least = size >= 24 || (size >= 18.66 && isBold) ? 3 : 4.5;
    if (ratio < least) poor.add(`${said} ${ratio.toFixed(2)} .${e.className}`);
  }
  return [...poor];
}"""
"""WCAG 2.2, 1.4.3: texts whose contrast with what they stand on is below 4.5, or 3 for large ones."""

UNREACHABLE = r"""() => {
  const ways = "a[href], button, input, select, textarea, summary, label, [tabindex='0'], [disabled], .disabled";
  return [...document.querySelectorAll(".frame *")]
    .filter((e) => e.checkVisibility() && getComputedStyle(e).cursor === "pointer" && !e.closest(ways))
    .map((e) => `${e.tagName} .${e.getAttribute("class")} ${e.textContent.trim().slice(0, 30)}`);
}"""
"""What a mouse can press and the Tab key cannot come to."""


async def test_every_page_can_be_read_and_reached_with_the_keyboard(line: Stage) -> None:
    found = {}
    alike = {f"stations-{word}" for word in PARTS["station"][1:]} | {"alarms-proposals", "site-links"}
    async with browser_page(line, role="admin") as page:
        await page.goto(line.display.url + "/site/links")
        await page.wait_for_selector('body[data-link="up"]')
        await drawn(page)
        for name, path in addresses().items():
            if name in alike or name.startswith("runs-") or "1.1" in path:
                continue
            await go(page, path)
            wrong = [*await page.evaluate(READABLE), *await page.evaluate(UNREACHABLE)]
            if wrong:
                found[name] = wrong
        assert found == {}
        faint = """document.querySelector(".main").insertAdjacentHTML("beforeend", "<p style='color:#999'>faint</p>")"""
        await page.evaluate(faint)  # what this looks for, it finds
        assert [word.split()[0] for word in await page.evaluate(READABLE)] == ["faint"]

        # the way from the top of a page to another one, without a mouse
        await page.goto(line.display.url)
        await page.locator(".place").first.wait_for()
        here = "document.activeElement.matches('.place[href=\"/alarms\"]')"
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await page.evaluate(here):
                break
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(outline.removesuffix("px")) >= 2
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/alarms")


async def go(page: Any, path: str) -> None:
    """To another page as by a link, which does not load the display anew, and wait until it has come."""
    follow = """(path) => {
      for (const e of document.querySelectorAll(".main > .nicegui-sub-pages > *")) e.dataset.left = "";
      window.counted = undefined; const link = document.body.appendChild(document.createElement("a"));
      link.href = path; link.click(); link.remove(); }"""
    await page.evaluate(follow, path)
    await page.wait_for_url(f"**{path}")
    await page.wait_for_function("() => !document.querySelector('[data-left]')")
    await drawn(page)


async def drawn(page: Any) -> None:
    """Wait until the page has come and no more is added to it."""
    still = """() => { const n = document.querySelectorAll(".main > .nicegui-sub-pages *").length, was = window.counted;
      window.counted = n; return n > 3 && n === was; }"""
    await page.wait_for_function(still, polling=300)


WIDE = """() => document.documentElement.scrollWidth > innerWidth + 1
  || document.querySelector(".main").scrollWidth > innerWidth + 1"""


async def test_every_page_is_in_reach_on_a_phone(line: Stage) -> None:
    async with browser_page(line, size="phone", role="admin") as page:
        await page.goto(line.display.url)
        for path in ("/runs", "/site", "/lab", "/tuning"):
            await page.locator(".place.more").click()
            await page.locator(f'.more-menu .place[href="{path}"]').click()
            await page.wait_for_url(f"**{path}")
        for path in ("/", "/run", "/stations/drying", "/alarms", "/tuning", "/runs", "/users", "/audit", "/recipes"):
            await go(page, path)
            assert await page.evaluate(WIDE) is False, path
