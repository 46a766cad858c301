"""The rows of alarms: every alarm the program can raise has one, in both languages, and the demo's are rationalised."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import linecontrol
from linecontrol.config import read_line
from linecontrol.config.alarm import KINDS, LoopKind, RunStateWord, TagKind
from linecontrol.guard.alarms import AlarmRow, Kind, Priority
from linecontrol.line.alarm_rows import ROOM, alarm_rows, control_relevant, event_rows, station_of
from linecontrol.line.build import line_tags
from linecontrol.line.moisture import DOUBTS
from linecontrol.recipe.states import RunState

CONFIG = read_line("demo")
ROWS = {row.name: row for row in alarm_rows(CONFIG)}
EVENTS = {row.event: row for row in event_rows(CONFIG)}
ENDS = {kind for row in EVENTS.values() for kind in row.ends}
SOURCE = Path(linecontrol.__file__).parent
KIND = re.compile(r"[a-z]+\.[a-z_-]+")
TELLERS = {"Event", "tell", "_tell", "event"}
GIVEN = {"history/writer.py": "kinds come from store.py, see below"}
"""Files that tell an alarm whose kind is a variable."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_with_alarms() -> Iterator[tuple[str, Function]]:
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if where == "line/alarm_view.py":
            continue  # what happens to an alarm is told there, and is none itself
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function) and "Severity.ALARM" in ast.unparse(node):
                yield where, node


def told_in(where: str, function: Function) -> Iterator[str]:
    """Kinds of the events a function tells with a severity that is, or can be, alarm."""
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in TELLERS:
            continue
        if not any("Severity.ALARM" in ast.unparse(arg) or ast.unparse(arg) == "severity" for arg in call.args):
            continue
        for arg in call.args[:2]:
            if isinstance(arg, ast.Constant) and isinstance(arg.value, str) and KIND.fullmatch(arg.value):
                yield arg.value
            elif isinstance(arg, ast.JoinedStr) and ast.unparse(arg) == "f'moisture.{flag}'":
                yield from (f"moisture.{flag}" for flag in DOUBTS)
            elif isinstance(arg, ast.Name) and arg.id == "kind":
                assert where in GIVEN, f"{where} {function.name}: an alarm whose kind this test cannot see"


def kinds_of_alarms() -> set[str]:
    found = {kind for where, function in functions_with_alarms() for kind in told_in(where, function)}
    for path in (SOURCE / "history").glob("*.py"):  # notes of the store: (kind, text, whether it is an alarm)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Tuple) and len(node.elts) == 3:
                kind, _, is_alarm = node.elts
                if isinstance(is_alarm, ast.Constant) and is_alarm.value is True and isinstance(kind, ast.Constant):
                    found.add(str(kind.value))
    return found


def test_every_event_of_severity_alarm_has_a_row() -> None:
    found = kinds_of_alarms()
    assert len(found) >= 24, "this test no longer sees how alarms are told"
    assert {"link.down", "guard.divert", "run.held", "historian.malformed", "moisture.nir-stuck"} <= found
    assert found - EVENTS.keys() - ENDS == set()
    assert EVENTS.keys() - found == {"*"}, "rows of events that no part of the program tells"


def test_the_alarm_of_a_stations_signals_ends_only_by_its_own_event_or_with_the_link() -> None:
    """One signal that is good again (quality.good) ends nothing."""
    row = EVENTS["quality.mostly-bad"]
    assert (row.name, row.ends) == ("SIGNALS-BAD", {"link.down"})
    assert not {"quality.bad", "quality.good"} & (EVENTS.keys() | ENDS)


def texts() -> list[tuple[str, str, str]]:
    rows = [*ROWS.values(), *(row.row("drying", "drying") for row in EVENTS.values())]
    return [
        (f"{row.name}.{key}", getattr(row, key).en, getattr(row, key).zh)
        for row in rows
        for key in ("text", "consequence", "action")
    ]


@pytest.mark.parametrize(("where", "en", "zh"), texts())
def test_every_sentence_is_there_in_both_languages(where: str, en: str, zh: str) -> None:
    assert re.search(r"[\u4e00-\u9fff]", zh), where
    assert not re.search(r"[\u4e00-\u9fff]", en), where
    assert "{" not in en + zh, where


def test_what_an_alarm_follows_is_something_that_exists() -> None:
    last = {name.rpartition(".")[2] for name in ROWS} | {row.name for row in EVENTS.values()}
    known = last | set(Kind) | set(ROWS)
    for row in (*ROWS.values(), *EVENTS.values()):
        assert row.follows <= known, row.name


def test_every_tag_that_control_stands_on_is_watched_for_its_quality() -> None:
    for tag in control_relevant(CONFIG):
        assert f"{tag}.QUALITY" in ROWS, tag
    for loop in CONFIG.line.loops:
        assert ROWS[f"{loop.pv}.STUCK"].needs, "a loop in MAN may stand still"


def test_all_that_is_looked_at_is_a_tag_of_the_line_and_every_station_is_known() -> None:
    tags = {tag.name for tag in line_tags(CONFIG)}
    for row in ROWS.values():
        assert {row.tag, *(need.tag for need in row.needs)} <= tags, row.name
        assert not row.against or row.against in tags, row.name
        assert row.station in (*CONFIG.stations, ROOM), row.name
    assert station_of(CONFIG)["MIC-306"] == "drying"


def test_alarms_of_the_demo_are_few_and_mostly_of_low_rank() -> None:
    """Rationalised: not one for each tag, and what is urgent is rare."""
    assert len(ROWS) < len(CONFIG.tags)
    ranks = Counter(row.priority for row in ROWS.values())
    assert ranks[Priority.CRITICAL] <= 2
    assert ranks[Priority.HIGH] < ranks[Priority.LOW] + ranks[Priority.MEDIUM]


def test_a_row_of_a_file_stands_before_a_default() -> None:
    assert len({row.name for row in alarm_rows(CONFIG)}) == len(alarm_rows(CONFIG))


def test_words_of_the_files_are_those_of_the_program() -> None:
    assert set(get_args(RunStateWord)) == set(RunState)
    assert set(KINDS) == set(get_args(TagKind)) | set(get_args(LoopKind)) == set(Kind) - {"event"}


def test_an_alarm_has_time_to_respond_and_the_urgent_ones_less() -> None:
    def longest(priority: Priority) -> float:
        rows: list[AlarmRow] = [row for row in ROWS.values() if row.priority is priority]
        return max(row.respond_s for row in rows)

    assert longest(Priority.CRITICAL) <= longest(Priority.HIGH) <= longest(Priority.LOW)
