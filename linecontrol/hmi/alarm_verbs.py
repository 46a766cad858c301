"""What may be done to an alarm now, and why not otherwise (ISA-18.2). Pure.

The API judges again; this only keeps people from pressing what will be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNACKNOWLEDGED = frozenset({"UNACK", "RTNUN", "LUNAK"})
AWAY = frozenset({"SHLVD", "DSUPR", "OOSRV"})
SHELVE_S = (600, 1800, 3600, 4 * 3600, 12 * 3600)
"""Times an alarm can be shelved for [s]."""
LONGEST_CRITICAL_S = 3600

VERBS = ("acknowledge", "reset", "shelve", "unshelve", "out-of-service", "return", "comment")


def why_not(row: Mapping[str, Any], verb: str) -> str:
    """The key of the reason why this verb is not legal now; empty when it is."""
    state = str(row["state"])
    hidden = f"alarm.is.{state}" if state in AWAY else ""
    match verb:
        case "acknowledge":
            return "" if state in UNACKNOWLEDGED else hidden or "alarm.no.acknowledged"
        case "reset":
            if not row["latched"]:
                return hidden or "alarm.no.latched"
            reasons = {"LACKD": "", "LUNAK": "alarm.no.acknowledge_first", "NORM": "alarm.no.nothing_to_reset"}
            return hidden or reasons.get(state, "alarm.no.still_there")
        case "shelve":
            return hidden if state in ("SHLVD", "OOSRV") else ""
        case "unshelve":
            return "" if row.get("shelved_until") else "alarm.no.shelved"
        case "out-of-service":
            return hidden if state == "OOSRV" else ""
        case "return":
            return "" if state == "OOSRV" else "alarm.no.out_of_service"
        case _:
            return ""


def shown_verbs(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The verbs worth a place on the screen: of two opposites the one that fits."""
    state = str(row["state"])
    skip = {"shelve" if row.get("shelved_until") else "unshelve", "out-of-service" if state == "OOSRV" else "return"}
    if not row["latched"]:
        skip.add("reset")
    return tuple(verb for verb in VERBS if verb not in skip)


def folded(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each alarm that tells of itself, with those that its annunciation stands for; in the given order."""
    names = {row["name"] for row in rows}
    members: dict[str, list[dict[str, Any]]] = {}
    heads = []
    for row in rows:
        head = str(row.get("first_out") or "")
        if head in names and head != row["name"]:
            members.setdefault(head, []).append(row)
        else:
            heads.append(row)
    return [(row, members.get(row["name"], [])) for row in heads]
