"""Every text in both languages, and no text outside the catalogues."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest

from linecontrol.api.rights import ROUTES
from linecontrol.hmi import texts
from linecontrol.hmi.pages.audit import ACTIONS
from linecontrol.recipe.steps import TITLES
from linecontrol.sentences import FILES, Sentences, terms
from simulator.parameters import default_parameters

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


def test_both_texts_of_a_key_are_texts_and_fill_in_the_same() -> None:
    english, chinese = texts.catalogue("en"), texts.catalogue("zh")
    for key, en in english.items():
        zh = chinese[key]
        assert zh.strip(), key
        assert en.strip(), key
        assert names_in(zh) == names_in(en), key
        assert not re.search(r"[一-鿿]", en), f"{key}: Chinese among the English texts"


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


SAYING = {
    "StateError", "Fault", "ExpressionError", "HTTPException", "Refused", "StorageError", "LineError", "LineBusy",
    "DeviceRefused", "LinkDown", "LinkTimeout", "_tell", "tell", "Problem", "problem", "hold",
}  # fmt: skip
ROOMS = ("analysis", "api", "core", "guard", "history", "line", "links", "recipe")
SAYING_ASIDE = SAYING | {"ValueError"}
"""In the analysis room, whose plain errors are told to who has asked; see linecontrol.analysis.told."""
NOT_SHOWN = {
    "acceptance.py", "docs_page.py", "gains_kept.py", "moisture_model.py", "moisture_record.py", "reader.py",
    "expression.py", "file.py", "flowsheet.py", "gather.py", "seal.py",
}  # fmt: skip
"""Files that speak to whoever is at a command line."""
PHRASE = re.compile(r"[a-z]{2,} [a-z]{2,}")


def template(node: ast.AST | None) -> str:
    """A text with something in place of what is filled in; empty for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "X1" for v in node.values).replace("X1X1", "X1")
    return ""


REASONS = re.compile(r"why|objection|refus|judge|permissive|deviation|problem|wish|waits|cause")


def gives_reasons(scope: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Functions that return a sentence, going by their names."""
    return REASONS.search(scope.name) is not None


def sentences_in(source: str, saying: set[str] = SAYING) -> set[str]:
    """What is raised, told of in events, or answered: literal texts, also by way of a name."""
    found: set[str] = set()
    for scope in ast.walk(ast.parse(source)):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        named: dict[str, list[str]] = {}
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named.setdefault(node.targets[0].id, []).append(template(node.value))
        if gives_reasons(scope):
            found |= {template(n.value) for n in ast.walk(scope) if isinstance(n, ast.Return)}
        for call in calls(scope):
            said = call.args if name_of(call) in saying else call.args[3:4] if name_of(call) == "Event" else []
            said = [part for one in said for part in ([one.body, one.orelse] if isinstance(one, ast.IfExp) else [one])]
            for argument in said:
                found |= {template(argument), *named.get(getattr(argument, "id", ""), ())}
    return {sentence for sentence in found if PHRASE.search(sentence) and sentence != "this password X1"}


def test_what_the_controller_says_is_said_in_chinese_too() -> None:
    """Refusals, events and what they are put together from; a new sentence needs its row in linecontrol/sentences."""
    said = sorted(
        {
            sentence
            for room in ROOMS
            for path in sorted((ROOM.parent / room).rglob("*.py"))
            if path.name not in NOT_SHOWN
            for sentence in sentences_in(
                path.read_text(encoding="utf-8"), SAYING_ASIDE if room == "analysis" else SAYING
            )
        }
    )
    assert len(said) > 100
    known = Sentences.shipped()
    left = {sentence: known.translated(sentence, "zh").replace("linecontrol probe", "") for sentence in said}
    assert [sentence for sentence, chinese in left.items() if PHRASE.search(chinese)] == []


def test_what_a_loop_refuses_and_tells_is_said_in_chinese_too() -> None:
    """It puts its sentences into lists; the control cycle sends them on with the loop's name before them."""
    tree = ast.parse((ROOM.parent / "control" / "loop.py").read_text(encoding="utf-8"))
    lists = [call for call in calls(tree) if ast.unparse(call.func) in ("self._refused.append", "self._events.append")]
    said = sorted({template(call.args[0]) for call in lists} - {""})
    assert len(said) >= 13
    known = Sentences.shipped()
    left = {sentence: known.translated(f"MIC-306: {sentence}", "zh") for sentence in said}
    assert [chinese for chinese in left.values() if PHRASE.search(chinese)] == []


def test_every_change_has_a_name_in_the_audit_trail() -> None:
    changing = {route for route in ROUTES if route.partition(" ")[0] in ("POST", "PUT", "PATCH", "DELETE")}
    assert set(ACTIONS.values()) == changing


def test_a_run_is_told_of_in_chinese_phase_by_phase() -> None:
    sentences = Sentences.shipped()
    for english, chinese in TITLES.values():  # of phases that the recipe gives no title
        for text in (f"drying begins: {english}", f"drying goes on with: {english}", f"drying: {english} done"):
            told = sentences.translated(text, "zh")
            assert chinese in told
            assert not WORD.search(re.sub(r"[一-鿿]", "", told)), told


def test_titles_that_the_line_has_told_stand_in_sentences_too() -> None:
    sentences = Sentences.shipped()
    sentences.learn([{"name": "x", "title": {"en": "Feed", "zh": "投料"}}, {"en": "only English"}])
    assert sentences.translated("screening: Feed done", "zh") == "筛选工段：投料 完成"
    assert sentences.translated("screening: Feed done", "en") == "screening: Feed done"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_sentence_fills_in_the_same_in_both_languages(path: Path) -> None:
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [english for english, chinese in rows if names_in(chinese) - names_in(english)] == []
    assert len({english for english, _ in rows}) == len(rows)


def test_numbers_and_times_as_people_write_them() -> None:
    assert texts.number("zh", 12345.678, 1) == "12,345.7"
    assert texts.number("en", 12345.678, 1) == "12,345.7"
    assert texts.number("en", None) == texts.NOTHING
    assert texts.duration(3725) == "1:02:05"
    assert texts.duration(65) == "1:05"


def test_units_and_species_have_a_word_in_both_languages() -> None:
    known = json.loads(Path(terms.__file__).with_suffix(".json").read_text("utf-8"))
    assert known["en"]["unit"].keys() == known["zh"]["unit"].keys()
    assert known["en"]["species"].keys() == known["zh"]["species"].keys()
    assert {*default_parameters().species} <= known["en"]["species"].keys(), "every species that the simulator knows"
    assert terms.unit("zh", "% wb") == "% 湿基"
    assert (terms.unit("en", "m3/h"), terms.species("en", "taro")) == ("m³/h", "taro")
