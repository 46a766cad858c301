"""Reading YAML: what is accepted, where lines are, and that hostile files are refused early and cheaply."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linecontrol.config.document import MAX_BYTES, Document, load_document, parse_document
from linecontrol.config.tree import MAX_ALIASES, MAX_DEPTH, MAX_NODES, MAX_TEXT
from linecontrol.core.errors import ConfigError, Problem


def parse(text: str | bytes) -> Document:
    return parse_document(text, "file.yaml")


def only_problem(text: str | bytes) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.file == "file.yaml"
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("+7", 7),
        ("0x1000", 4096),
        ("0o377", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("on", "on"),
        ("yes", "yes"),
        ("2024-01-01", "2024-01-01"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ('"true"', "true"),
        ('"%MW0"', "%MW0"),
        ("葛根", "葛根"),
        ("|\n  a\n  b", "a\nb\n"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    read = parse(f"a: {text}\n").data["a"]
    assert read == value
    assert type(read) is type(value)


def test_infinity_and_nan_are_read_so_that_the_models_can_refuse_them() -> None:
    data = parse("a: .inf\nb: -.inf\nc: .nan").data
    assert data["a"] == float("inf")
    assert data["b"] == -float("inf")
    assert data["c"] != data["c"]


def test_keys_are_texts() -> None:
    assert parse("a: {0: x, on: y, true: z, 1.0: w}").data == {"a": {"0": "x", "on": "y", "true": "z", "1.0": "w"}}


TEXT = """\
kind: station
# a comment
tags:
  - name: A
    range:
      - 1
      - 2
  - {name: B, probe: {equals: 3}}
nested: {list: [[1, 2], {x: 5}]}
"""


@pytest.mark.parametrize(
    ("loc", "line", "key"),
    [
        ((), 1, ""),
        (("kind",), 1, "kind"),
        (("tags",), 3, "tags"),
        (("tags", 0), 4, "tags[A]"),
        (("tags", 0, "range"), 5, "tags[A].range"),
        (("tags", 0, "range", 1), 7, "tags[A].range[1]"),
        (("tags", 1, "probe", "equals"), 8, "tags[B].probe.equals"),
        (("tags", 0, "missing"), 4, "tags[A].missing"),
        (("tags", 0, "probe", "equals"), 4, "tags[A].probe.equals"),
        (("nested", "list", 0, 1), 9, "nested.list[0][1]"),
        (("not", "there"), 1, "not.there"),
        (("tags", 9, "name"), 3, "tags[9].name"),
    ],
)
def test_every_key_path_has_its_line(loc: tuple[str | int, ...], line: int, key: str) -> None:
    doc = parse(TEXT)
    assert doc.line_of(loc) == line
    assert doc.key(loc) == key


def test_text_of_gives_what_was_written() -> None:
    doc = parse("a: 0x1000\nb: {c: 'q'}")
    assert doc.text_of(("a",)) == "0x1000"
    assert doc.text_of(("b", "c")) == "q"
    assert doc.text_of(("b",)) is None
    assert doc.text_of(("b", "d")) is None


def test_aliases_share_values_within_limits() -> None:
    doc = parse("a: &x {k: [1, 2]}\nb: *x\nc:\n  - *x\n")
    assert doc.data["b"] == doc.data["c"][0] == {"k": [1, 2]}
    assert doc.line_of(("b",)) == 2
    assert doc.line_of(("b", "k")) == 1


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, "a", "given twice (first on line 1)"),
        ("t:\n - {name: X, b: 1}\n - {name: Y, b: {c: 1,\n c: 2}}", 4, "t[Y].b.c", "given twice"),
        ("a: 1\n---\nb: 2", 2, "", "more than one document"),
        ("a: !!python/object/apply:os.system [ls]", 1, "", "tag"),
        ("a: 1\nb: !!str 2", 2, "", "tag"),
        ("a: ! x", 1, "", "tag"),
        ("- 1\n- 2", 1, "", "not a mapping"),
        ("just text", 1, "", "not a mapping"),
        ("", 1, "", "not a mapping"),
        ("# only a comment", 1, "", "not a mapping"),
        ("a: *x", 1, "", "no anchor"),
        ("a: &x [*x]", 1, "", "inside its own anchor"),
        ("a: &x {k: 1}\nb:\n  <<: *x", 3, "", "merge key"),
        ("? [1, 2]\n: 3", 1, "", "not a plain text"),
        ("a: 1\nb: [1, 2", 2, "", "not YAML"),
        ("a: 1\nb: %MW10", 2, "", "not YAML"),
        ("a: b: c", 1, "", "not YAML"),
        ("a:\n\t- 1", 2, "", "not YAML"),
        ("a: 1\nb: 040001", 2, "b", "leading zeros"),
        ("t:\n - {name: X, b: 007}", 2, "t[X].b", "leading zeros"),
        ("a: " + "9" * 4400, 1, "a", "too long"),
        ("a: 1\nb: 2\x00", 2, "", "character"),
        (b"a: 1\nb: \xff\xfe", 2, "", "not UTF-8"),
        ("a: 1".encode("utf-16"), 1, "", "not UTF-8"),
        ("a: \ud800", None, "", "not Unicode"),
    ],
)
def test_what_is_not_accepted_is_told_with_its_line(text: str | bytes, line: int | None, key: str, said: str) -> None:
    problem = only_problem(text)
    assert said in problem.message
    assert (problem.line, problem.key) == (line, key)


def test_several_repeated_keys_are_all_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\na: 2\nb: {c: 1, c: 2}\nd: 01")
    assert [(p.line, p.key) for p in caught.value.problems] == [(2, "a"), (3, "b.c"), (4, "d")]


def test_limits_are_exact() -> None:
    deep = MAX_DEPTH - 1
    assert parse("a: " + "[" * deep + "]" * deep).data
    assert "too deep" in only_problem("a: " + "[" * (deep + 1) + "]" * (deep + 1)).message
    aliases = "a: &x 1\nb: [" + ", ".join(["*x"] * MAX_ALIASES)
    assert len(parse(aliases + "]").data["b"]) == MAX_ALIASES
    assert "aliases" in only_problem(aliases + ", *x]").message
    nodes = "a: [" + ",".join(["1"] * (MAX_NODES - 3))
    assert len(parse(nodes + "]").data["a"]) == MAX_NODES - 3
    assert "too many values" in only_problem(nodes + ",1]").message
    assert parse("a: " + "x" * MAX_TEXT).data
    assert "too long" in only_problem("a: " + "x" * (MAX_TEXT + 1)).message
    size = "a: 1\n#"
    assert parse(size + "x" * (MAX_BYTES - len(size))).data == {"a": 1}
    assert "larger" in only_problem(size + "x" * (MAX_BYTES - len(size) + 1)).message


def test_aliases_cannot_multiply_beyond_the_node_limit() -> None:
    """Twenty aliases are allowed, but each counts for all it stands for, so ten levels of two are too many."""
    ten = ", ".join(["1"] * 2000)
    lines = [f"a0: &a0 [{ten}]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 9)]
    assert "too many values" in only_problem("\n".join(lines)).message


def test_deep_aliases_count_for_depth() -> None:
    lines = ["a0: &a0 [[[[[[1]]]]]]", "a1: &a1 [[[[[[[*a0]]]]]]]", "a2: [[[[[[[[*a1]]]]]]]]"]
    assert "too deep" in only_problem("\n".join(lines)).message


def test_files_that_cannot_be_read_are_config_errors(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    for path in (tmp_path / "none.yaml", tmp_path, fifo, Path("/dev/zero"), Path("a\x00b")):
        with pytest.raises(ConfigError):
            load_document(path)


def test_a_large_file_is_not_read_in_whole(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(10 << 30)  # sparse: would fill the memory if it were read
    with pytest.raises(ConfigError, match="larger"):
        load_document(path)


BOMBS = {
    "laughs": "\n".join(
        ["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))]
    ),
    "laughs in mappings": "a: &a {k: v}\n" + "\n".join(f"b{i}: &b{i} {{x: *a, y: *a}}" for i in range(5000)),
    "many anchors": "\n".join(f"k{i}: &a{i} 1" for i in range(60_000)),
    "deep flow": "a: " + "[" * 1_000_000,
    "deep mappings": "a: " + "{a: " * 200_000,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(1400)),
    "deep dashes": "a:\n  " + "- " * 500_000,
    "deep questions": "? " * 500_000,
    "wide list": "a: [" + "1," * 500_000 + "]",
    "many keys": "\n".join(f"k{i}: 1" for i in range(90_000)),
    "same key": "a: 1\n" * 200_000,
    "empty lines": "\n" * 1_000_000,
    "one long text": "a: " + "x" * 1_040_000,
    "long quoted": 'a: "' + "x" * 1_040_000,
    "folded": "a: >\n" + " x\n" * 300_000,
    "colons": ":" * 1_000_000,
    "bangs": "!" * 1_000_000,
    "huge integer": "a: " + "9" * 1_000_000,
    "huge exponent": "a: 1e999999999",
    "ten megabytes": "a: 1\n" * 2_000_000,
}

_CHILD = """
import json, os, resource, sys
from linecontrol.config import check_document, parse_document
from linecontrol.core.errors import ConfigError

def measure(name, text):
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        problems = check_document(parse_document("kind: line\\n" + text, name))
    except ConfigError as error:
        problems = error.problems
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"name": name, "problems": len(problems), "mb": used}), flush=True)

for name, text in json.load(sys.stdin).items():
    child = os.fork()
    if child == 0:
        measure(name, text)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def bomb_results() -> dict[str, dict[str, float]]:
    """Each bomb in a process of its own, which the kernel ends when it computes for more than 10 s."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], input=json.dumps(BOMBS), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return {result["name"]: result for result in results}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_early_in_little_memory(name: str, bomb_results: dict[str, dict[str, float]]) -> None:
    assert name in bomb_results, "was ended by the kernel, or crashed"
    assert 1 <= bomb_results[name]["problems"] <= 250
    assert bomb_results[name]["mb"] < 50


def is_document_or_told(junk: bytes | str) -> bool:
    try:
        doc = parse(junk)
    except ConfigError as error:
        return len(error.problems) > 0
    return isinstance(doc.data, dict)


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbfa: 1")
@example(b"%YAML 1.2\n---\na: 1")
@example(b"%TAG ! tag:x,2000:\n---\na: 1")
@example(b"\x85\xe2\x80\xa8: \xef\xbf\xbe")
def test_random_bytes_are_a_document_or_a_config_error(junk: bytes) -> None:
    assert is_document_or_told(junk)


@settings(deadline=None)
@given(st.text(alphabet="a1:-?[]{},&*!|>'\"%#~ \n\t<0x.e", max_size=80))
def test_random_yaml_like_text_is_a_document_or_a_config_error(junk: str) -> None:
    assert is_document_or_told(junk)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), plain, max_size=5))
def test_data_survive_writing_and_reading(data: dict[str, object]) -> None:
    """JSON is YAML: whatever is written as JSON comes back as it was, unless the text holds what YAML refuses."""
    text = json.dumps(data)
    try:
        read = parse(text).data
    except ConfigError as error:
        assert any("character" in p.message or "merge key" in p.message for p in error.problems)  # noqa: PT017
        return
    assert read == data


def test_the_slow_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the pure Python parser must give the same values, lines and refusals."""
    fast = parse(TEXT)
    monkeypatch.setattr("linecontrol.config.document._LOADER", yaml.SafeLoader)
    slow = parse(TEXT)
    assert slow.data == fast.data
    for loc in ((), ("tags", 0, "range", 1), ("nested", "list", 1, "x")):
        assert slow.line_of(loc) == fast.line_of(loc)
    for text in ("a: [", "a: 1\nb: %MW10", "a: 1\x00", "a: 1\na: 2"):
        assert only_problem(text).message


@pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "a: {b: 1}\n\tc: 2\n", "\ufeffa: 1\n\tb: 2\n", "a:\n- 1\n\t- 2\n"])
def test_a_tab_is_called_a_tab(text: str) -> None:
    with pytest.raises(ConfigError, match="a tab stands where a value or a key begins") as raised:
        parse_document(text, "tabs.yaml")
    assert raised.value.problems[0].line == text.count("\n", 0, text.index("\t")) + 1
    assert raised.value.problems[0].accepted == "spaces at the beginning of a line, no tabs"
