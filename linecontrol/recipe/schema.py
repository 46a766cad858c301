"""JSON Schema of a recipe file, for editors: the model's own, with the parameters of each phase kind.

Looser than ``Recipe.from_mapping`` where a schema cannot know (formula names, units, synchronisation points).
"""

from __future__ import annotations

import copy
from typing import Any

from linecontrol.recipe.model import Recipe
from linecontrol.recipe.phases import KINDS

_EXPRESSION = {"type": "string", "pattern": "^="}


def recipe_schema() -> dict[str, Any]:
    """Schema (draft 2020-12) of a recipe as YAML or JSON."""
    schema: dict[str, Any] = copy.deepcopy(Recipe.model_json_schema())
    phase = schema["$defs"]["PhaseSpec"]
    phase["properties"]["kind"] = {"enum": list(KINDS), "description": "Phase kind"}
    phase["allOf"] = []
    for name, kind in KINDS.items():
        params = kind.params.model_json_schema(ref_template="#/$defs/{model}")
        for part, definition in params.pop("$defs", {}).items():
            schema["$defs"].setdefault(part, _or_expression(definition) if part != "Words" else definition)
        rule: dict[str, Any] = {"properties": {"params": _or_expression(params)}}
        if params.get("required"):
            rule["required"] = ["params"]
        phase["allOf"].append({"if": {"properties": {"kind": {"const": name}}}, "then": rule})
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "linecontrol recipe"
    return schema


def _or_expression(node: Any) -> Any:
    """Every number or switch may also be written as an expression."""
    if isinstance(node, list):
        return [_or_expression(part) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("number", "integer", "boolean") and "properties" not in node:
        return {"anyOf": [node, _EXPRESSION]}
    return {key: _or_expression(value) for key, value in node.items()}
