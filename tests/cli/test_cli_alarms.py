"""`linecontrol alarms`: what a person reads, in either language, and what is asked of the controller."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from linecontrol.cli import client
from linecontrol.cli.alarms import app
from linecontrol.config import read_line
from linecontrol.core.model import Sample, Status
from linecontrol.guard.alarms import AlarmSystem
from linecontrol.line.alarm_rows import alarm_rows, event_rows
from linecontrol.line.alarm_view import alarm_view


def rows() -> list[dict[str, Any]]:
    config = read_line("demo")
    system = AlarmSystem(alarm_rows(config), event_rows(config))
    samples = {name: Sample(0.0, Status.GOOD, 0.0) for name in system.tags} | {
        "TT-303": Sample(200.0, Status.GOOD, 0.0)
    }
    for second in range(10):
        system.tick(1_700_000_000.0 + second, samples, "Idle")
    return [alarm_view(alarm, 1_700_000_010.0) for alarm in system.alarms.values() if alarm.state.value == "UNACK"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """Answers of a controller in which the air is too hot; and what it was asked."""
    questions: list[tuple[str, str, Any]] = []

    def ask(method: str, _url: str | None, path: str, body: Any = None) -> Any:
        questions.append((method, path, body))
        if path == "/alarms/acknowledge":
            return {"acknowledged": rows(), "refused": [{"name": "X", "reason": "it is normal"}]}
        return rows() if path.startswith("/alarms?") or path == "/alarms" else rows()[0]

    monkeypatch.setattr(client, "ask", ask)
    return questions


@pytest.mark.parametrize(("lang", "text"), [("en", "The drying air is too hot"), ("zh", "进风温度过高")])
def test_the_list_says_what_is_wrong_and_what_to_do(asked: list[Any], lang: str, text: str) -> None:
    out = CliRunner().invoke(app, ["--lang", lang])
    assert out.exit_code == 0
    line = next(row for row in out.output.splitlines() if "TT-303.HIGH" in row)
    assert line.startswith("!!!")
    assert text in line
    assert rows()[0]["action"][lang] in out.output
    assert asked == [("GET", "/alarms", None)]


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["ack"], "acknowledge", {"names": None, "who": "operator", "comment": ""}),
        (["ack", "A.HIGH", "--who", "li"], "acknowledge", {"names": ["A.HIGH"], "who": "li", "comment": ""}),
        (
            ["shelve", "A.HIGH", "--minutes", "30", "--reason", "noisy"],
            "A.HIGH/shelve",
            {"who": "operator", "reason": "noisy", "for_s": 1800.0},
        ),
        (["unshelve", "A.HIGH"], "A.HIGH/unshelve", {"who": "operator", "reason": ""}),
        (["reset", "A.HIGH"], "A.HIGH/reset", {"who": "operator", "reason": ""}),
        (["out-of-service", "A.HIGH", "--reason", "x"], "A.HIGH/out-of-service", {"who": "operator", "reason": "x"}),
        (["return", "A.HIGH"], "A.HIGH/return", {"who": "operator", "reason": ""}),
        (["comment", "A.HIGH", "fixed"], "A.HIGH/comment", {"who": "operator", "text": "fixed"}),
    ],
)
def test_each_verb_asks_for_itself(asked: list[Any], words: list[str], path: str, body: dict[str, Any]) -> None:
    out = CliRunner().invoke(app, words)
    assert out.exit_code == 0, out.output
    assert asked == [("POST", f"/alarms/{path}", body)]
    assert "UNACK" in out.output


def test_a_shelf_without_a_reason_is_not_asked_for(asked: list[Any]) -> None:
    assert CliRunner().invoke(app, ["shelve", "A.HIGH"]).exit_code == 2
    assert asked == []
