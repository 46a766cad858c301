"""From a line file to the records of the rooms: guard, yield, run tags. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from linecontrol.analysis.extraction import Declared, Extraction, ExtractionTags
from linecontrol.config import LineConfig, StationConfig
from linecontrol.core.model import DataType, Tag, Text
from linecontrol.guard.divert import CriticalLimit, DivertGuard, GateSettings
from linecontrol.line.lab_meter import lab_tags
from linecontrol.line.loops import STATION, loop_settings, loop_words, soft_tags
from linecontrol.line.moisture import moisture_tags
from linecontrol.line.quality_tags import quality_tags


def run_tags() -> list[Tag]:
    def tag(name: str, en: str, zh: str, kind: DataType) -> Tag:
        return Tag(name, STATION, Text(en, zh), "", kind, name)

    return [
        tag("RUN.STATE", "Run state", "运行状态", DataType.STRING),
        tag("RUN.MODE", "Run mode", "运行模式", DataType.STRING),
        tag("RUN.ID", "Run", "批次", DataType.STRING),
        tag("RUN.CYCLES", "Control cycles", "控制周期数", DataType.UINT32),
    ]


def known_constant(station: StationConfig) -> tuple[str, float] | None:
    """A tag of more than one register that always reads the same, and what it reads; None if the profile has none."""
    for tag in station.tags:
        expected = station.probes[tag.name].equals if tag.name in station.probes else None
        if expected is not None and tag.type.words > 1:
            return tag.name, float(expected)
    return None


def line_tags(config: LineConfig) -> list[Tag]:
    """Every tag of a line: of its stations, loops, checked meters and run. Raises ConfigError for a wrong loop."""
    loops = soft_tags(loop_settings(config), *loop_words(config))
    return [
        *config.tags,
        *loops,
        *moisture_tags(config.line.loops),
        *lab_tags(config),
        *quality_tags(config),
        *run_tags(),
    ]


def divert_guard(config: LineConfig) -> DivertGuard | None:
    rows = config.line.guard
    if rows is None:
        return None
    settings = GateSettings(
        tag=rows.gate.tag,
        position=rows.gate.position,
        good_total=rows.good_total,
        flow=rows.flow.tag,
        min_flow=rows.flow.min,
        good=rows.gate.good,
        rework=rows.gate.rework,
        waste=rows.gate.waste,
        settle_s=rows.settle_s,
    )
    limits = [
        CriticalLimit(
            row.name,
            row.tag,
            -math.inf if row.low is None else row.low,
            math.inf if row.high is None else row.high,
            row.title.text(),
            row.source,
            row.guard_band,
        )
        for row in rows.critical_limits
        if row.diverts
    ]
    return DivertGuard(settings, limits)


def new_extraction(
    config: LineConfig, values: Mapping[str, float | bool], saved: Mapping[str, Any] | None = None
) -> Extraction | None:
    """Running sums for a run, fresh or as saved; None when the line file has no ``yield`` section."""
    rows = config.line.yield_
    if rows is None or config.line.guard is None:
        return None
    tags = ExtractionTags(
        root_total=rows.root_total,
        root_starch=rows.root_starch,
        powder_total=rows.powder_total,
        powder_moisture=rows.powder_moisture,
        powder_rate=rows.powder_rate,
        diverted_totals=config.line.guard.diverted_totals,
        water_totals=rows.water_totals,
        energy_totals=rows.energy_totals,
    )
    declared = Declared(
        purity=rows.powder_purity.value,
        purity_u=rows.powder_purity.u,
        band_pct_wb=rows.moisture_band_pct_wb,
        **rows.uncertainty.model_dump(),
    )
    if saved is not None:
        return Extraction.from_dict(saved, tags, declared)
    return Extraction(tags, declared, float(values.get("moisture_sp", 13.0)))
