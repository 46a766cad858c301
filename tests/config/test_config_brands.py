"""What shipped brand files must be: sourced, honest about doubts, and usable by a station as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from linecontrol.config.address import locate
from linecontrol.config.brand import Brand
from linecontrol.config.check import check_paths
from linecontrol.config.document import load_document
from linecontrol.config.files import shipped_dir
from linecontrol.core.model import DataType

BRANDS = {
    path.stem: Brand.model_validate(load_document(path).data)
    for path in sorted((shipped_dir() / "brands").glob("*.yaml"))
}
WITH_POINTS = [name for name, brand in BRANDS.items() if brand.points]


def test_there_are_more_than_ten_makes() -> None:
    assert len(BRANDS) >= 14
    assert {brand.protocol for brand in BRANDS.values()} == {"modbus", "opcua"}
    assert len(WITH_POINTS) >= 8


@pytest.mark.parametrize("name", BRANDS)
def test_each_brand_names_its_source_and_claims_no_hardware(name: str) -> None:
    brand = BRANDS[name]
    assert len(brand.source) > 10
    assert brand.verified_on_hardware is False
    assert brand.unverified, "nobody has tried it, so something is in doubt"
    if brand.protocol == "modbus":
        assert "word_order" in brand.unverified or any(p.type.words > 1 for p in brand.points)


@pytest.mark.parametrize("name", WITH_POINTS)
def test_points_have_titles_in_both_languages(name: str) -> None:
    for point in BRANDS[name].points:
        assert re.search(r"[\u4e00-\u9fff]", point.title.zh), point.name
        assert not re.search(r"[\u4e00-\u9fff]", point.title.en), point.name


@pytest.mark.parametrize("name", WITH_POINTS)
def test_a_station_made_of_all_readable_points_is_right(name: str, tmp_path: Path) -> None:
    """Every shipped map can be used as it is: places free of overlaps, ranges that fit, outputs with a safe value."""
    brand = BRANDS[name]
    rows, safe = [], []
    for number, point in enumerate(p for p in brand.points if p.readable):
        tag = f"T-{number}"
        needs_range = point.writable and point.range is None and point.type is not DataType.BOOL
        rows.append(f"  - {{name: {tag}, point: {point.name}{', range: [0, 1]' if needs_range else ''}}}")
        if point.writable:
            safe.append(f"{tag}: {int(point.range[0]) if point.range else 0}")
    head = f'kind: station\nname: all\ntitle: {{en: "a", zh: "a"}}\nbrand: {name}\ntags:\n'
    text = head + "\n".join(rows) + f"\nsafe_outputs:\n  stopped: {{{', '.join(safe)}}}\n"
    path = tmp_path / "all.yaml"
    path.write_text(text, encoding="utf-8")
    assert [str(problem) for problem in check_paths([path])] == []


def test_facts_that_bite() -> None:
    """The traps each map is known for."""
    assert BRANDS["invt-goodrive"].max_read_words == 16
    assert BRANDS["invt-goodrive"].write_policy.ram_write_offset == 0x8000
    assert BRANDS["schneider-atv320"].max_read_words == 63
    eurotherm = BRANDS["eurotherm-3200"]
    for name, is_worn in (
        ("SP_TARGET", True),
        ("SP1", True),
        ("SP2", True),
        ("SP_REMOTE", False),
        ("OP_MANUAL", False),
    ):
        point = eurotherm.point(name)
        assert point is not None
        wire = locate(point.address, eurotherm.areas)
        assert (eurotherm.is_wear_limited(wire.table, wire.register) is not None) is is_worn
    for name in ("COMMAND", "CONTROL"):
        point = BRANDS["delta-ms300"].point(name)
        assert point is not None
        assert not point.readable
    ms300, elw = BRANDS["delta-ms300"].point("CURRENT"), BRANDS["delta-vfd-el-w"].point("CURRENT")
    assert ms300 is not None
    assert elw is not None
    assert (ms300.scale, elw.scale) == (0.01, 0.1)
    assert BRANDS["omron-e5cc"].forbidden[0].access == "write"
