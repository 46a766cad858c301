"""What is wrong in a recipe file is told as in every other file: where, what, and what is accepted."""

from __future__ import annotations

import pytest

from linecontrol.config import parse_document, shipped_dir
from linecontrol.line.recipes import recipe_problems

TEXT = (shipped_dir("recipes") / "kudzu-lobata-standard.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version:", "versionn: 1\nversion:", ["r.yaml:3: versionn: unknown key (accepted: version)"]),
        ("value: 12.8", "value: .nan", [".nan is not a finite number", "accepted: a finite number"]),
        ("value: 12.8", "value: abc", ["formula.moisture_sp.value: 'abc' is not a number (accepted: a number)"]),
        ("value: 12.8", "value: 15", ["formula.moisture_sp: value 15.0 % wb is too large (accepted: 11 to 13.5 % wb)"]),
        ("mode: REMOTE", "mode: REMOT", ["params.mode: 'REMOT' is not accepted (accepted: 'MAN', 'AUTO'"]),
        ("mode: REMOTE", "mode: REMOTE, mod: 1", ["params.mod: unknown key (accepted: loop, mode, sp"]),
        ("kind: sync, ", "kind: sink, ", ["unknown phase kind 'sink'"]),
        ("\nprocedure:", "\nprocedures:", ["procedure: is missing", "procedures: unknown key (accepted: procedure)"]),
    ],
)
def test_a_mistake_in_a_recipe_is_told_once_with_what_is_accepted(old: str, new: str, told: list[str]) -> None:
    assert old in TEXT
    found = [str(problem) for problem in recipe_problems(parse_document(TEXT.replace(old, new, 1), "r.yaml"))]
    assert all(any(words in line for line in found) for words in told), found
    assert len(found) == len(told) if "missing" in told[0] else len(found) == 1, found
    assert all("accepted: " in line and line.startswith("r.yaml:") for line in found)
