"""A line file resolved: tags, wires, endpoints, settings, look-up order and fingerprints."""

from __future__ import annotations

import math
import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from linecontrol.config import Table, read_line, shipped_dir
from linecontrol.config import files as config_files
from linecontrol.core.errors import ConfigError
from linecontrol.core.model import DataType, Text


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_dir(), tmp_path / "plc"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_demo_line() -> None:
    config = read_line("demo")
    assert config.path == shipped_dir() / "lines" / "demo.yaml"
    assert list(config.stations) == ["screening", "grinding", "drying"]
    assert config.line.simulated
    assert config.line.yield_ is not None
    assert [loop.name for loop in config.line.loops] == ["TIC-303", "MIC-306", "FIC-104", "JIC-201", "DIC-204"]
    names = [tag.name for tag in config.tags]
    assert len(names) == len(set(names)) == sum(len(s.tags) for s in config.stations.values())


def test_tags_carry_all_a_profile_says() -> None:
    stations = read_line("demo").stations
    tags = {tag.name: tag for tag in read_line("demo").tags}
    tag = tags["AT-106"]
    assert (tag.station, tag.alias, tag.unit, tag.type) == (
        "screening",
        "screening.root_starch",
        "% wb",
        DataType.INT16,
    )
    assert tag.title == Text("Starch in roots as delivered", "鲜葛根淀粉含量")
    assert (tag.low, tag.high, tag.scale, tag.offset, tag.writable) == (0.0, 45.0, 0.01, 0.0, False)
    assert (tags["XS-101"].bit, tags["XA-101"].bit) == (0, 1)
    assert tags["XC-301"].methods == ("s=Plc.Start", "s=Plc.Stop")
    assert tags["XV-312"].choices == ((0, "good"), (1, "rework"), (2, "waste"))
    assert stations["drying"].probes["QI-300"].equals == 1234.5
    assert stations["drying"].probes["TT-303"].between == (-20.0, 230.0)


def test_a_tag_without_range_has_that_of_its_register() -> None:
    tags = {tag.name: tag for tag in read_line("demo").tags}
    assert (tags["HB-100"].low, tags["HB-100"].high) == (0.0, 65535.0)
    assert (tags["SEQ-100"].low, tags["SEQ-100"].high) == (0.0, 4294967295.0)
    assert all(math.isfinite(t.low) and math.isfinite(t.high) for t in tags.values() if not t.type.is_float)


def test_wires_are_the_golden_registers() -> None:
    stations = read_line("demo").stations
    assert stations["screening"].wires["XI-100"] == (Table.HOLDING, 0)
    assert stations["screening"].wires["FV-104"] == (Table.HOLDING, 108)
    assert stations["grinding"].wires["XI-200"] == (Table.HOLDING, 0x1000)
    assert stations["grinding"].wires["HB-200"] == (Table.HOLDING, 0x1064)
    assert stations["grinding"].wires["XC-201"] == (Table.COIL, 0x080A)
    assert dict(stations["drying"].wires) == {}
    for name in ("screening", "grinding"):
        assert set(stations[name].wires) == {tag.name for tag in stations[name].tags}


def test_a_config_cannot_be_changed() -> None:
    config = read_line("demo")
    with pytest.raises(FrozenInstanceError):
        config.path = Path("x")  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.stations["x"] = config.stations["drying"]  # type: ignore[index]
    with pytest.raises(TypeError):
        config.stations["screening"].wires["x"] = (Table.COIL, 0)  # type: ignore[index]
    with pytest.raises(ValueError, match="frozen"):
        config.line.control_period_s = 2.0


def test_the_line_overrides_scan_period_and_brand_settings(tree: Path) -> None:
    path = tree / "lines" / "demo.yaml"
    change(path, '15020?unit=1"}', '15020?unit=1", scan_s: 0.25, settings: {word_order: low_first, timeout_s: 0.3}}')
    config = read_line(path)
    station = config.stations["screening"]
    assert (station.scan_s, station.brand.word_order, station.brand.timeout_s) == (0.25, "low_first", 0.3)
    assert config.stations["grinding"].scan_s == config.stations["grinding"].profile.scan_s


def test_namespace_is_the_stations_or_the_brands(tree: Path) -> None:
    path = tree / "lines" / "demo.yaml"
    assert read_line(path).stations["drying"].namespace == "urn:linecontrol:drying"
    change(tree / "stations" / "drying.yaml", 'namespace: "urn:linecontrol:drying"\n', "")
    assert read_line(path).stations["drying"].namespace == "urn:linecontrol:plc"
    assert read_line(path).stations["screening"].namespace == ""


def test_files_are_looked_up_beside_the_line_first(tree: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(tree / "lines" / "demo.yaml", own / "demo.yaml")
    first = read_line(own / "demo.yaml").stations["screening"]  # shipped stations and brands
    assert first.profile.scan_s == read_line("demo").stations["screening"].profile.scan_s
    shutil.copy(tree / "stations" / "screening.yaml", own / "screening.yaml")
    change(own / "screening.yaml", "scan_s: 0.5", "scan_s: 0.4")
    assert read_line(own / "demo.yaml").stations["screening"].scan_s == 0.4
    (tmp_path / "stations").mkdir()
    shutil.copy(tree / "stations" / "screening.yaml", tmp_path / "stations" / "screening.yaml")
    change(tmp_path / "stations" / "screening.yaml", "scan_s: 0.5", "scan_s: 0.3")
    assert read_line(own / "demo.yaml").stations["screening"].scan_s == 0.3
    (tmp_path / "brands").mkdir()
    shutil.copy(tree / "brands" / "schneider-m221.yaml", tmp_path / "brands")
    change(tmp_path / "brands" / "schneider-m221.yaml", "max_read_words: 120", "max_read_words: 40")
    assert read_line(own / "demo.yaml").stations["screening"].brand.max_read_words == 40


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yaml", "../demo", "a/b"])
def test_a_line_that_is_not_there(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_line(name)
    (problem,) = caught.value.problems
    if name == "nowhere":  # the name of a shipped line is meant: which there are is told
        assert problem.message == "there is no line 'nowhere'"
        assert problem.accepted.startswith("demo, or a file")
    else:
        assert "cannot be read" in problem.message


def test_reading_a_wrong_line_raises_every_problem(tree: Path) -> None:
    change(tree / "lines" / "demo.yaml", "gains: {form: isa, k: ", "gains: {form: isa, k: -")
    change(tree / "stations" / "drying.yaml", "s=Fan.PT-308", "Fan.PT-308")
    change(tree / "brands" / "delta-dvp.yaml", "evidence: manual page", "evidence: hearsay")
    with pytest.raises(ConfigError) as caught:
        read_line(tree / "lines" / "demo.yaml")
    found = {(Path(p.file).name, p.key) for p in caught.value.problems}
    assert found == {
        ("demo.yaml", "loops[TIC-303].gains.k"),
        ("drying.yaml", "tags[PT-308].address"),
        ("delta-dvp.yaml", "evidence"),
    }


FINGERPRINT = [
    ("brands/schneider-m221.yaml", "word_order: high_first", "word_order: low_first", True),
    ("brands/schneider-m221.yaml", "first: 0, last: 7999, wire: 0}", "first: 0, last: 7998, wire: 1}", True),
    ("brands/schneider-m221.yaml", "title: Schneider", "title: The Schneider", False),
    ("brands/schneider-m221.yaml", "verified_on_hardware: false", "verified_on_hardware: true", False),
    ("stations/screening.yaml", '"%MW24", type: uint32, scale: 0.001', '"%MW24", type: uint32, scale: 0.002', True),
    ("stations/screening.yaml", '"%MW24"', '"%MW26"', True),
    ("stations/screening.yaml", "bit: 2", "bit: 3", True),
    ("stations/screening.yaml", "range: [0, 30], writable", "range: [0, 29], writable", True),
    ("stations/screening.yaml", "held: {SC-101: 0", "held: {SC-101: 1", True),
    ("stations/screening.yaml", "equals: 1234.5", "equals: 1234.6", True),
    ("stations/screening.yaml", 'en: "Electric energy total"', 'en: "Energy"', False),
    ("lines/demo.yaml", '15020?unit=1"}', '15020?unit=1", settings: {word_order: low_first}}', True),
    ("lines/demo.yaml", '15020?unit=1"}', '15020?unit=1", settings: {timeout_s: 2}}', False),
    ("lines/demo.yaml", "simulated: true", "simulated: false", False),
]


@pytest.mark.parametrize(("file", "old", "new", "differs"), FINGERPRINT)
def test_fingerprints_change_with_what_a_probe_has_shown(
    file: str, old: str, new: str, differs: bool, tree: Path
) -> None:
    line = tree / "lines" / "demo.yaml"
    before = {name: station.fingerprint for name, station in read_line(line).stations.items()}
    change(tree / file, old, new)
    after = {name: station.fingerprint for name, station in read_line(line).stations.items()}
    assert (before.pop("screening") != after.pop("screening")) is differs
    assert before == after
    assert all(len(word) == 64 for word in after.values())


def test_with_endpoints_moves_stations_and_nothing_else() -> None:
    config = read_line("demo")
    moved = config.with_endpoints({"drying": "opc.tcp://127.0.0.1:4999/drying"})
    assert moved.stations["drying"].endpoint.port == 4999
    assert moved.stations["grinding"] is config.stations["grinding"]
    assert config.stations["drying"].endpoint.port == 14840
    assert moved.stations["drying"].fingerprint == config.stations["drying"].fingerprint


def test_with_endpoints_tells_everything_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        read_line("demo").with_endpoints(
            {"dryin": "opc.tcp://x/", "drying": "modbus-tcp://x?unit=1", "grinding": "file:///etc/passwd"}
        )
    assert [p.key for p in caught.value.problems] == ["dryin", "drying", "grinding"]


def test_shipped_files_lie_in_the_package_or_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "linecontrol"
    monkeypatch.setattr(config_files, "_PACKAGE", package)
    with pytest.raises(ConfigError, match="missing"):
        shipped_dir()
    (tmp_path / "site" / "plc_profiles").mkdir(parents=True)
    assert shipped_dir() == tmp_path / "site" / "plc_profiles"
    (package / "_data" / "plc_profiles").mkdir(parents=True)
    assert shipped_dir() == package / "_data" / "plc_profiles"
    (package / "_data" / "recipes").mkdir()
    assert shipped_dir("recipes") == package / "_data" / "recipes"
