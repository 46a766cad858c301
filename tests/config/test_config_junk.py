"""Junk in any place of a shipped file: told, or harmless, and never another error than ConfigError."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linecontrol.config import check_document, files_in, parse_document
from linecontrol.core.errors import ConfigError

SHIPPED = {path: path.read_text(encoding="utf-8") for path in files_in()}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(sorted(SHIPPED)),
    st.floats(0, 1),
    st.integers(0, 12),
    st.one_of(
        st.text(alphabet="a1:-?[]{},&*!|>'\"%#~ \n0x.eTrue", max_size=8),
        st.sampled_from([".nan", "1e999", "[]", "{}", "~", "''", "[1, [2]]", "{a: {b: 1}}", "true", "-5", "9" * 24]),
    ),
)
def test_spoilt_shipped_files_raise_nothing_but_config_errors(path: Path, where: float, cut: int, junk: str) -> None:
    text = SHIPPED[path]
    at = int(where * len(text))
    try:
        doc = parse_document(text[:at] + junk + text[at + cut :], path)
        problems = check_document(doc)
    except ConfigError as error:
        problems = list(error.problems)
    for problem in problems:
        assert str(problem)
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 20


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.sampled_from(["", "x", "D1", "kg"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "tags", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_any_value_in_any_place_is_right_or_told(path: Path, data: st.DataObject) -> None:
    """Structured junk: one value somewhere in a shipped file becomes something else."""
    changed = copy.deepcopy(parse_document(SHIPPED[path], path).data)
    node: object = changed
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        parent, node = node, node[key]  # type: ignore[index]
    parent[key] = data.draw(values)  # type: ignore[index]
    text = json.dumps(changed).replace("NaN", ".nan").replace("Infinity", ".inf")
    try:
        problems = check_document(parse_document(text, path))
    except ConfigError as error:
        problems = list(error.problems)
    assert all(str(problem) for problem in problems)
