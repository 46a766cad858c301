"""JSON Schema (draft 2020-12) of each kind of file, made from the models, so that editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from linecontrol.config.alarm import ControllerAlarms
from linecontrol.config.brand import Brand
from linecontrol.config.design import Design, Schedule
from linecontrol.config.fields import near_names
from linecontrol.config.flowsheet import FlowsheetFile
from linecontrol.config.line import LineFile
from linecontrol.config.station import StationProfile
from linecontrol.core.errors import ConfigError

MODELS: dict[str, type[BaseModel]] = {
    "brand": Brand,
    "station": StationProfile,
    "line": LineFile,
    "design": Design,
    "schedule": Schedule,
    "flowsheet": FlowsheetFile,
    "alarms": ControllerAlarms,
}


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind in ``MODELS``. Raises ConfigError for another kind.

    It describes a file as read here: keys are texts, and so are ``on``, ``yes`` and dates. Rules between fields and
    between files are not in it; ``check_paths`` has them.
    """
    if kind not in MODELS:
        raise ConfigError(f"there is no schema {kind!r} (accepted: {near_names(kind, sorted(MODELS))})")
    made = MODELS[kind].model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
