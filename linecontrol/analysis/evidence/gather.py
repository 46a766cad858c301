"""Gathers the evidence pack of a run from the history: no line, no plant and no network is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from linecontrol.analysis.evidence.glance import glance
from linecontrol.analysis.evidence.limits import LIMIT_OF_SAMPLES, judged, steps_of
from linecontrol.analysis.evidence.seal import sealed
from linecontrol.core.errors import StorageError
from linecontrol.core.model import Event
from linecontrol.history import CalibrationRow, DeviationRow, HistoryReader, RunRow, VersionRow
from linecontrol.history.recipe_versions import version_run
from linecontrol.history.trace import traced
from linecontrol.history.verify import chain_head, digests

FORMAT = 1
SUPPORTS = "supports a HACCP plan (Codex CXC 1-1969) and electronic records after 21 CFR Part 11"
AFTER_S = 600.0  # what was written down shortly after the end still belongs to the run
MOST_ROWS, MOST_EVENTS = 5000, 50_000
_EVENTS = ("alarm", "guard", "bag", "run", "evidence", "plc", "interlock", "haccp", "link", "lot")
_PACKED = (
    *("run", "run_version", "recipe", "lot", "lot_use", "bag", "signed_act", "lab", "audit"),
    *("deviation", "calibration", "bypass", "recipe_version"),
)


def no_such_run(run_id: str) -> StorageError:
    return StorageError(f"there is no run {run_id!r} on record (see `linecontrol runs`)")


def gather(reader: HistoryReader, run_id: str, made_at: float) -> dict[str, Any]:
    """The pack of a run, sealed. Raises StorageError when there is no such run.

    Args:
        made_at: when it is made [s since 1970, UTC].
    """
    run = reader.run(run_id)
    if run is None:
        raise no_such_run(run_id)
    start = run.started_at or run.updated_at
    end = run.ended_at or max(run.updated_at, start)
    until = end + AFTER_S
    events = reader.events(start, until, MOST_EVENTS, _EVENTS)
    pack: dict[str, Any] = {
        "kind": "evidence pack",
        "format": FORMAT,
        "supports": SUPPORTS,
        "made_at": iso(made_at),
        "run": run.record,
        "recipe": _recipe(reader, run),
        "start": start,
        "end": end,
        "limits": _limits(reader, run, start, end),
        "interlocks": run.record.get("interlocks") or [],
        "versions": [_version(row) for row in reader.versions(run_id)],
        "deviations": [_finite(row) for row in reversed(reader.deviations(start, end + 1.0, MOST_ROWS))],
        "alarms": [_event(one) for one in events if one.kind.startswith("alarm.")],
        "events": [_event(one) for one in events if not one.kind.startswith("alarm.")],
        "is_cut": len(events) >= MOST_EVENTS,
        "bypasses": [asdict(row) for row in reversed(reader.bypasses(start, end + 1.0, MOST_ROWS))],
        "calibrations": [asdict(row) for row in _in_force(reader.calibrations(None, MOST_ROWS), start, until)],
        "laboratory": [asdict(row) for row in reader.lab(since=start, until=until)],
        "audit": [asdict(row) for row in reversed(reader.audit(start, None, MOST_ROWS)) if _is_of(row, run_id, until)],
        **_traced(reader, run_id),
    }
    head = chain_head(reader)
    pack["chain"] = {"links": head.count if head else 0, "head": head.hash if head else "0" * 64}
    pack["digests"] = _digests(reader, pack)
    pack["glance"] = glance(pack)
    return sealed(pack)


def _recipe(reader: HistoryReader, run: RunRow) -> dict[str, Any]:
    row = reader.recipe(run.recipe_hash)
    text, version = "" if row is None else row.text, version_run(reader, run.recipe_hash)
    keys = ("id", "author", "note", "made_at", "judged_by", "judgement", "judged_at", "activated_by", "activation")
    approval = None if version is None else {key: getattr(version, key) for key in (*keys, "activated_at")}
    return {
        "name": run.recipe,
        "version": run.record.get("recipe_version"),
        "hash": run.recipe_hash,
        "values": run.record.get("values", {}),
        "text": text,
        "approval": approval,
    }


def _limits(reader: HistoryReader, run: RunRow, start: float, end: float) -> list[dict[str, Any]]:
    """Every critical limit that was in force, and how it was kept."""
    limits, making = run.record.get("critical_limits") or [], run.record.get("making")
    if not limits or not making:
        return []
    recorded = reader.tags()
    tags = [tag for tag in {*(row["tag"] for row in limits), making["flow"], making["gate"]} if tag in recorded]
    samples = reader.samples(tags, start, end, LIMIT_OF_SAMPLES)
    curves = {tag: steps_of(rows, start, end) for tag, rows in samples.items()}
    if making["flow"] not in curves or making["gate"] not in curves:
        return []
    sides = {tag: curves[tag] for tag in (making["flow"], making["gate"])}
    return [
        judged(row, {row["tag"]: curves[row["tag"]], **sides}, making, end) for row in limits if row["tag"] in curves
    ]


def _traced(reader: HistoryReader, run_id: str) -> dict[str, Any]:
    found = traced(reader, run_id)
    bags = [{key: value for key, value in asdict(bag).items() if key != "passage"} for bag in found.bags]
    return {
        "lots": [asdict(lot) for lot in found.lots],
        "uses": [asdict(use) for use in found.uses],
        "bags": [
            {
                **bag,
                "lots": [{"lot": lot, "share": share, "kg": kg} for lot, share, kg in bag["lots"]],
                "suspects": [{"id": name, "share": share, "why": why} for name, share, why in bag["suspects"]],
            }
            for bag in bags
        ],
        "acts": [asdict(act) for act in found.acts],
    }


def _is_of(row: Any, run_id: str, until: float) -> bool:
    """Changes made while it ran, and later ones that name it."""
    return row.time <= until or run_id in row.target


def _in_force(newest_first: Sequence[CalibrationRow], start: float, until: float) -> list[CalibrationRow]:
    """Checks done during the run, and of each item the last one before it: what vouched for it."""
    found: list[CalibrationRow] = []
    vouched: set[str] = set()
    for row in newest_first:
        if row.done >= start:
            if row.done <= until:
                found.append(row)
        elif row.item not in vouched:
            vouched.add(row.item)
            found.append(row)
    return sorted(found, key=lambda row: row.done)


def _version(row: VersionRow) -> dict[str, Any]:
    """Of a version of the run's record all but the record itself."""
    return {key: value for key, value in asdict(row).items() if key != "record"}


def _finite(row: DeviationRow) -> dict[str, Any]:
    """JSON knows no NaN."""
    found = asdict(row)
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in found.items()
    }


def _digests(reader: HistoryReader, pack: Mapping[str, Any]) -> list[list[str]]:
    """Kind, key and digest of each record in the pack that has one in the chain."""
    run_id, now = pack["run"]["run_id"], digests(reader, _PACKED)
    wanted = {("run", run_id), ("recipe", pack["recipe"]["hash"])}
    wanted |= {("lot", row["lot_id"]) for row in pack["lots"]} | {("lot_use", row["use_id"]) for row in pack["uses"]}
    wanted |= {("bag", row["bag_id"]) for row in pack["bags"]} | {("signed_act", row["act_id"]) for row in pack["acts"]}
    if (approval := pack["recipe"]["approval"]) is not None:
        wanted.add(("recipe_version", approval["id"]))
    wanted |= {("lab", row["lab_id"]) for row in pack["laboratory"]}
    wanted |= {("audit", str(row["number"])) for row in pack["audit"]}
    wanted |= {("deviation", row["deviation_id"]) for row in pack["deviations"]}
    wanted |= {("calibration", row["calibration_id"]) for row in pack["calibrations"]}
    wanted |= {("bypass", row["bypass_id"]) for row in pack["bypasses"]}
    wanted |= {("run_version", f"{run_id} {row['version']}") for row in pack["versions"]}
    return [[kind, key, now[kind, key]] for kind, key in sorted(wanted) if (kind, key) in now]


def _event(event: Event) -> dict[str, Any]:
    row = asdict(event)
    return {**row, "severity": event.severity.value, "data": _plain(dict(event.data or {}))}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Only what JSON knows."""
    return {
        key: value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)
        for key, value in row.items()
    }


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
