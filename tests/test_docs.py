"""The documentation's commands, run as written, beside a served demo line; its snippets; its links."""

import asyncio
import re
import shlex
import sys
import traceback
from pathlib import Path

import pytest
from line_rig import Controller, line_file, simulator
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from simulator.yaml_text import load_yaml

SPEED = 15.0  # no command here waits for the plant, so that a busy machine keeps up
ROOT = Path(__file__).parent.parent
GUIDES = sorted((ROOT / "docs").glob("*.md"))
# it has the same commands; tests/test_tutorial.py; tests/test_tutorial_compare.py
RUN_ELSEWHERE = ("operator.zh.md", "tutorial-tuning.md", "compare.md", "tutorial-compare.md")
STARTED_ELSEWHERE = ("run.py demo", "run.py test")  # tests/line/test_line_run.py, and this very test


def commands(path: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines() if line and not line.startswith("#")]


def test_links_between_documents_lead_somewhere() -> None:
    for path in [*GUIDES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_both_operator_guides_have_the_same_commands() -> None:
    english, chinese = (commands(ROOT / "docs" / name) for name in ("operator.md", "operator.zh.md"))
    without_reasons = [re.sub(r'"[^"]*"', '""', line) for line in english]
    assert without_reasons == [re.sub(r'"[^"]*"', '""', line) for line in chinese]


def test_yaml_in_the_guides_is_yaml() -> None:
    for path in GUIDES:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            assert load_yaml(block)


def needs_a_line(command: str) -> bool:
    """Whether it asks a served line, as all do that say so in no other way: the twin, a file and a folder are none."""
    words = command.split()
    if words[:2] in (["linecontrol", "simulate"], ["linecontrol", "schema"]) or not words[0].endswith("linecontrol"):
        return False
    return not {"--version", "check", "--csv", "--data", "--database"} & set(words)


@pytest.mark.timeout(600)
async def test_every_command_for_a_served_line_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One served line for all of them; each must end with exit code 0."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    data = tmp_path / "data" / "linecontrol" / "demo"
    async with simulator(SPEED) as sim:
        controller = Controller(line_file(tmp_path, sim.endpoints), data, SPEED)
        await controller.start()
        try:
            while any(s["objection"] for s in (await controller.ask("GET", "/status")).json()["stations"].values()):
                await asyncio.sleep(0.1)
            for path in (guide for guide in GUIDES if guide.name not in RUN_ELSEWHERE):
                for line in filter(needs_a_line, commands(path)):
                    await run(line, path, sim.endpoints, tmp_path)
                    if line.startswith("linecontrol hold"):
                        await controller.until_view(lambda view: view["state"] == "Held")
                    if line.startswith("linecontrol stop"):
                        await controller.until_view(lambda view: view["state"] == "Stopped")
        finally:
            print("".join(controller.said[-40:]))  # shown when it fails: what the line was at
            assert await controller.stop() == 0


async def run(line: str, path: Path, endpoints: dict[str, str], folder: Path) -> None:
    """One command as written; ``linecontrol`` in this process, which spares each a second of imports."""
    if any(word in line for word in STARTED_ELSEWHERE):
        return
    words = shlex.split(line.removeprefix(".venv/bin/"))
    words = [str(folder / word) if word.startswith("build/") else word for word in words]
    words = [str(folder / "line.yaml") if word == "demo" and endpoints else word for word in words]
    if words[0] == "linecontrol":
        done = await asyncio.to_thread(CliRunner().invoke, app, words[1:])
        why = [] if done.exception is None else traceback.format_exception(done.exception)
        code, said = done.exit_code, "".join([done.output, *why])
    else:
        words[:1] = [sys.executable] if words[0] == "python3" else words[:1]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
        out, _ = await process.communicate()
        code, said = process.returncode or 0, out.decode()
    assert code == 0, f"{path.name}: {line}\n{said}"
