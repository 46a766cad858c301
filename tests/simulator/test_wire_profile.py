"""The simulator's own profile reader: addresses as makers write them, and files as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wire_rig import DEMO, STATIONS, write_line

from simulator.profile import ProfileError, read_endpoint, read_line, resolve_address, shipped_folder
from simulator.yaml_text import load_yaml


def areas(brand: str) -> list[dict[str, Any]]:
    return load_yaml((shipped_folder() / "brands" / f"{brand}.yaml").read_text("utf-8"))["areas"]


@pytest.mark.parametrize(
    ("brand", "address", "table", "wire"),
    [
        ("delta-dvp", "D0", "holding", 0x1000),
        ("delta-dvp", "D4095", "holding", 0x1FFF),
        ("delta-dvp", "D4096", "holding", 0x9000),
        ("delta-dvp", "M1535", "coil", 0x0DFF),
        ("delta-dvp", "M1536", "coil", 0xB000),
        ("delta-dvp", "X17", "discrete", 0x0400 + 15),
        ("delta-dvp", "Y377", "coil", 0x0500 + 255),
        ("schneider-m221", "%MW10", "holding", 10),
        ("schneider-m221", "%M10", "coil", 10),
    ],
)
def test_maker_addresses(brand: str, address: str, table: str, wire: int) -> None:
    assert resolve_address(address, areas(brand)) == (table, wire)


def test_reference_and_hexadecimal_notation() -> None:
    book = [
        {"prefix": "4", "table": "holding", "first": 1, "last": 9999, "wire": 0},
        {"prefix": "0x", "table": "holding", "first": 0, "last": "0xFFFF", "wire": 0, "radix": 16},
    ]
    assert resolve_address("40001", book) == ("holding", 0)
    assert resolve_address("0x2103", book) == ("holding", 0x2103)


@pytest.mark.parametrize("address", ["D12000", "X8", "Q5", "D", "D-1", "D1.5"])
def test_an_address_outside_every_area_is_refused(address: str) -> None:
    with pytest.raises(ProfileError, match="lies in no area"):
        resolve_address(address, areas("delta-dvp"))


def test_the_demo_line_as_shipped() -> None:
    line = read_line(DEMO)
    assert [station.name for station in line.stations] == list(STATIONS)
    screening, grinding, drying = line.stations
    assert not screening.order.low_first
    assert grinding.order.low_first
    assert (screening.max_read_words, grinding.max_read_words) == (120, 64)
    assert drying.namespace == "urn:linecontrol:drying"
    run = next(point for point in drying.points if point.name == "XC-301")
    assert run.methods == ("s=Plc.Start", "s=Plc.Stop")
    gate = next(point for point in drying.points if point.name == "XV-312")
    assert gate.choices == {0, 1, 2}
    assert not gate.accepts(3)
    assert not gate.accepts(0.5)
    assert gate.accepts(2)


def test_files_beside_the_line_file_win_over_the_shipped_ones(tmp_path: Path) -> None:
    def change(files: dict[str, dict[str, Any]]) -> None:
        files["screening"]["heartbeat_timeout_s"] = 0.25

    line = read_line(write_line(tmp_path, change))
    assert line.stations[0].heartbeat_timeout_s == 0.25
    assert line.stations[0].max_read_words == 120  # the brand file came from the shipped folder


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f["screening"]["tags"][0].update(address="%QX1"), "'%QX1' lies in no area"),
        (lambda f: f["screening"]["tags"][0].update(type="int24"), "int24"),
        (lambda f: f["screening"].update(brand="acme"), "no acme.yaml"),
        (lambda f: f["screening"].pop("tags"), "tags is missing"),
        (lambda f: f["demo"].update(stations={}), "stations is missing or empty"),
        (lambda f: f["demo"]["stations"]["drying"].update(endpoint="modbus-tcp://h:1"), "does not fit brand"),
        (lambda f: f["demo"]["stations"]["drying"].update(endpoint="http://h:1"), "cannot be simulated"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, spoil: Any, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        read_line(write_line(tmp_path, spoil))


def test_endpoints_are_read_and_written_alike() -> None:
    for text in (
        "modbus-tcp://127.0.0.1:15020?unit=7",
        "modbus-rtu-tcp://10.0.0.1:502?unit=1",
        "opc.tcp://[::1]:4840/a/b",
    ):
        assert read_endpoint(text).url == text
