"""A row of the audit trail, as it is kept. No I/O here, and no database."""

from __future__ import annotations

from dataclasses import dataclass, replace

from linecontrol.history.rows import Row, micros, seconds


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change that was asked for: who, when, what, old, new, why.

    Attributes:
        time: line time [s since 1970, UTC].
        who: ``operator:li``, ``script:lims``, or ``anonymous``. role: the role it acted in; empty for nobody.
        session: what it was known by: ``session:…``, ``token:…``, ``console``, or empty. address: where it came from.
        action: method and route, ``POST /runs/{run_id}/commands``. target: the path as it was asked for.
        old, new: JSON of what it was and what was asked for; None = not known. why: the reason that was given.
        outcome: ``done``, ``repeated`` (a retry that changed nothing), ``refused``, ``denied`` (no right), ``failed``.
        detail: why it was not done.
        number: counts up by one order for the whole database; 0 = not yet stored.
    """

    time: float
    who: str
    role: str
    session: str
    address: str
    action: str
    target: str
    old: str | None
    new: str | None
    why: str
    outcome: str
    detail: str = ""
    number: int = 0


def audit_row(audit: AuditRow) -> Row:
    """Raises PoisonError for a time that is none."""
    texts = (audit.who, audit.role, audit.session, audit.address, audit.action, audit.target)
    kept = (_storable(text) for text in texts)
    old, new = (None if text is None else _storable(text) for text in (audit.old, audit.new))
    return (micros(audit.time), *kept, old, new, _storable(audit.why), audit.outcome, _storable(audit.detail))


def audit_of(row: Row, number: int) -> AuditRow:
    time_us, *rest = row
    return replace(AuditRow(seconds(time_us), *rest), number=number)


def _storable(text: str) -> str:
    """What no database takes (half a surrogate pair, NUL) is written out: no row may be lost over what was in it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
