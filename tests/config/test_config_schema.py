"""The generated JSON Schemas accept every shipped file and refuse what the models refuse."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from linecontrol.config import files_in, schema
from linecontrol.config.document import load_document
from linecontrol.core.errors import ConfigError

FILES = {path.relative_to(path.parents[1]).as_posix(): path for path in files_in()}


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind))


@pytest.mark.parametrize("kind", ["brand", "station", "line", "alarms"])
def test_schemas_are_valid_themselves(kind: str) -> None:
    made = schema(kind)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["properties"]["kind"]["const"] == kind
    assert made["additionalProperties"] is False
    Draft202012Validator.check_schema(made)


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_file_fits_its_schema(name: str) -> None:
    doc = load_document(FILES[name])
    assert doc.kind is not None
    assert [error.message for error in validator(doc.kind).iter_errors(doc.data)] == []


@pytest.mark.parametrize("name", FILES)
def test_schemas_refuse_an_unknown_key_in_every_mapping_that_has_fixed_ones(name: str) -> None:
    doc = load_document(FILES[name])
    assert doc.kind is not None
    check = validator(doc.kind)
    for row in ("areas", "points", "tags", "loops", "alarms", "events"):
        if doc.data.get(row):
            spoilt = copy.deepcopy(doc.data)
            spoilt[row][0]["no_such_key"] = 1
            assert not check.is_valid(spoilt)
    assert not check.is_valid({**doc.data, "no_such_key": 1})


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("brands/delta-dvp.yaml", ("evidence",), "hearsay"),
        ("brands/delta-dvp.yaml", ("max_read_words",), 126),
        ("brands/delta-dvp.yaml", ("areas", 0, "wire"), 65536),
        ("stations/screening.yaml", ("tags", 0, "type"), "float"),
        ("stations/screening.yaml", ("tags", 1, "range"), [0]),
        ("stations/screening.yaml", ("tags", 1, "range"), [0, 1, 2]),
        ("stations/screening.yaml", ("safe_outputs", "held", "SC-101"), []),
        ("lines/demo.yaml", ("loops", 0, "gains", "ti_s"), 0),
        ("lines/demo.yaml", ("loops", 0, "action"), "up"),
        ("lines/demo.yaml", ("yield", "powder_purity", "value"), 97),
    ],
)
def test_schemas_refuse_wrong_values(name: str, place: tuple[str | int, ...], value: Any) -> None:
    doc = load_document(FILES[name])
    assert doc.kind is not None
    spoilt = copy.deepcopy(doc.data)
    node: Any = spoilt
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
    assert not validator(doc.kind).is_valid(spoilt)


def test_there_is_no_schema_for_other_kinds() -> None:
    with pytest.raises(ConfigError, match="brand"):
        schema("brnd")


def test_shipped_files_are_where_their_kind_says() -> None:
    folders = {"brand": "brands", "station": "stations", "line": "lines", "alarms": "alarms"}
    for path in FILES.values():
        kind = load_document(Path(path)).kind
        assert kind is not None
        assert path.parent.name == folders[kind]
