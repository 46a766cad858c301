"""Recipes as data: what is refused, where it says so, and what is frozen."""

import copy
import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from recipe_plant import LOOPS, ROOT, TAGS, load_recipe

from linecontrol.core.errors import ConfigError
from linecontrol.line.run_view import procedure_view
from linecontrol.recipe import ControlRecipe, Recipe, check, parse_sets, recipe_schema
from simulator.yaml_text import load_yaml

STATIONS = ["screening", "grinding", "drying"]
SHIPPED = ["kudzu-lobata-standard", "kudzu-thomsonii-fine", "end-of-day-wash"]


def text(word: str) -> dict[str, str]:
    return {"en": word, "zh": word}


def small(**phases: list[dict[str, Any]]) -> dict[str, Any]:
    """A recipe with these phases by unit procedure."""
    return {
        "kind": "recipe",
        "name": "small",
        "version": "1.0",
        "title": text("small"),
        "product": text("nothing"),
        "stations": list(STATIONS),
        "formula": {
            "kg": {"title": text("mass"), "unit": "kg", "value": 10, "low": 5, "high": 50},
            "temp": {"title": text("temperature"), "unit": "°C", "value": 100, "low": 30, "high": 185},
            "pct": {"title": text("speed"), "unit": "%", "value": 30, "low": 0, "high": 60},
            "wet": {"title": text("wet"), "type": "bool", "value": False},
            "count": {"title": text("count"), "type": "int", "value": 3, "low": 1, "high": 5},
        },
        "procedure": {
            unit: {"title": text(unit), "operations": [{"name": "all", "title": text("all"), "phases": found}]}
            for unit, found in phases.items()
        },
    }


def sync(point: str) -> dict[str, Any]:
    return {"name": f"at-{point}", "kind": "sync", "params": {"point": point}}


def one(kind: str, **params: Any) -> dict[str, Any]:
    return {"name": "it", "kind": kind, "params": params}


def findings(mapping: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = check(Recipe.from_mapping(mapping), TAGS, LOOPS, STATIONS, {"XV-312": "guard"})
    return [(".".join(map(str, path)), message, accepted) for path, message, accepted in found]


def test_one_phase_that_is_right_has_no_findings() -> None:
    assert findings(small(screening=[one("set", values={"SC-101": "=pct", "XC-109": "=wet"})])) == []


@pytest.mark.parametrize(
    ("phase", "place", "words"),
    [
        (one("set", values={"SC-999": 1}), "values.SC-999", "unknown tag"),
        (one("set", values={"WT-102": 1}), "values.WT-102", "read-only"),
        (one("set", values={"SC-201": 1}), "values.SC-201", "belongs to station grinding"),
        (one("set", values={"SC-101": 101}), "values.SC-101", "outside the range"),
        (one("set", values={"SC-101": "=pct * 2"}), "values.SC-101", "outside the range"),
        (one("set", values={"SC-101": "=kg"}), "values.SC-101", "is in kg"),
        (one("set", values={"SC-101": True}), "values.SC-101", "takes a number"),
        (one("set", values={"XC-109": 1}), "values.XC-109", "is a switch"),
        (one("set", values={"SC-101": "=kg + temp"}), "values.SC-101", "adds or subtracts"),
        (one("set", values={"SC-101": "=10 / pct"}), "values.SC-101", "divides by zero"),
        (one("loop", loop="TIC-999", mode="MAN"), "loop", "unknown loop"),
        (one("loop", loop="FIC-104", mode="AUTO", sp=11), "sp", "outside the range of FIC-104.SP"),
        (one("loop", loop="FIC-104", mode="AUTO", sp="=temp"), "sp", "is in °C"),
        (one("loop", loop="DIC-204", mode="MAN", op=2), "op", "outside the range of DIC-204.OP"),
        (one("wait_until", tag="TT-303", at_least="=kg"), "at_least", "is in kg"),
        (one("wait_until", tag="TT-303", at_least=500), "at_least", "outside the range"),
        (one("wait_until", tag="TT-303", at_least=50, or_arrived="nowhere"), "or_arrived", "no other"),
        (one("dwell", time_s="=kg"), "time_s", "is in kg"),
        (one("dwell", time_s="=pct * 60 - 1"), "time_s", "greater than or equal to 0"),
        (one("run_out", level="WT-301", below="=temp"), "below", "is in °C"),
        (one("feed_until", total="WQ-102", amount="=kg - 5", set={"SC-101": 10}), "amount", "greater than 0"),
        (one("feed_until", total="WQ-102", amount="=pct + 1", set={"SC-101": 10}), "amount", "is in %"),
        (one("start_station", command="XC-101", running="WT-102"), "running", "is a float32"),
        (one("ramp", tag="SC-101", to=120, per_min=5), "to", "outside the range"),
    ],
)
def test_what_cannot_work_on_this_line_is_found(phase: dict[str, Any], place: str, words: str) -> None:
    found = findings(small(screening=[phase]))
    assert any(path == f"procedure.screening.operations.0.phases.0.params.{place}" for path, _, _ in found), found
    assert any(words in message for _, message, _ in found), found
    assert all(message for _, message, _ in found)


def test_the_divert_gate_is_the_guards() -> None:
    assert "belongs to the guard" in findings(small(drying=[one("set", values={"XV-312": 0})]))[0][1]
    for name in SHIPPED:
        assert "XV-312" not in load_recipe(name).text


def test_a_station_the_line_lacks_is_named() -> None:
    recipe = load_recipe("end-of-day-wash")
    found = check(recipe, TAGS, LOOPS, ["screening", "grinding"])
    assert (("stations", 2), "this line has no station drying", "screening, grinding") in found


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ({"screening": [sync("a")]}, "alone comes to a"),
        ({"screening": [sync("a"), sync("b")], "grinding": [sync("b"), sync("a")]}, "deadlock"),
        (
            {
                "screening": [sync("a"), sync("b")],
                "grinding": [sync("b"), sync("c")],
                "drying": [sync("c"), sync("a")],
            },
            "deadlock",
        ),
        ({"screening": [sync("a"), {**sync("a"), "name": "again"}], "grinding": [sync("a")]}, "twice"),
    ],
)
def test_sync_points_that_cannot_be_met_are_found(phases: dict[str, Any], words: str) -> None:
    assert any(words in message for _, message, _ in findings(small(**phases)))


def test_sync_points_in_one_order_are_no_deadlock() -> None:
    found = findings(
        small(screening=[sync("a"), sync("b")], grinding=[sync("a"), sync("c")], drying=[sync("b"), sync("c")])
    )
    assert found == []


def test_sync_points_have_words_in_both_languages() -> None:
    recipe = small(screening=[sync("a"), sync("b")], grinding=[sync("a"), sync("b")])
    recipe["points"] = {"a": {"en": "All hot", "zh": "都热了"}}
    control = Recipe.from_mapping(recipe).control()
    shown = [phase["point"] for phase in procedure_view("r", control)["units"][0]["phases"]]
    assert shown == [{"en": "All hot", "zh": "都热了"}, {"en": "b", "zh": "b"}]
    recipe["points"]["c"] = text("nobody")
    assert findings(recipe) == [("points.c", "no phase comes to this point", "a, b")]


@given(st.lists(st.permutations("abcd"), min_size=3, max_size=3), st.lists(st.integers(0, 15), min_size=3, max_size=3))
@settings(deadline=None)
def test_deadlock_check_agrees_with_playing_it_out(orders: list[list[str]], masks: list[int]) -> None:
    lanes = [[p for i, p in enumerate(order) if mask >> i & 1] for order, mask in zip(orders, masks, strict=True)]
    shared = {p for p in "abcd" if sum(p in lane for lane in lanes) >= 2}
    lanes = [[p for p in lane if p in shared] for lane in lanes]
    units = {
        unit: [sync(p) for p in lane] or [one("dwell", time_s=1)] for unit, lane in zip(STATIONS, lanes, strict=True)
    }
    is_found = any("deadlock" in message for _, message, _ in findings(small(**units)))
    # the oracle: a cycle in "this point comes before that one"
    before = {(a, b) for lane in lanes for i, a in enumerate(lane) for b in lane[i + 1 :]}
    for k in "abcd":
        before |= {(a, b) for a in "abcd" for b in "abcd" if (a, k) in before and (k, b) in before}
    assert is_found == any((p, p) in before for p in "abcd")


def wrong(change: Any) -> list[tuple[Any, ...]]:
    mapping = small(screening=[one("set", values={"SC-101": "=pct"})])
    change(mapping)
    with pytest.raises(ValidationError) as error:
        Recipe.from_mapping(mapping)
    return [e["loc"] for e in error.value.errors()]


PHASE = ("procedure", "screening", "operations", 0, "phases", 0)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda m: m.update(extra=1), ("extra",)),
        (lambda m: m.update(name="../../etc/passwd"), ("name",)),
        (lambda m: m.update(name="A b"), ("name",)),
        (lambda m: m.update(version=1.0), ("version",)),
        (lambda m: m.update(title={"en": "no Chinese"}), ("title", "zh")),
        (lambda m: m.update(title={"en": "bell \x07", "zh": "x"}), ("title", "en")),
        (lambda m: m["formula"]["kg"].update(value=51), ("formula", "kg")),
        (lambda m: m["formula"]["kg"].update(value="10"), ("formula", "kg", "value")),
        (lambda m: m["formula"]["kg"].update(high=math.inf), ("formula", "kg", "high")),
        (lambda m: m["formula"]["kg"].update(value=math.nan), ("formula", "kg", "value")),
        (lambda m: m["formula"]["kg"].update(low=1e308), ("formula", "kg", "low")),
        (lambda m: m["formula"]["kg"].update(low=60), ("formula", "kg")),
        (lambda m: m["formula"]["count"].update(value=2.5), ("formula", "count")),
        (lambda m: m["formula"]["wet"].update(value=1), ("formula", "wet")),
        (lambda m: m["procedure"].update(packing=m["procedure"]["screening"]), ("procedure", "packing")),
        (lambda m: phase_of(m).update(kind="eval"), (*PHASE, "kind")),
        (lambda m: phase_of(m)["params"].update(valves={}), (*PHASE, "params", "valves")),
        (
            lambda m: phase_of(m)["params"]["values"].update({"SC-101": "=none_such"}),
            (*PHASE, "params", "values", "SC-101"),
        ),
        (lambda m: phase_of(m)["params"]["values"].update({"SC-101": "__import__('os')"}), None),
        (lambda m: phase_of(m).update(time_limit_s=0), (*PHASE, "time_limit_s", "constrained-float")),
        (lambda m: phase_of(m).update(time_limit_s="=kg - 10"), (*PHASE, "time_limit_s")),
        (lambda m: phase_of(m).update(time_limit_s="=kg * 10000000"), (*PHASE, "time_limit_s")),
        (lambda m: phase_of(m).update(when="=kg"), (*PHASE, "when")),
        (lambda m: operation_of(m).update(restart=[one("feed_until", total="A", amount=1, set={"B": 1})]), None),
        (lambda m: operation_of(m)["phases"].append(operation_of(m)["phases"][0]), (*PHASE[:-1], 1, "name")),
        (lambda m: operation_of(m).update(phases=[]), (*PHASE[:-1],)),
    ],
)
def test_a_wrong_recipe_is_refused_at_its_place(change: Any, place: tuple[Any, ...] | None) -> None:
    places = wrong(change)
    if place is not None:
        assert any(found[: len(place)] == place or place[:-1] == found for found in places), places


def operation_of(mapping: dict[str, Any]) -> dict[str, Any]:
    return mapping["procedure"]["screening"]["operations"][0]


def phase_of(mapping: dict[str, Any]) -> dict[str, Any]:
    return operation_of(mapping)["phases"][0]


def test_a_sync_cannot_be_switched_off() -> None:
    mapping = small(screening=[{**sync("a"), "when": "=wet"}], grinding=[sync("a")])
    with pytest.raises(ValidationError, match="would wait for ever"):
        Recipe.from_mapping(mapping)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=20))
anything = st.recursive(
    scalars,
    lambda x: st.one_of(st.lists(x, max_size=4), st.dictionaries(st.text(max_size=9), x, max_size=4)),
    max_leaves=12,
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_replacement_of_any_part_gives_anything_but_a_refusal(data: st.DataObject) -> None:
    """Whatever stands at any place of a recipe, it is taken or refused with a path; nothing else happens."""
    mapping = copy.deepcopy(SOURCES[data.draw(st.sampled_from(SHIPPED))])
    at: Any = mapping
    for _ in range(data.draw(st.integers(0, 7))):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys or not isinstance(at[key := data.draw(st.sampled_from(keys))], dict | list):
            break
        at = at[key]
    keys = list(at) if isinstance(at, dict) else list(range(len(at)))
    at[data.draw(st.sampled_from(keys))] = data.draw(anything)
    try:
        recipe = Recipe.from_mapping(mapping)
    except ValidationError:
        return
    for path, message, _ in check(recipe, TAGS, LOOPS, STATIONS):
        assert path
        assert message


SOURCES = {n: load_yaml((ROOT / "recipes" / f"{n}.yaml").read_text("utf-8")) for n in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_fit_the_demo_line(name: str) -> None:
    recipe = load_recipe(name)
    assert check(recipe, TAGS, LOOPS, STATIONS, {"XV-312": "guard", "HB-300": "station"}) == []
    assert all(step.limit_s > 0 for unit in recipe.control().units for step in unit.steps)
    assert {parameter.title.zh for parameter in recipe.formula.values()}


def test_the_schema_takes_what_is_shipped_and_refuses_a_slip() -> None:
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for source in SOURCES.values():
        assert [error.message for error in validator.iter_errors(source)] == []
    for phase in (one("set", valves={}), one("dwell", time_s="long"), one("wait"), {"name": "it", "kind": "set"}):
        assert not validator.is_valid(small(screening=[phase]))


def test_the_largest_run_is_accepted_whole() -> None:
    for name in ("kudzu-lobata-standard", "kudzu-thomsonii-fine"):
        feed = load_recipe(name).control({"root_kg": 20000, "feed_pct": 10}).units[0]
        longest = max(step.expect_s for step in feed.steps)
        assert longest == pytest.approx(20000 / 200 * 3600)
        assert all(
            step.limit_s > longest
            for unit in load_recipe(name).control().units
            for step in unit.steps
            if step.kind == "sync"
        )


def test_chosen_values_are_checked_and_named() -> None:
    recipe = load_recipe("kudzu-lobata-standard")
    assert recipe.control(parse_sets(["root_kg=450", "moisture_sp = 12.5"])).values["root_kg"] == 450.0
    for choice, words in [
        ("root_kg=30", "root_kg: 30.0 kg is too small (accepted: 50 to 20000 kg)"),
        ("root_kg=1e9", "too large"),
        ("moisture_sp=20", "moisture_sp: 20.0 % wb is too large (accepted: 11 to 13.5 % wb)"),
        ("root_kg=nan", "is not a number"),
        ("root_kg=inf", "too large"),
        ("root_kg=many", "root_kg: many kg is not a number"),
        ("root_kg=true", "is not a number"),
        ("rootkg=30", "rootkg: is not a parameter of this recipe (accepted: root_kg, feed_pct"),
    ]:
        with pytest.raises(ConfigError) as error:
            recipe.control(parse_sets([choice]))
        assert words in str(error.value)
    for texts in (["root_kg"], ["=3"], ["root_kg="], ["root_kg=1", "root_kg=2"]):
        with pytest.raises(ConfigError):
            parse_sets(texts)


def test_a_control_recipe_is_frozen() -> None:
    mapping = copy.deepcopy(SOURCES["kudzu-lobata-standard"])
    recipe = Recipe.from_mapping(mapping)
    control = recipe.control({"root_kg": 400})
    before = (control.hash, control.text, control.values)
    mapping["formula"]["root_kg"]["value"] = 999  # the file is edited while the run is on
    control.values["root_kg"] = 1.0
    with pytest.raises(ValidationError):
        recipe.formula["root_kg"].value = 999  # type: ignore[misc]
    assert (control.hash, control.text, control.values) == before
    assert Recipe.from_mapping(mapping).hash != control.hash
    again = ControlRecipe.from_text(control.text, json.loads(json.dumps(control.values)))
    assert (again.hash, again.text, again.values) == before
    assert again.units == control.units


def test_the_hash_is_of_what_is_said_not_of_its_layout() -> None:
    source = SOURCES["end-of-day-wash"]
    shuffled = {key: source[key] for key in reversed(source)}
    assert Recipe.from_mapping(shuffled).hash == Recipe.from_mapping(source).hash


def test_a_switch_leaves_phases_out() -> None:
    recipe = load_recipe("end-of-day-wash")
    asked = [step.name for step in recipe.control().units[0].steps]
    silent = [step.name for step in recipe.control({"operator_check": "false"}).units[0].steps]
    assert asked[0] == "is-empty"
    assert silent == asked[1:]
