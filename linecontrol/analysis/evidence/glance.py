"""The first page: what was made of what, was any limit broken, what was done, by whom, where is the powder now.

Pure: it works on a gathered pack, and words nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from linecontrol.analysis.evidence.wording import person

STATUSES = ("good", "released", "held", "rejected", "open", "suspect")


_TOWARDS = {
    "Holding": "run_hold", "Restarting": "run_restart", "Stopping": "run_stop", "Aborting": "run_abort",
    "Pausing": "run_pause", "Resuming": "run_resume", "Resetting": "run_reset",
}  # fmt: skip
_DID = {
    "POST /runs": "run_start",
    "POST /runs/{run_id}/commands": "run_command",
    "POST /commands": "command",
    "POST /lots": "lot",
    "POST /runs/{run_id}/lots": "",  # the next ones have a record of their own
    "POST /runs/{run_id}/suspects/{suspect_id}": "",
    "POST /bags/{bag_id}/hold": "",
    "POST /bags/{bag_id}/release": "",
    "POST /bags/{bag_id}/reject": "",
    "POST /deviations/{deviation_id}/action": "",
    "POST /deviations/{deviation_id}/close": "",
    "POST /interlocks/{name}/bypass": "",
    "POST /calibrations": "",
    "POST /interlocks/{name}/bypass/end": "bypass_end",
    "POST /interlocks/{name}/reset": "interlock_reset",
    "POST /lab": "lab",
    "POST /alarms/acknowledge": "alarm",
    "POST /alarms/silence": "alarm",
    "POST /alarms/{name}/shelve": "alarm_shelve",
    "POST /session": "log_in",
    "DELETE /session": "log_out",
}
"""What a change over the API is called on the first page; others by their route."""


def glance(pack: Mapping[str, Any]) -> dict[str, Any]:
    """Figures and names that answer the five questions."""
    record, bags = pack["run"], pack["bags"]
    places = {
        status: {"bags": len(found), "kg": round(sum(bag["weight_kg"] for bag in found), 2)}
        for status in STATUSES
        if (found := [bag for bag in bags if bag["status"] == status])
    }
    broken = [limit for limit in pack["limits"] if limit["outside_s"] > 0.0]
    return {
        "root_kg": record.get("root_kg"),
        "powder_kg": record.get("powder_kg"),
        "diverted_kg": record.get("diverted_kg"),
        "suspect_kg": round(sum(_suspect_kg(bag) for bag in bags), 2),
        "lots": _lots(pack),
        "lot_named": str(record.get("lot") or ""),
        "tipped": _tipped(pack["events"]),
        "holds": _holds(pack["events"]),
        "unmeasured": [
            {key: limit[key] for key in ("name", "title", "unknown_s", "unknown_to_good_s", "unknown_unseen_s")}
            for limit in pack["limits"]
            if limit["unknown_s"] > 0.0
        ],
        "unchecked": _unchecked(pack),
        "undone": sorted(
            {row["item"] for row in pack["calibrations"] if row["result"] == "begun"}
            - {row["item"] for row in pack["calibrations"] if row["result"] == "passed"}
            - {item for limit in pack["limits"] for item in limit.get("checked_by") or ()}
        ),
        "broken": [
            {
                key: limit[key]
                for key in (
                    *("name", "title", "unit", "low", "high", "min", "max"),
                    *("outside_s", "outside_spans", "to_good_s", "unseen_s"),
                )
            }
            for limit in broken
        ],
        "limits": len(pack["limits"]),
        "deviations": [
            {
                key: row[key]
                for key in (
                    "deviation_id",
                    "ccp",
                    "text",
                    "text_zh",
                    "since",
                    "until",
                    "state",
                    "action",
                    "acted_by",
                    "closed_by",
                )
            }
            for row in pack["deviations"]
        ],
        "unverified": sorted(
            {
                row["standard"]["name"]
                for row in pack["limits"]
                if row.get("standard") and not row["standard"]["text_verified"]
            }
        ),
        "bypasses": len(pack["bypasses"]),
        "places": places,
        "actions": _actions(pack),
        "unanswered": _unanswered(pack),
        "people": _people(pack),
    }


def _suspect_kg(bag: Mapping[str, Any]) -> float:
    """What of a bag lies in suspect intervals [kg]; intervals may lie one within another, so that of the widest."""
    share = max((row["share"] for row in bag["suspects"]), default=0.0)
    return max(share * float(bag["weight_kg"]), float(bag["suspect_kg"]))


def _tipped(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each time roots, or the water and mud on them, came into the hopper; ``lot`` is empty where nobody named one."""
    return [
        {
            **{key: event["data"][key] for key in ("since", "kg", "lot")},
            "text": event["text"],
            "text_zh": event["data"]["zh"],
        }
        for event in events
        if event["kind"] == "lot.tipped" and event["data"]["run_id"]
    ]


def _holds(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each time the controller held the run: since when, until when (None = to the end), and why."""
    found: list[dict[str, Any]] = []
    for event in events:
        if event["kind"] != "run.held":
            continue
        if event["active"]:
            zh = event["data"].get("zh")  # None: as the controller's sentences are translated
            found.append({"since": event["time"], "until": None, "text": event["text"], "text_zh": zh})
        elif found and found[-1]["until"] is None:
            found[-1]["until"] = event["time"]
    return found


def _unchecked(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Checks that should vouch for a meter of the plan, and were not passed before the run ended."""
    newest = {row["item"]: row["result"] for row in pack["calibrations"] if row["done"] <= pack["end"]}
    return [
        {"item": item, "limit": limit["name"], "title": limit["title"]}
        for limit in pack["limits"]
        for item in limit.get("checked_by") or ()
        if newest.get(item) != "passed"
    ]


def _did(row: Mapping[str, Any]) -> str:
    """A word for a row of the audit trail; of a command to the run, which one it was."""
    what = _DID.get(str(row["action"]), str(row["action"]))
    if what != "run_command":
        return what
    wish = str(json.loads(row["new"] or "{}").get("command", "")).lower()
    return f"run_{wish}" if f"run_{wish}" in _TOWARDS.values() else what


def _commanded(event: Mapping[str, Any]) -> str:
    return _TOWARDS.get(event["data"].get("to", ""), "run_command")


def _by_person(event: Mapping[str, Any]) -> bool:
    return str(event["data"].get("who", "")).startswith(("operator:", "script:"))


def _lots(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lots and the powder that came of each [kg]; as tipped where no bag was closed."""
    kg: dict[str, float] = {use["lot_id"]: 0.0 for use in pack["uses"]}
    for bag in pack["bags"]:
        for row in bag["lots"]:
            kg[row["lot"]] = kg.get(row["lot"], 0.0) + row["kg"]
    known = {lot["lot_id"]: lot for lot in pack["lots"]}
    keys = ("species", "origin", "grower", "harvested", "received_kg")
    return [
        {"lot": name, "powder_kg": round(mass, 2), **{key: known.get(name, {}).get(key) for key in keys}}
        for name, mass in kg.items()
    ]


def _actions(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What people did about suspect powder and bags, and the corrective actions on deviations, oldest first."""
    rows = [
        {key: act[key] for key in ("time", "kind", "target", "reason", "who", "role", "meaning")}
        for act in pack["acts"]
    ]
    rows += [
        {
            "time": row["acted"] or row["since"],
            "kind": "action",
            "target": row["deviation_id"],
            "reason": row["action"],
            "who": row["acted_by"],
            "role": "",
            "meaning": "",
        }
        for row in pack["deviations"]
        if row["action"]
    ]
    return sorted(rows, key=lambda row: float(row["time"] or 0.0))


def _unanswered(pack: Mapping[str, Any]) -> list[str]:
    """Deviations, and suspect intervals in bags, for which no corrective action is on record."""
    answered = {act["target"] for act in pack["acts"] if act["kind"] == "action"}
    answered |= {row["deviation_id"] for row in pack["deviations"] if row["action"] and row["acted_by"]}
    asked = {row["id"] for bag in pack["bags"] for row in bag["suspects"]}
    asked |= {row["deviation_id"] for row in pack["deviations"]}
    return sorted(asked - answered)


def _people(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who did something that is on record, in which role, and what; ``did``: how often, by a word of ``_DID``.

    What was asked for over the API and stands in a record of its own as well is counted there only.
    """
    found: dict[str, dict[str, Any]] = {}
    done = [row for row in pack["audit"] if row["outcome"] in ("done", "repeated")]
    signed = {act["target"] for act in pack["acts"] if act["kind"] == "close"}
    unsigned = {row["deviation_id"] for row in pack["deviations"] if row["closed_by"]} - signed
    asked = {row["who"] for row in done if _DID.get(row["action"]) in ("run_start", "run_command")}
    for who, role, what in (
        *((row["who"], row["role"], _did(row)) for row in done),
        *((act["who"], act["role"], act["kind"]) for act in pack["acts"]),
        *((use["who"], "", "lot_use") for use in pack["uses"]),
        *((row["acted_by"], "", "action") for row in pack["deviations"] if row["acted_by"]),
        *((row["closed_by"], "", "close") for row in pack["deviations"] if row["deviation_id"] in unsigned),
        *((row["who"], "", "bypass") for row in pack["bypasses"]),
        *((row["who"], "", row["item"]) for row in pack["calibrations"] if row["done"] >= pack["start"]),
        *(
            (one["data"]["who"], "", "run_start" if one["data"].get("was") == "Idle" else _commanded(one))
            for one in pack["events"]
            if one["kind"] == "run.state" and _by_person(one) and one["data"]["who"] not in asked
        ),
    ):
        row = found.setdefault(person(who), {"who": who, "roles": [], "did": {}})
        if role and role not in row["roles"]:
            row["roles"].append(role)
        if what:
            row["did"][what] = row["did"].get(what, 0) + 1
    return list(found.values())
