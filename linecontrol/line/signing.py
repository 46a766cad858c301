"""What people sign for: the meanings of a signature, and the record of a decision under a name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from linecontrol.core.errors import StateError
from linecontrol.core.model import Text
from linecontrol.history import ActRow

MEANINGS = {
    "release": Text(
        "I have looked at the evidence, the corrective action is done, and I release this bag for use.",
        "本人已核查证据，纠正措施已完成，批准放行此袋。",
    ),
    "reject": Text("I reject this bag: it must not be used as food.", "本人拒收此袋：不得作为食品使用。"),
    "close": Text(
        "I have verified that the corrective action was done and was enough, and I close this deviation.",
        "本人已验证纠正措施已实施且充分，关闭此偏差。",
    ),
}
"""What a signature stands for; it is signed with a password."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who decides: name as history keeps it, role, and the meaning they signed; empty = without a password."""

    who: str
    role: str
    meaning: str = ""

    @property
    def name(self) -> str:
        return name_of(self.who)


def name_of(who: str) -> str:
    """The name without what kind of caller it is: ``li`` of ``operator:li``."""
    return who.partition(":")[2] or who


def act_row(run_id: str, target: str, kind: str, now: float, reason: str, by: Signer) -> ActRow:
    """The record of a decision [now: line s]. Raises StateError where it takes a signature and there is none."""
    if kind in MEANINGS and not by.meaning:
        raise StateError(f"to {kind} takes a signature: the password of who decides, and what it stands for")
    return ActRow(f"A{secrets.token_hex(6)}", run_id, target, kind, now, by.who, by.role, reason.strip(), by.meaning)
