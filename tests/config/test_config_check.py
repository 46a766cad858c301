"""Every bad thing in a file gives exactly the expected file, line and key, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from config_alarm_mistakes import ALARM_MISTAKES
from config_brand_mistakes import BRAND_MISTAKES
from config_line_mistakes import LINE_MISTAKES
from config_mistake import DEMO, DRYING, DVP, SCREENING, Bad, number_at
from config_station_mistakes import STATION_MISTAKES
from config_tag_mistakes import TAG_MISTAKES

from linecontrol.config import check_document, check_paths, files_in, parse_document, shipped_dir
from linecontrol.config.document import Document
from linecontrol.core.errors import Problem

CORPUS = {**BRAND_MISTAKES, **TAG_MISTAKES, **STATION_MISTAKES, **LINE_MISTAKES, **ALARM_MISTAKES}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the shipped files that may be spoilt."""
    return Path(shutil.copytree(shipped_dir(), tmp_path / "plc"))


def spoil(tree: Path, bad: Bad) -> int:
    """Make the mistake; the line on which it is expected to be told."""
    path = tree / bad.file
    text = path.read_text(encoding="utf-8")
    spoilt = bad.spoilt(text)
    path.write_text(spoilt, encoding="utf-8")
    changed = next((i for i, (a, b) in enumerate(zip(text, spoilt, strict=False)) if a != b), 0)
    line = text.count("\n", 0, changed) + 1
    if bad.at == "@2":
        return line
    if bad.at:
        return next(i for i, row in enumerate(spoilt.splitlines(), 1) if bad.at in row)
    return line


@pytest.mark.parametrize("name", CORPUS)
def test_each_mistake_is_told_where_it_is_and_nothing_else(name: str, tree: Path) -> None:
    bad = CORPUS[name]
    line = spoil(tree, bad)
    file = str(tree / bad.file)
    problems = check_paths([tree / bad.file, tree / DEMO])
    shown = "\n".join(str(p) for p in problems)
    assert [(p.file, p.line, p.key) for p in problems] == [(file, line, bad.key)], shown
    assert bad.said in str(problems[0])
    assert problems[0].message


def test_the_shipped_files_are_right() -> None:
    assert check_paths() == []
    assert len(files_in()) >= 8 + 10


def test_the_corpus_needs_the_mistakes(tree: Path) -> None:
    """The untouched copy is right: so every problem of the corpus comes from its mistake."""
    assert check_paths([tree]) == []


def test_all_mistakes_of_all_files_are_told_at_once(tree: Path) -> None:
    chosen = ["brand evidence", "tag unit", "tag overlap", "safe output too high", "probe shows nothing", "tag type"]
    chosen += ["loop gain zero", "gate left on good", "tag no node", "line unknown key", "limit outside"]
    for name in chosen:
        spoil(tree, CORPUS[name])
    keys = [problem.key for problem in check_paths([tree])]
    missing = {CORPUS[name].key for name in chosen} - set(keys)
    # a wrong type makes WT-101 unusable, so its unit and its place beside others are judged when the type is mended
    assert missing <= {"tags[WT-101].unit"}
    assert len(keys) == len(set(keys))


def test_a_wrong_row_does_not_hide_the_others(tree: Path) -> None:
    """A tag with a wrong type is still a tag: what refers to it is not called lost, and the rest is checked."""
    spoil(tree, CORPUS["tag type"])  # WT-101
    path = tree / SCREENING
    path.write_text(
        path.read_text(encoding="utf-8").replace("range: [0, 12], probe", "range: [12, 0], probe"), encoding="utf-8"
    )
    keys = [problem.key for problem in check_paths([path])]
    assert keys == ["tags[WT-101].type", "tags[FT-104].range"]


def test_a_missing_station_does_not_make_its_tags_unknown(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("profile: drying", "profile: dryin"), encoding="utf-8")
    assert [p.key for p in check_paths([path])] == ["stations.drying.profile"]


def test_one_profile_cannot_be_used_twice(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    extra = '  again: {profile: drying, endpoint: "opc.tcp://127.0.0.1:14841/x"}\ncontrol_period_s'
    path.write_text(text.replace("control_period_s", extra, 1), encoding="utf-8")
    assert [p.key for p in check_paths([path])] == ["stations.again.profile"]


def test_empty_stations_and_lines(tmp_path: Path) -> None:
    station = tmp_path / "a.yaml"
    station.write_text('kind: station\nname: a\ntitle: {en: "a", zh: "a"}\nbrand: delta-dvp\ntags: []\n')
    line = tmp_path / "b.yaml"
    line.write_text('kind: line\nname: b\ntitle: {en: "b", zh: "b"}\nstations: {}\n')
    problems = check_paths([station, line])
    assert [(p.line, p.key, p.accepted) for p in problems] == [(5, "tags", "at least 1"), (4, "stations", "at least 1")]


@pytest.mark.parametrize("role", ["heartbeat", "owner"])
def test_heartbeat_and_owner_must_be_writable(role: str, tree: Path) -> None:
    path = tree / DRYING
    text = path.read_text(encoding="utf-8")
    name = {"heartbeat": "HB-300", "owner": "OWN-300"}[role]
    row = next(row for row in text.splitlines() if f"name: {name}" in row)
    path.write_text(text.replace(row, row.replace(", writable: true", "")), encoding="utf-8")
    (problem,) = check_paths([path])
    assert (problem.key, "not writable" in problem.message) == (role, True)


def test_loops_in_a_ring_are_told_once(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8").replace("op: TV-303", "op: MIC-306.SP")
    text = number_at("TIC-303", "op_limits", "low: ").sub(r"\g<1>11", text, count=1)
    text = number_at("TIC-303", "op_limits", "high: ").sub(r"\g<1>12", text, count=1)
    path.write_text(text, encoding="utf-8")
    (problem,) = check_paths([path])
    assert (problem.key, "ring" in problem.message) == ("loops[TIC-303].op", True)


def test_serial_stations_share_their_line_settings(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    text = text.replace("modbus-tcp://127.0.0.1:15020?unit=1", "modbus-serial:///dev/ttyS0?unit=1&baud=9600")
    path.write_text(text.replace("modbus-tcp://127.0.0.1:15021?unit=1", "modbus-serial:///dev/ttyS0?unit=2&baud=19200"))
    (problem,) = check_paths([path])
    assert (problem.key, problem.line) == ("stations.grinding.endpoint", 7)
    path.write_text(path.read_text(encoding="utf-8").replace("baud=19200", "baud=9600"), encoding="utf-8")
    assert check_paths([path]) == []


DRIVE = """\
kind: station
name: drive
title: {en: "Fan drive", zh: "风机变频器"}
brand: BRAND
tags:
  - {name: ST-901, alias: drive.speed, point: PV, unit: "°C", scale: 0.1, range: [0, 300], probe: {between: [0, 300]}}
  - {name: SC-901, alias: drive.set, point: SP_REMOTE, unit: "°C", range: [0, 200]}
  - {name: TV-901, point: OP_MANUAL}
safe_outputs:
  stopped: {SC-901: 0, TV-901: 0}
"""

POINTS = {
    "unknown point": ("point: PV", "point: PVV", "tags[ST-901].point", "accepted: PV"),
    "address with point": ("point: PV", 'point: PV, address: "1"', "tags[ST-901].address", "leave it out"),
    "type with point": ("point: PV", "point: PV, type: int16", "tags[ST-901].type", "leave it out"),
    "writable beyond the point": ("point: PV", "point: PV, writable: true", "tags[ST-901].writable", "read-only"),
    "range beyond the register": (
        "range: [0, 300], probe",
        "range: [0, 4000], probe",
        "tags[ST-901].range",
        "does not fit",
    ),
    "output without range": (", range: [0, 200]}", "}", "tags[SC-901].range", "limits"),
    "same point twice": ("point: OP_MANUAL", "point: SP_REMOTE, range: [0, 1]", "tags[TV-901].point", "SC-901"),
    "unit": ('point: SP_REMOTE, unit: "°C"', "point: SP_REMOTE, unit: C", "tags[SC-901].unit", "°C"),
}


def write_drive(tree: Path, text: str, brand: str = "eurotherm-3200") -> Path:
    path = tree / "stations" / "drive.yaml"
    path.write_text(text.replace("BRAND", brand), encoding="utf-8")
    return path


def test_a_station_takes_over_known_points(tree: Path) -> None:
    assert check_paths([write_drive(tree, DRIVE)]) == []


@pytest.mark.parametrize("name", POINTS)
def test_mistakes_with_points(name: str, tree: Path) -> None:
    old, new, key, said = POINTS[name]
    assert old in DRIVE
    (problem,) = check_paths([write_drive(tree, DRIVE.replace(old, new))])
    assert problem.key == key
    assert said in str(problem)


def test_a_point_that_cannot_be_read_back_is_refused(tree: Path) -> None:
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n  - {name: XC-901, point: COMMAND, range: [0, 50]}\nkeep: [XC-901]\n"
    (problem,) = check_paths([write_drive(tree, text, "delta-ms300")])
    assert (problem.key, problem.line) == ("tags[XC-901].point", 6)
    assert "confirmed" in problem.message


def test_reserved_registers_are_refused(tree: Path) -> None:
    tag = '  - {name: ET-901, title: {en: "v", zh: "v"}, address: "0x2104", type: int32}\n'
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n" + tag
    (problem,) = check_paths([write_drive(tree, text, "delta-vfd-el-w")])
    assert problem.key == "tags[ET-901].address"
    assert "reserved" in problem.message


def test_a_register_that_must_not_be_written_may_be_read(tree: Path) -> None:
    tag = '  - {name: TT-901, title: {en: "v", zh: "v"}, address: "0x0000", type: int32}\n'
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n" + tag
    assert check_paths([write_drive(tree, text, "omron-e5cc")]) == []
    text = text.replace("type: int32", "type: int32, writable: true, range: [0, 1]") + "keep: [TT-901]\n"
    (problem,) = check_paths([write_drive(tree, text, "omron-e5cc")])
    assert "operation command" in problem.message


def test_a_loop_must_not_wear_out_a_register(tree: Path) -> None:
    text = DRIVE.replace("SP_REMOTE", "SP_TARGET")
    write_drive(tree, text)
    line = tree / "lines" / "oven.yaml"
    line.write_text(
        'kind: line\nname: oven\ntitle: {en: "o", zh: "o"}\nstations:\n'
        '  drive: {profile: drive, endpoint: "modbus-rtu-tcp://127.0.0.1:502?unit=1"}\n'
        'loops:\n  - {name: TIC-901, title: {en: "t", zh: "t"}, pv: ST-901, op: SC-901, unit: "°C", action: reverse,\n'
        "     gains: {k: 1, ti_s: 10}, sp: {low: 0, high: 200, initial: 0}, op_limits: {low: 0, high: 200}}\n",
        encoding="utf-8",
    )
    (problem,) = check_paths([line])
    assert (problem.key, problem.line) == ("loops[TIC-901].op", 7)
    assert "wears out" in problem.message
    write_drive(tree, DRIVE)
    assert check_paths([line]) == []


def test_a_heartbeat_must_not_wear_out_a_register(tree: Path) -> None:
    tag = '  - {name: HB-900, title: {en: "h", zh: "h"}, address: "24", type: uint16, writable: true}\n'
    text = DRIVE[: DRIVE.index("tags:")] + "heartbeat: HB-900\ntags:\n" + tag
    (problem,) = check_paths([write_drive(tree, text)])
    assert (problem.key, problem.line) == ("heartbeat", 5)
    assert "SP_REMOTE" in problem.message


def test_a_text_tag_takes_a_text_as_safe_value(tree: Path) -> None:
    path = tree / DRYING
    text = path.read_text(encoding="utf-8")
    tag = '  - {name: AN-399, title: {en: "l", zh: "l"}, address: "s=Lot", type: string, writable: true}\nsafe_outputs:'
    text = text.replace("safe_outputs:", tag).replace("stopped: {", "stopped: {AN-399: none, ")
    path.write_text(text, encoding="utf-8")
    assert check_paths([path]) == []
    path.write_text(text.replace("AN-399: none", "AN-399: 5"), encoding="utf-8")
    assert [(p.key, p.accepted) for p in check_paths([path])] == [("safe_outputs.stopped.AN-399", "a text")]


def test_a_flood_of_problems_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: line\n" + "".join(f"k{i}: 1\n" for i in range(5000)), encoding="utf-8")
    problems = check_paths([path])
    assert 200 <= len(problems) <= 201
    assert "more problems are not shown" in problems[-1].message


def test_settings_stay_within_what_the_brand_takes(tree: Path) -> None:
    write_drive(tree, DRIVE[: DRIVE.index("tags:")] + "tags:\n  - {name: ST-901, point: SPEED}\n")
    drive = tree / "stations" / "drive.yaml"
    drive.write_text(
        drive.read_text(encoding="utf-8").replace("eurotherm-3200", "BRAND").replace("BRAND", "invt-goodrive"),
        encoding="utf-8",
    )
    line = tree / "lines" / "oven.yaml"
    text = (
        'kind: line\nname: oven\ntitle: {en: "o", zh: "o"}\nstations:\n  drive:\n    profile: drive\n'
        '    endpoint: "modbus-rtu-tcp://127.0.0.1:502?unit=1"\n    settings:\n      max_read_words: 17\n'
    )
    line.write_text(text, encoding="utf-8")
    (problem,) = check_paths([line])
    assert (problem.line, problem.key, problem.accepted) == (9, "stations.drive.settings.max_read_words", "up to 16")
    line.write_text(text.replace("max_read_words: 17", "max_read_words: 12\n      max_gap_words: 4"), encoding="utf-8")
    assert check_paths([line]) == []


def test_other_kinds_are_checked_by_who_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: recipe\nname: x\n", encoding="utf-8")

    def check(doc: Document) -> list[Problem]:
        return [doc.problem(("name",), "is too short")]

    assert [(p.line, p.key) for p in check_paths([path], {"recipe": check})] == [(2, "name")]
    assert [(p.line, p.key) for p in check_paths([path])] == [(1, "kind")]
    assert [(p.line, p.key) for p in check_document(parse_document("kind: recipe\nname: x", path), {"recipe": check})]


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    problems = check_paths([tmp_path / "empty", tmp_path / "none.yaml"])
    said = [p.message for p in problems]
    assert said == ["holds no YAML file", "cannot be read: No such file or directory"]


def test_files_are_shown_from_the_working_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(tree, CORPUS["brand evidence"])
    monkeypatch.chdir(tree)
    assert [p.file for p in check_paths([tree / DVP])] == [DVP]
