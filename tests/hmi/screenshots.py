"""Pictures of the display's pages at three sizes in both languages, for people to look at.

    .venv/bin/python -m tests.hmi.screenshots --url http://127.0.0.1:8480 --out pictures [--page /alarms/now …]

Needs a display that runs (`linecontrol demo`) and Chromium. Written beside the repository's work, never into it.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
from pathlib import Path

from playwright.async_api import Browser, async_playwright

SIZES = {"panel": (1366, 768), "tablet": (820, 1180), "phone": (390, 844)}
LANGUAGES = ("en", "zh")
PAGES = (
    "/", "/run", "/stations/screening", "/stations/grinding", "/stations/drying", "/alarms", "/alarms/away",
    "/alarms/history", "/alarms/figures", "/tuning", "/tuning/TIC-303", "/lab", "/runs", "/site", "/site/recipes",
    "/site/file",
)  # fmt: skip
SETTLE_MS = 2500  # charts are drawn by the browser after the page has come
AGENT = {"en": "en-GB", "zh": "zh-CN"}


async def pictures(url: str, out: Path, pages: list[str], sizes: list[str]) -> list[Path]:
    """Take them; returns the files written."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
        found = []
        for size in sizes:
            for language in LANGUAGES:
                found += await _one(browser, url, out, pages, size, language)
        await browser.close()
    return found


async def _one(browser: Browser, url: str, out: Path, pages: list[str], size: str, language: str) -> list[Path]:
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, locale=AGENT[language], has_touch=size != "panel"
    )
    page = await context.new_page()
    found = []
    for path in pages:
        await page.goto(url + path)
        await page.wait_for_selector('body[data-link="up"]')
        await page.wait_for_timeout(SETTLE_MS)
        name = path.strip("/").replace("/", "-") or "overview"
        found.append(out / f"{name}-{size}-{language}.png")
        await page.screenshot(path=str(found[-1]))
    await context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8480")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", action="append", help="address of a page; default: all")
    parser.add_argument("--size", action="append", choices=list(SIZES), help="default: all")
    wish = parser.parse_args()
    wish.out.mkdir(parents=True, exist_ok=True)
    for path in asyncio.run(pictures(wish.url, wish.out, wish.page or list(PAGES), wish.size or list(SIZES))):
        print(path)


if __name__ == "__main__":
    main()
