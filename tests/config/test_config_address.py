"""Addresses: golden cases of real devices, and properties over all notations."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.config.address import AddressError, Table, areas_text, check_node, locate, notation
from linecontrol.config.brand import Area, Brand
from linecontrol.config.document import load_document
from linecontrol.config.files import shipped_dir

BRANDS = {
    path.stem: Brand.model_validate(load_document(path).data)
    for path in sorted((shipped_dir() / "brands").glob("*.yaml"))
}

GOLDEN = [
    ("danfoss-fc", "50000", "holding", 49999),
    ("danfoss-fc", "50010", "holding", 50009),
    ("danfoss-fc", "50200", "holding", 50199),
    ("danfoss-fc", "C1", "coil", 0),
    ("delta-dtc1000", "404097", "holding", 0x1000),
    ("delta-dtc1000", "0x1000", "holding", 0x1000),
    ("siemens-v20", "40100", "holding", 99),
    ("siemens-v20", "40101", "holding", 100),
    ("siemens-v20", "40110", "holding", 109),
    ("siemens-v20", "400111", "holding", 110),
    ("delta-dvp", "D0", "holding", 0x1000),
    ("delta-dvp", "D100", "holding", 0x1064),
    ("delta-dvp", "D4095", "holding", 0x1FFF),
    ("delta-dvp", "D4096", "holding", 0x9000),
    ("delta-dvp", "M0", "coil", 0x0800),
    ("delta-dvp", "M1535", "coil", 0x0DFF),
    ("delta-dvp", "M1536", "coil", 0xB000),
    ("delta-dvp", "S0", "coil", 0x0000),
    ("delta-dvp", "X0", "discrete", 0x0400),
    ("delta-dvp", "X17", "discrete", 0x040F),
    ("delta-dvp", "X20", "discrete", 0x0410),
    ("delta-dvp", "Y377", "coil", 0x05FF),
    ("delta-dvp", "y10", "coil", 0x0508),
    ("schneider-m221", "%MW10", "holding", 10),
    ("schneider-m221", "%M10", "coil", 10),
    ("generic-modbus", "40001", "holding", 0),
    ("generic-modbus", "400001", "holding", 0),
    ("generic-modbus", "49999", "holding", 9998),
    ("generic-modbus", "465536", "holding", 65535),
    ("generic-modbus", "30001", "input", 0),
    ("generic-modbus", "10001", "discrete", 0),
    ("generic-modbus", "00001", "coil", 0),
    ("abb-acs580", "400001", "holding", 0),
    ("abb-acs580", "404601", "holding", 4600),
    ("wago-750", "%IW0", "input", 0),
    ("wago-750", "%QW0", "holding", 0x0200),
    ("wago-750", "%MW0", "holding", 0x3000),
    ("wago-750", "%MW12287", "holding", 0x5FFF),
    ("inovance-h5u", "M7999", "coil", 0x1F3F),
    ("inovance-h5u", "X0", "coil", 0xF800),
    ("inovance-h5u", "Y10", "coil", 0xFC08),
    ("beckhoff-twincat", "0x3000", "holding", 0x3000),
    ("beckhoff-twincat", "IR0x8000", "input", 0x8000),
    ("eurotherm-3200", "26", "holding", 26),
    ("rinstrum-c500", "3", "input", 2),
    ("schneider-atv320", "8501", "holding", 8501),
    ("delta-dtm", "624", "holding", 624),
]


@pytest.mark.parametrize(("brand", "address", "table", "register"), GOLDEN)
def test_golden_addresses(brand: str, address: str, table: str, register: int) -> None:
    assert locate(address, BRANDS[brand].areas)[:2] == (Table(table), register)


@pytest.mark.parametrize(
    ("brand", "address"),
    [
        ("delta-dvp", "D12000"),
        ("delta-dvp", "X8"),
        ("delta-dvp", "X400"),
        ("delta-dvp", "D-1"),
        ("delta-dvp", "D1.0"),
        ("delta-dvp", "D"),
        ("delta-dvp", "D １"),
        ("delta-dvp", "D１"),
        ("delta-dvp", " D1"),
        ("delta-dvp", ""),
        ("generic-modbus", "40000"),
        ("generic-modbus", "4097"),
        ("generic-modbus", "465537"),
        ("generic-modbus", "4000001"),
        ("generic-modbus", "20001"),
        ("siemens-v20", "99"),
        ("danfoss-fc", "0"),
        ("danfoss-fc", "65537"),
        ("delta-dtm", "640"),
        ("invt-goodrive", "0x2004"),
        ("invt-goodrive", "8192"),
        ("wago-750", "%MW12288"),
        ("eurotherm-3200", "0"),
        ("delta-dvp", "D" + "9" * 100),
    ],
)
def test_addresses_outside_say_what_is_accepted(brand: str, address: str) -> None:
    with pytest.raises(AddressError) as caught:
        locate(address, BRANDS[brand].areas)
    assert caught.value.accepted == areas_text(BRANDS[brand].areas)
    assert len(str(caught.value)) < 120


def test_the_end_of_a_piece_is_known() -> None:
    areas = BRANDS["delta-dvp"].areas
    assert locate("D4095", areas).left == 1
    assert locate("D4094", areas).left == 2
    assert locate("D4096", areas).left == 11999 - 4096 + 1


def test_an_area_may_be_larger_than_its_digits() -> None:
    area = Area(prefix="R", table=Table.HOLDING, first=0, last=500, wire=0, digits=(2,))
    assert areas_text([area]) == "R00..R99"
    assert notation(area, 7) == "R07"
    with pytest.raises(ValueError, match="2"):
        notation(area, 100)


@st.composite
def _place(draw: st.DrawFn) -> tuple[Brand, Area, int]:
    brand = draw(st.sampled_from([brand for brand in BRANDS.values() if brand.areas]))
    area = draw(st.sampled_from(brand.areas))
    return brand, area, draw(st.integers(area.first, area.last))


@settings(deadline=None)
@given(_place())
def test_notation_and_locate_are_inverse(place: tuple[Brand, Area, int]) -> None:
    brand, area, number = place
    table, register, left = locate(notation(area, number), brand.areas)
    assert table is area.table
    assert register == area.wire + number - area.first
    assert left == area.last - number + 1
    assert 0 <= register <= 65535
    assert register + left - 1 <= 65535


@settings(deadline=None)
@given(_place(), st.integers(1, 200))
def test_neighbours_of_one_piece_are_neighbours_on_the_wire(place: tuple[Brand, Area, int], step: int) -> None:
    brand, area, number = place
    other = min(number + step, area.last)
    one, two = (locate(notation(area, n), brand.areas).register for n in (number, other))
    assert two - one == other - number


@settings(deadline=None)
@given(st.text(max_size=12), st.sampled_from([b for b in BRANDS.values() if b.areas]))
def test_any_text_is_located_or_refused(text: str, brand: Brand) -> None:
    try:
        wire = locate(text, brand.areas)
    except AddressError:
        return
    assert 0 <= wire.register <= 65535


def test_the_pieces_of_a_table_do_not_overlap_on_the_wire() -> None:
    """Two notations of one brand may name one register only where the brand file means it."""
    meant = {"delta-dtc1000"}
    for name, brand in BRANDS.items():
        spans = sorted((a.table, a.wire, a.wire + a.last - a.first) for a in brand.areas)
        for one, two in pairwise(spans):
            if one[0] == two[0] and name not in meant:
                assert one[2] < two[1], (name, one, two)


@pytest.mark.parametrize("node", ["s=Plc.XI-300", 's="DB_Line"."MoisturePV"', "i=2258", "s=MAIN.var", "s=葛根"])
def test_node_identifiers(node: str) -> None:
    check_node(node)


@pytest.mark.parametrize("node", ["ns=3;s=X", "X", "s=", "i=x", "i=-1", "g=1", "b=AAA=", "", "s=a\nb", "D100"])
def test_wrong_node_identifiers(node: str) -> None:
    with pytest.raises(AddressError) as caught:
        check_node(node)
    assert "s=Name" in caught.value.accepted
