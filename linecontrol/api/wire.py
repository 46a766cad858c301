"""What goes over the wire: response and request models, and how our records become them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.core.model import Event, Receipt, Sample, Tag, Value
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

WHO: Any = Field(
    None,
    max_length=60,
    pattern=r"^[\w .@-]+$",
    description="In whose name. Only the command line of the controller's own computer may speak for others; from "
    "everybody else it is not looked at: the session says who asks.",
)
LineTime = Annotated[
    float | None, Query(ge=0, lt=1e12, allow_inf_nan=False, description="line time, seconds since 1970")
]
SLICE = 16  # rows turned into JSON before another thread may have the interpreter: some 100 us


def json_object(rows: Iterable[tuple[str, Any]]) -> str:
    """A JSON object of many members, made in slices: encoding all of them at once would hold up a scan."""
    return "{" + ",".join(encoded(dict(batch))[1:-1] for batch in batched(rows, SLICE)) + "}"


def json_list(rows: Iterable[Any]) -> str:
    """A JSON array of many rows, made in slices as ``json_object``."""
    return "[" + ",".join(encoded(batch)[1:-1] for batch in batched(rows, SLICE)) + "]"


def batched(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of up to ``size`` rows."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


def encoded(value: Any) -> str:
    """Compact JSON; NaN is an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def seen(line: Line, names: Sequence[str]) -> tuple[float, list[Sample]]:
    """The line's time and these tags' samples as of then; to be called in the line's loop."""
    now = line.clock.now()
    return now, [line.image.at(name, now) for name in names]


def sample_row(sample: Sample, now: float) -> dict[str, Any]:
    return {
        "value": sample.value,
        "quality": sample.status.quality.value,
        "status": sample.status.text,
        "time": iso(sample.time) if sample.time else None,
        "age_s": round(max(0.0, now - sample.time), 3) if sample.time else None,
    }


def tag_row(tag: Tag, sample: Sample, now: float) -> dict[str, Any]:
    return {
        "name": tag.name,
        "alias": tag.alias,
        "station": tag.station,
        "title": {"en": tag.title.en, "zh": tag.title.zh},
        "unit": tag.unit,
        "writable": tag.writable,
        "low": _finite(tag.low),
        "high": _finite(tag.high),
        "choices": [list(choice) for choice in tag.choices],
        **sample_row(sample, now),
    }


def event_row(event: Event) -> dict[str, Any]:
    return {
        "time": iso(event.time),
        "kind": event.kind,
        "source": event.source,
        "severity": event.severity.value,
        "active": event.active,
        "text": event.text,
        "data": event.data,
    }


def receipt_row(receipt: Receipt) -> dict[str, Any]:
    command = receipt.command
    return {
        "time": iso(receipt.time),
        "who": command.who,
        "tag": command.tag,
        "value": _sayable(command.value),
        "reason": command.reason,
        "outcome": receipt.outcome.value,
        "why": receipt.reason,
        "why_zh": receipt.reason_zh or None,
        "old": receipt.old,
        "readback": receipt.readback,
    }


def _sayable(value: Value) -> Value:
    """What somebody asked for; JSON has no word for NaN and infinity, so these are refused and told of as texts."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _finite(value: float) -> float | None:
    return value if abs(value) < 1e300 else None


class Titles(BaseModel):
    en: str = Field(examples=["Inlet air temperature"])
    zh: str = Field(examples=["进风温度"])


class SampleOut(BaseModel):
    """A value is null unless its quality is GOOD or UNCERTAIN; its age counts from the device's own answer."""

    value: Value | None = Field(examples=[141.2])
    quality: str = Field(examples=["GOOD"], description="GOOD, UNCERTAIN or BAD")
    status: str = Field(examples=["Good"], description="OPC UA status code name")
    time: str | None = Field(examples=["2026-01-12T06:30:00.000Z"])
    age_s: float | None = Field(examples=[0.4])


class RecordedOut(BaseModel):
    """A sample as it is recorded."""

    time: str = Field(examples=["2026-01-12T06:30:00.000Z"])
    value: Value | None = Field(examples=[141.2])
    quality: str = Field(examples=["GOOD"], description="GOOD, UNCERTAIN or BAD")
    status: str = Field(examples=["Good"], description="OPC UA status code name")


class TagOut(SampleOut):
    name: str = Field(examples=["TT-303"])
    alias: str = Field(examples=["drying.inlet_air_temp"])
    station: str = Field(examples=["drying"])
    title: Titles
    unit: str = Field(examples=["°C"])
    writable: bool
    low: float | None = Field(examples=[-20.0])
    high: float | None = Field(examples=[230.0])
    choices: list[tuple[int, str]] = Field([], description="What the numbers mean, where they are words.")


class CommandIn(BaseModel):
    """A wish to change one tag. It is judged by the gate, and journalled whatever comes of it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tag": "MIC-306.SP", "value": 12.5, "reason": "drier lot for the customer"}]},
    )
    tag: str = Field(max_length=80)
    value: Value
    who: str | None = WHO
    reason: str = Field("", max_length=500)
    expected: Value | None = Field(None, description="What the asker saw; refused when the value has changed since.")


class ReceiptOut(BaseModel):
    time: str | None
    who: str = Field(examples=["operator:li"])
    tag: str = Field(examples=["MIC-306.SP"])
    value: Value
    reason: str = Field(description="Why it was asked for")
    outcome: str = Field(examples=["confirmed"], description="confirmed, refused or failed")
    why: str = Field(description="Why it was refused or failed")
    why_zh: str | None = Field(None, description="The same in Chinese, where it is known")
    old: Value | None
    readback: Value | None


class EventOut(BaseModel):
    time: str | None
    kind: str = Field(examples=["link.down"])
    source: str = Field(examples=["drying"])
    severity: str = Field(examples=["alarm"])
    active: bool | None
    text: str
    data: dict[str, Any]


class RunStart(BaseModel):
    """Start a run of a recipe with some of its formula values changed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"recipe": "kudzu-lobata-standard", "values": {"root_kg": 500}}]},
    )
    recipe: str = Field(max_length=120)
    values: dict[str, float | bool] = Field(default_factory=dict)
    mode: str = Field("automatic", description="automatic, semi-automatic or manual")
    who: str | None = WHO
    run_id: str | None = Field(None, max_length=60, pattern=r"^[\w-]+$", description="Your own id makes a retry safe.")
    lot: str | None = Field(None, max_length=60, description="Lot of the roots, for the record.", examples=["A-17"])
    species: str | None = Field(None, max_length=60, description="Species of the roots.", examples=["lobata"])
    season: str | None = Field(None, max_length=60, description="Season of the harvest.", examples=["2026-winter"])


class RunCommand(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"command": "hold", "reason": "belt slips"}]}
    )
    command: str = Field(
        description="hold, restart, stop, abort, pause, resume, reset, proceed, answer; "
        "or a mode: automatic, semi-automatic, manual"
    )
    who: str | None = WHO
    reason: str = Field("", max_length=500)
    expected: str | None = Field(
        None,
        max_length=40,
        description="State the asker saw, e.g. Held; refused when it has changed since. Not for hold, stop and abort.",
    )


class RunRecord(BaseModel):
    """The batch record of a run. Masses are measured; the yield carries its standard uncertainty (k = 1)."""

    model_config = ConfigDict(extra="allow")
    run_id: str = Field(examples=["20260112-063000-lobata"])
    recipe: str = Field(examples=["kudzu-lobata-standard"])
    recipe_hash: str
    state: str = Field(examples=["Complete"])
    started_at: str | None
    ended_at: str | None
    root_kg: float | None
    root_starch_kg: float | None
    powder_kg: float | None
    powder_dry_starch_kg: float | None
    extraction_yield: float | None = Field(examples=[0.79])
    extraction_yield_u: float | None = Field(examples=[0.026])
    moisture_mean_pct_wb: float | None
    moisture_sd_pct_wb: float | None
    out_of_band_s: float | None
    diverted_kg: float | None
    suspect_kg: float | None
    water_m3: float | None
    energy_kwh: float | None
    extraction_yield_reconciled: float | None = Field(
        None, examples=[0.879], description="Once the run has ended: what agrees best with every measured stream."
    )
    extraction_yield_reconciled_u: float | None = Field(None, examples=[0.012])
    extraction_yield_low_95: float | None = Field(None, description="95 % interval of the reconciled yield.")
    extraction_yield_high_95: float | None = None
    energy_kwh_per_kg: float | None = Field(None, examples=[1.64], description="Per kg of good powder.")
    water_l_per_kg: float | None = Field(None, examples=[60.5])
    co2_kg_per_kg: float | None = Field(None, examples=[0.57])
    cost_per_kg: float | None = Field(None, examples=[1.08], description="Energy and water, in ``currency``.")
    currency: str | None = Field(None, examples=["CNY"])
    version: int | None = Field(None, examples=[1], description="Of the record; a later laboratory value makes one.")
    version_by: str | None = None
    version_why: str | None = None
    samples: int
    reads: dict[str, int] = Field(examples=[{"modbus": 24012, "opcua": 6003}])
    alarms: int
    lot: str | None = Field(None, examples=["A-17"])
    species: str | None = None
    season: str | None = None
