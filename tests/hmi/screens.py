"""Pictures of every page of the display, at three sizes, in both languages.

    python tests/hmi/screens.py [FOLDER] [--speed 30] [--only run]

Starts a simulated line, its controller and the display, lets a run get under way, and photographs; then the same with
the run held, and with the line gone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "line"), str(HERE), str(HERE.parents[1])]

from hmi_rig import PASSWORD, SIZES, Stage, browser_page, stage  # noqa: E402

from linecontrol.hmi.pages import PAGES  # noqa: E402

SETTLE_MS = 2500
POWDER_PATIENCE_S = 900.0
RUN, LONG = "20260112-0630-Y-17", {"root_kg": 1400}  # long enough to be photographed under way
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
RECIPE = "kudzu-lobata-standard"
PARTS = {
    "station": ("screening", "grinding", "drying"),
    "loop": ("TIC-303",),
    "run_id": (RUN,),
    "/alarms/{tab}": ("away", "proposals", "history", "figures"),
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


async def photograph(on: Stage, folder: Path, state: str, names: dict[str, str]) -> None:
    for language, locale in LANGUAGES.items():
        for size in SIZES:
            async with browser_page(on, locale, size, role="admin") as page:
                await page.goto(on.display.url)
                await page.wait_for_selector('body[data-link="up"]')
                for name, path in names.items():
                    await page.goto(on.display.url + path)
                    await page.wait_for_timeout(SETTLE_MS)
                    if state == "gone":
                        await _lose(on, page)
                    await page.screenshot(path=folder / f"{name}{state and '-'}{state}-{size}-{language}.png")
                    if state == "gone":
                        await _find(on, page)


async def _make_site(on: Stage) -> None:
    """People, a token, and a recipe that waits for approval."""
    for name, role in (("li", "operator"), ("zhang", "technician"), ("王芳", "supervisor")):
        await on.controller.ask("POST", "/users", {"name": name, "role": role, "password": PASSWORD, "language": "zh"})
    token = {"name": "lims", "role": "operator", "scope": ["view", "lab"], "reason": "laboratory"}
    await on.controller.ask("POST", "/tokens", token)
    recipe = (await on.controller.ask("GET", f"/recipes/{RECIPE}")).json()
    recipe["formula"]["moisture_sp"]["value"] = 12.4
    body = {"recipe": recipe, "reason": "drier powder for the winter lots", "who": "zhang"}
    await on.controller.ask("POST", f"/recipes/{RECIPE}/versions", body)


async def _lose(on: Stage, page: Any) -> None:
    import signal

    on.controller.process.send_signal(signal.SIGSTOP)
    await page.wait_for_selector('body[data-link="down"]')


async def _find(on: Stage, page: Any) -> None:
    import signal

    on.controller.process.send_signal(signal.SIGCONT)
    await page.wait_for_selector('body[data-link="up"]')


async def main(folder: Path, speed: float, only: str) -> None:
    names = {name: path for name, path in addresses().items() if only in name}
    with tempfile.TemporaryDirectory() as scratch:
        async with stage(Path(scratch), speed) as on:
            async with asyncio.timeout(60):
                while not all(
                    r["is_met"] for r in (await on.controller.ask("GET", f"/runs/permissives?recipe={RECIPE}")).json()
                ):
                    await asyncio.sleep(0.5)
            await _make_site(on)
            if "run" in names:
                await photograph(on, folder, "idle", {"run": names["run"]})
            await on.controller.ask("POST", "/runs", {"recipe": RECIPE, "run_id": RUN, "values": LONG})
            async with asyncio.timeout(POWDER_PATIENCE_S):
                while not (await on.controller.run_view())["record"]["powder_kg"]:
                    await asyncio.sleep(1.0)
            await photograph(on, folder, "", names)
            await on.controller.ask("POST", f"/runs/{RUN}/commands", {"command": "hold", "reason": "belt slips"})
            held = {name: path for name, path in names.items() if name in ("run", "overview")}
            await photograph(on, folder, "held", held)
            await photograph(on, folder, "gone", {name: path for name, path in held.items() if name == "overview"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screens"))
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--only", default="", help="pages whose name contains this")
    wish = parser.parse_args()
    wish.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(wish.folder, wish.speed, wish.only))
