"""Every text in both languages, and no text outside the catalogues."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from linecontrol.hmi import texts

ROOM = Path(texts.__file__).parents[1]
SOURCES = sorted(ROOM.rglob("*.py"))
SHOWING = {
    "label", "button", "command", "input", "number", "select", "checkbox", "switch", "textarea", "notify", "say",
    "tooltip", "menu_item", "set_text", "radio", "toggle", "expansion", "tab", "markdown", "html", "add_slot",
}  # fmt: skip
WORD = re.compile(r"[A-Za-z一-鿿]{2,}")


def names_in(form: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(form) if name}


def test_both_catalogues_have_the_same_keys() -> None:
    zh, en = (set(texts.catalogue(language)) for language in ("zh", "en"))
    assert zh - en == set()
    assert en - zh == set()
    assert en


@pytest.mark.parametrize("key", sorted(texts.catalogue("en")))
def test_both_texts_of_a_key_are_texts_and_fill_in_the_same(key: str) -> None:
    zh, en = texts.catalogue("zh")[key], texts.catalogue("en")[key]
    assert zh.strip()
    assert en.strip()
    assert names_in(zh) == names_in(en)
    assert not re.search(r"[一-鿿]", en), "Chinese among the English texts"


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOM)))
def test_what_is_shown_comes_from_the_catalogue(path: Path) -> None:
    found = []
    for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
        if name_of(call) in SHOWING and call.args:
            first = call.args[0]
            parts = first.values if isinstance(first, ast.JoinedStr) else [first]
            said = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
            found += [f"line {call.lineno}: {word}" for word in said if WORD.search(word)]
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOM)))
def test_every_key_that_is_asked_for_is_there(path: Path) -> None:
    asked = [
        call.args[0].value
        for call in calls(ast.parse(path.read_text(encoding="utf-8")))
        if name_of(call) == "t" and call.args and isinstance(call.args[0], ast.Constant)
    ]
    assert [key for key in asked if key not in texts.catalogue("en")] == []


@pytest.mark.parametrize("path", sorted((ROOM / "static").glob("*.js")), ids=lambda path: path.name)
def test_the_browser_part_shows_no_words_of_its_own(path: Path) -> None:
    assert not re.search(r"[一-鿿]", path.read_text(encoding="utf-8"))
    source = re.sub(r"\$\{[^}]*\}", "", path.read_text(encoding="utf-8"))  # what is filled in is not a literal
    assert not re.findall(r"textContent\s*=\s*[\"'`][^\"'`]*[A-Za-z]{2,}", source)


def test_numbers_and_times_as_people_write_them() -> None:
    assert texts.number("zh", 12345.678, 1) == "12,345.7"
    assert texts.number("en", 12345.678, 1) == "12,345.7"
    assert texts.number("en", None) == texts.NOTHING
    assert texts.duration(3725) == "1:02:05"
    assert texts.duration(65) == "1:05"
