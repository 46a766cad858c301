"""What differs between two recipes, and a recipe as a form."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.config import read_line
from linecontrol.line.recipes import shipped_recipes
from linecontrol.recipe.diff import changes
from linecontrol.recipe.form import phase_fields

ENTRIES = shipped_recipes()
TAGS = {tag.name: tag for tag in read_line("demo").tags}
scalars = st.one_of(st.booleans(), st.integers(-5, 5), st.floats(-5, 5), st.text("ab", max_size=2))
trees = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("xyz", max_size=2), inner)),
    max_leaves=12,
)  # fmt: skip
recipes = st.dictionaries(st.text("abc", min_size=1, max_size=2), trees, max_size=4)


@given(recipes)
def test_a_recipe_does_not_differ_from_itself(recipe: dict[str, Any]) -> None:
    assert changes(recipe, copy.deepcopy(recipe)) == []


@given(recipes, recipes)
def test_what_differs_one_way_differs_the_other_way(one: dict[str, Any], other: dict[str, Any]) -> None:
    forth = {(c.where, repr(c.old), repr(c.new)) for c in changes(one, other)}
    back = {(c.where, repr(c.new), repr(c.old)) for c in changes(other, one)}
    assert forth == back


def test_a_phase_put_in_between_is_the_only_change() -> None:
    old = ENTRIES[0].whole()
    new = copy.deepcopy(old)
    unit = next(iter(new["procedure"]))
    phase = {"name": "rest", "kind": "dwell", "params": {"time_s": 5}}
    new["procedure"][unit]["operations"][0]["phases"].insert(0, phase)
    new["version"] = "9.9"
    operation = new["procedure"][unit]["operations"][0]["name"]
    assert [(c.path, c.old, c.new) for c in changes(old, new)] == [
        (("procedure", unit, "operations", operation, "phases", "rest"), None, phase)
    ]
    assert [c.path[-1] for c in changes(new, old)] == ["rest"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_number_of_a_shipped_recipe_is_a_field_that_leads_back_to_it(entry: Any) -> None:
    found = phase_fields(entry.recipe, TAGS)
    assert len(found) > 20
    whole = entry.whole()
    for field in found:
        at: Any = whole
        for part in field.path:
            at = at[part]
        assert at == field.value
        if field.low is not None and field.high is not None:
            assert field.low < field.high
    assert len({field.path for field in found}) == len(found)
    tag = next(field for field in found if field.tag == "SC-103")
    assert (tag.unit, tag.low, tag.high) == (TAGS["SC-103"].unit, TAGS["SC-103"].low, TAGS["SC-103"].high)
