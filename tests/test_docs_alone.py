"""The documentation's commands that ask no served line, run as written: the twin, files and folders."""

from pathlib import Path

import pytest
from test_docs import GUIDES, RUN_ELSEWHERE, commands, needs_a_line, run


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "guide", [path for path in GUIDES if path.name not in RUN_ELSEWHERE], ids=lambda path: path.name
)
async def test_every_command_that_needs_no_line_does_what_it_says(
    guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, as written: what one leaves behind the next may use."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "build").mkdir()
    for line in commands(guide):
        if not needs_a_line(line):
            await run(line, guide, {}, tmp_path)
