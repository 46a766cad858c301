"""Pictures of every page of the display and every tab of it, at three sizes, in both languages.

    python tests/hmi/screens.py [FOLDER] [--speed 30] [--only run] [--size phone] [--language zh] [--history DATA]

Makes a history of designed runs in virtual time (or takes one that ``simulate --out DATA`` has made), starts a
simulated line, its controller and the display upon it, lets a run get under way, and photographs; then the same with
the run held, and with the line gone. ``--only`` may be repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "line"), str(HERE), str(HERE.parents[1])]

from hmi_rig import PASSWORD, SIZES, Stage, browser_page, stage  # noqa: E402

from linecontrol.hmi.pages import PAGES, alarms, compare, quality  # noqa: E402

SETTLE_MS = 2500
DESIGN = HERE.parents[1] / "docs" / "examples" / "rasp-and-water.yaml"
POWDER_PATIENCE_S = 900.0
HIGHEST = 6000
LOT = "Y-17"
RUN, LONG = "20260112-0630-Y-17", {"root_kg": 1400}  # long enough to be photographed under way
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
RECIPE = "kudzu-lobata-standard"
PARTS = {
    "station": ("screening", "grinding", "drying"),
    "loop": ("TIC-303",),
    "run_id": (RUN,),
    "/alarms/{tab}": alarms.TABS[1:],
    "/compare/{tab}": tuple(compare.TABS),
    "/quality/{tab}": tuple(quality.SECTIONS),
    "/site/{tab}": ("links", "file"),
    "/recipes/{name}": (RECIPE,),
    "/recipes/{name}/{version}": (f"{RECIPE}/1.1",),
    "/recipes/{name}/{version}/edit": (f"{RECIPE}/1.1/edit",),
}
"""What is put for the parts of an address, by the part or by the whole address."""


def addresses() -> dict[str, str]:
    """Name and address of every page; one with parts once for each of some of them."""
    found = {}
    for page in PAGES:
        if "{" not in page.path:
            found[page.name] = page.path
            continue
        start = page.path.index("{")
        part = page.path[start + 1 : page.path.index("}")]
        for word in PARTS.get(page.path, PARTS.get(part, ())):
            found[f"{page.name}-{word.replace('/', '-')}"] = page.path[:start] + word
    return found


async def _ask(page: Any) -> None:
    """Press the one button that asks for what the tab is about."""
    await page.locator(".filters .btn.main").click()
    await page.wait_for_timeout(SETTLE_MS)
    await page.locator(".filters .btn.main .q-spinner").first.wait_for(state="detached")


async def _ask_overlay(page: Any) -> None:
    """The newest ended run against a band of others."""
    await page.locator('[data-what="draw"]').nth(1).click()
    for i in range(2, 6):
        await page.locator('[data-what="golden"]').nth(i).click()
    await _ask(page)


async def _open_first(page: Any) -> None:
    """The first alarm's details."""
    if await page.locator(".alarm-open").count():
        await page.locator(".alarm-open").first.click()
        await page.wait_for_timeout(SETTLE_MS)


ACTIONS: dict[str, Callable[[Any], Awaitable[None]]] = {
    "alarms": _open_first,
    "compare-overlay": _ask_overlay,
    "compare-groups": _ask,
    "compare-charts": _ask,
    "compare-power": _ask,
    "compare-surface": _ask,
}
"""What is done on a page before it is photographed, where it is asked for something first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is photographed. ``is_whole``: as high as the page is, not as the screen."""

    folder: Path
    sizes: tuple[str, ...]
    languages: tuple[str, ...]
    is_whole: bool


async def photograph(on: Stage, wanted: Wanted, state: str, names: dict[str, str]) -> None:
    for language in wanted.languages:
        for size in wanted.sizes:
            async with browser_page(on, LANGUAGES[language], size, role="admin") as page:
                await page.goto(on.display.url)
                await page.wait_for_selector('body[data-link="up"]')
                for name, path in names.items():
                    await page.goto(on.display.url + path)
                    await page.wait_for_timeout(SETTLE_MS)
                    await _unlock(page)
                    if name in ACTIONS:
                        await ACTIONS[name](page)
                    if state == "gone":
                        await _lose(on, page)
                    if wanted.is_whole:
                        await _stretch(page, size)
                    await page.screenshot(path=wanted.folder / f"{name}{state and '-'}{state}-{size}-{language}.png")
                    if state == "gone":
                        await _find(on, page)


async def _unlock(page: Any) -> None:
    """A round of pictures takes longer than an administrator may be away."""
    password = page.locator(".locked input")
    if await password.count():
        await password.fill(PASSWORD)
        await page.locator(".locked button").click()
        await password.wait_for(state="detached")
        await page.wait_for_timeout(SETTLE_MS)


async def _stretch(page: Any, size: str) -> None:
    """Until nothing needs to be scrolled."""
    width, height = SIZES[size]
    await page.set_viewport_size({"width": width, "height": height})
    more = await page.evaluate(
        "(m => m ? Math.max(0, m.scrollHeight - m.clientHeight) : 0)(document.querySelector('.main'))"
    )
    await page.set_viewport_size({"width": width, "height": min(height + more, HIGHEST)})
    await page.wait_for_timeout(300)


async def until_ready(on: Stage) -> None:
    await on.pass_checks()  # a history without a register: all are due
    await on.controller.ask("POST", "/alarms/acknowledge", {"comment": "done"})
    unmet: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(60):
            while True:
                rows = (await on.controller.ask("GET", f"/runs/permissives?recipe={RECIPE}")).json()
                if not (unmet := [row for row in rows if not row["is_met"]]):
                    return
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise SystemExit(f"no run can be started: {[(row['title']['en'], row['why']) for row in unmet]}") from None


async def _make_site(on: Stage) -> None:
    """People, a token, lots, and a recipe that waits for approval."""
    for lot in (
        {"lot_id": LOT, "species": "lobata", "received_kg": 2400.0, "grower": "何家坪合作社", "season": "winter"},
        {"lot_id": "Y-18", "species": "lobata", "received_kg": 900.0},
    ):
        await on.controller.ask("POST", "/lots", lot)
    for name, role in (("li", "operator"), ("zhang", "technician"), ("王芳", "supervisor")):
        await on.controller.ask("POST", "/users", {"name": name, "role": role, "password": PASSWORD, "language": "zh"})
    token = {"name": "lims", "role": "operator", "scope": ["view", "lab"], "reason": "laboratory"}
    await on.controller.ask("POST", "/tokens", token)
    recipe = (await on.controller.ask("GET", f"/recipes/{RECIPE}")).json()
    recipe["formula"]["moisture_sp"]["value"] = 12.4
    body = {"recipe": recipe, "reason": "drier powder for the winter lots", "who": "zhang"}
    await on.controller.ask("POST", f"/recipes/{RECIPE}/versions", body)


async def _make_work(on: Stage) -> None:
    """Samples in the laboratory."""
    now = (await on.controller.ask("GET", "/tags/MT-306")).json()["time"]
    for value in (12.9, 12.7):
        await on.controller.ask("POST", "/lab", {"tag": "MT-306", "value": value, "sampled_at": now})


async def _make_alarm(on: Stage) -> None:
    """A meter that fails; its alarm is shelved. The run will be held by it."""
    await on.simulated.tell("fault nan:screening:FT-104")
    async with asyncio.timeout(60):
        while "FT-104.QUALITY" not in {row["name"] for row in (await on.controller.ask("GET", "/alarms")).json()}:
            await asyncio.sleep(0.5)
    shelving = {"reason": "meter is being cleaned", "for_s": 14400}
    await on.controller.ask("POST", "/alarms/FT-104.QUALITY/shelve", shelving)


async def _make_history(data: Path, history: Path | None) -> None:
    """Eighteen short runs at nine settings, for the pages that look at many runs."""
    if history is not None:
        await asyncio.to_thread(shutil.copytree, history, data)
        return
    command = ["simulate", "--vary", str(DESIGN), "--seeds", "1..2", "--set", "root_kg=50", "--laboratory"]
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "linecontrol", *command, "--out", str(data), stdout=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0


async def _lose(on: Stage, page: Any) -> None:
    on.controller.process.send_signal(signal.SIGSTOP)
    await page.wait_for_selector('body[data-link="down"]')


async def _find(on: Stage, page: Any) -> None:
    on.controller.process.send_signal(signal.SIGCONT)
    await page.wait_for_selector('body[data-link="up"]')


async def main(wanted: Wanted, speed: float, only: list[str], history: Path | None) -> None:
    names = {name: path for name, path in addresses().items() if any(one in name for one in only or [""])}
    with tempfile.TemporaryDirectory() as scratch:
        await _make_history(Path(scratch) / "data", history)
        async with stage(Path(scratch), speed) as on:
            await until_ready(on)
            await _make_site(on)
            if "run" in names:
                await photograph(on, wanted, "idle", {"run": names["run"]})
            await on.controller.ask("POST", "/runs", {"recipe": RECIPE, "run_id": RUN, "lot": LOT, "values": LONG})
            async with asyncio.timeout(POWDER_PATIENCE_S):
                while not (await on.controller.run_view())["record"]["powder_kg"]:
                    await asyncio.sleep(1.0)
            await _make_work(on)
            alarming = {name: path for name, path in names.items() if name.startswith("alarms")}
            await photograph(on, wanted, "", {name: path for name, path in names.items() if name not in alarming})
            if alarming:
                await _make_alarm(on)
                await photograph(on, wanted, "", alarming)
            await on.controller.ask("POST", f"/runs/{RUN}/commands", {"command": "hold", "reason": "belt slips"})
            held = {name: path for name, path in names.items() if name in ("run", "overview")}
            await photograph(on, wanted, "held", held)
            await photograph(on, wanted, "gone", {name: path for name, path in held.items() if name == "overview"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screens"))
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--only", action="append", default=[], help="pages whose name contains this")
    parser.add_argument("--size", action="append", choices=list(SIZES), help="default: all")
    parser.add_argument("--language", action="append", choices=list(LANGUAGES), help="default: both")
    parser.add_argument("--history", type=Path, help="data folder with ended runs, made before")
    parser.add_argument("--whole", action="store_true", help="as high as the page, not as the screen")
    wish = parser.parse_args()
    wish.folder.mkdir(parents=True, exist_ok=True)
    made = Wanted(wish.folder, tuple(wish.size or SIZES), tuple(wish.language or LANGUAGES), wish.whole)
    asyncio.run(main(made, wish.speed, wish.only, wish.history))
