"""The mimic is made of what the line has, and of constants only."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from linecontrol.config import read_line
from linecontrol.hmi import mimic, texts

TAGS = {tag.alias: tag.name for tag in read_line("demo").tags}
UNITS = mimic.Units(lambda _tag: "kg", lambda unit: unit)


def drawn(aliases: dict[str, str], columns: int = 0, language: str = "en") -> ET.Element:
    machines = mimic.machines_of(aliases.get)
    return ET.fromstring(mimic.drawing(machines, columns, lambda key: texts.text(language, key), UNITS))  # noqa: S314


def bound(svg: ET.Element) -> set[str]:
    return {str(e.get("data-k")) for e in svg.iter() if e.get("data-k")}


@pytest.mark.parametrize("columns", [0, 3, 4])
def test_every_machine_stands_in_its_own_place_and_shows_tags_of_the_line(columns: int) -> None:
    machines = mimic.machines_of(TAGS.get)
    svg = drawn(TAGS, columns)
    groups = [e for e in svg.iter() if e.get("class") == "machine"]
    assert len({e.get("transform") for e in groups}) == len(groups) == len(machines) == 15
    assert bound(svg) <= {f"t.{name}" for name in TAGS.values()}


def test_a_line_without_a_machine_lacks_it() -> None:
    fewer = {alias: name for alias, name in TAGS.items() if alias not in ("drying.bag_temp", "drying.powder_specks")}
    ids = [machine.id for machine in mimic.machines_of(fewer.get)]
    assert "cooler" not in ids
    assert "sifter" in ids
    assert "t.TT-311" not in bound(drawn(fewer))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_label_of_every_machine_is_in_the_catalogue(language: str) -> None:
    shown = {e.text for e in drawn(TAGS, language=language).iter() if e.text}
    assert not [text for text in shown if text.startswith(("machine.", "mimic.", "gate."))]


def test_what_is_drawn_is_escaped() -> None:
    machines = mimic.machines_of(TAGS.get)
    svg = mimic.drawing(machines, 0, lambda _key: "<script>alert(1)</script>", UNITS)
    assert "<script" not in svg
