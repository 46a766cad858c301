"""Who may do what: one table from role to right, one from right to every route, WebSocket and page.

What is not in these tables is nobody's: the gatekeeper refuses it, and a test fails on it. A route is added here in the
same change that adds it. `docs/access.md` shows the tables to people; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Right(StrEnum):
    """What a person or script may be allowed."""

    PUBLIC = "public"  # nobody needs to be known: to log in, and what the log-in page shows
    OWN = "own"  # one's own session and password
    VIEW = "view"  # see everything of the plant, its runs and its alarms; change nothing
    HALT = "halt"  # towards safety: hold, stop, abort. Never taken away by an idle lock or a full audit trail
    OPERATE = "operate"  # start and go on with runs, set points and modes, answer prompts and alarms
    LAB = "lab"  # enter laboratory values
    TUNE = "tune"  # loop tests, gains, strategies, corrections of meters
    REVIEW = "review"  # read the audit trail
    APPROVE = "approve"  # release recipes and whatever else binds the next shift
    ADMINISTER = "administer"  # users, tokens, sessions of others


class Role(StrEnum):
    """What a user or a token is made as."""

    OPERATOR = "operator"
    TECHNICIAN = "technician"
    RESEARCHER = "researcher"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


_ANYBODY = frozenset({Right.PUBLIC, Right.OWN, Right.VIEW})
_OPERATOR = _ANYBODY | {Right.HALT, Right.OPERATE, Right.LAB}
_TECHNICIAN = _OPERATOR | {Right.TUNE}
_SUPERVISOR = _TECHNICIAN | {Right.REVIEW, Right.APPROVE}

ROLES: dict[Role, frozenset[Right]] = {
    Role.OPERATOR: _OPERATOR,
    Role.TECHNICIAN: _TECHNICIAN,
    Role.RESEARCHER: _ANYBODY,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.ADMIN: frozenset(Right),
}

WHILE_LOCKED = frozenset({Right.PUBLIC, Right.OWN, Right.VIEW, Right.HALT})
"""What is left to a session whose user has gone away."""

ROUTES: dict[str, Right] = {
    # the line
    "GET /status": Right.VIEW,
    "GET /metrics": Right.VIEW,
    "GET /tags": Right.VIEW,
    "GET /tags/{name}": Right.VIEW,
    "GET /commands": Right.VIEW,
    "POST /commands": Right.OPERATE,  # and TUNE for some tags: see right_to_write
    "GET /events": Right.VIEW,
    "GET /samples": Right.VIEW,
    "GET /trends": Right.VIEW,
    "GET /statistics": Right.VIEW,
    # runs and recipes
    "GET /recipes": Right.VIEW,
    "GET /recipes/{name}": Right.VIEW,
    "GET /recipe-versions": Right.VIEW,
    "GET /recipes/{name}/versions": Right.VIEW,
    "POST /recipes/{name}/versions": Right.TUNE,
    "GET /recipes/{name}/versions/{version}": Right.VIEW,
    "PUT /recipes/{name}/versions/{version}": Right.TUNE,
    "POST /recipes/{name}/versions/{version}/approve": Right.APPROVE,
    "POST /recipes/{name}/versions/{version}/reject": Right.TUNE,  # one's own draft; others' with APPROVE
    "POST /recipes/{name}/versions/{version}/activate": Right.APPROVE,
    "GET /runs": Right.VIEW,
    "POST /runs": Right.OPERATE,
    "GET /runs/current": Right.VIEW,
    "GET /runs/{run_id}": Right.VIEW,
    "GET /runs/{run_id}/versions": Right.VIEW,
    "GET /runs/{run_id}/versions/{version}": Right.VIEW,
    "GET /runs/{run_id}/flows": Right.VIEW,
    "GET /runs/{run_id}/attribution/{other}": Right.VIEW,
    "POST /runs/{run_id}/commands": Right.HALT,  # and OPERATE for what goes on: see right_to_command
    "GET /runs/{run_id}/set-point-advice": Right.VIEW,
    "POST /runs/{run_id}/set-point-advice": Right.OPERATE,
    "GET /runs/permissives": Right.VIEW,
    "GET /runs/current/procedure": Right.VIEW,
    # what researchers ask
    "GET /compare": Right.VIEW,
    "GET /compare/overlay": Right.VIEW,
    "GET /compare/control-charts": Right.VIEW,
    "GET /compare/power": Right.VIEW,
    "GET /compare/surface": Right.VIEW,
    "GET /export": Right.VIEW,
    "GET /runs/{run_id}/report": Right.VIEW,
    # lots, bags and evidence
    "GET /lots": Right.VIEW,
    "POST /lots": Right.OPERATE,
    "GET /lots/{lot_id}": Right.VIEW,
    "POST /runs/{run_id}/lots": Right.OPERATE,
    "GET /runs/{run_id}/bags": Right.VIEW,
    "GET /runs/{run_id}/labels": Right.VIEW,
    "GET /runs/{run_id}/evidence": Right.VIEW,
    "POST /runs/{run_id}/suspects/{suspect_id}": Right.OPERATE,
    "GET /bags/{bag_id}": Right.VIEW,
    "POST /bags/{bag_id}/hold": Right.OPERATE,
    "POST /bags/{bag_id}/release": Right.APPROVE,
    "POST /bags/{bag_id}/reject": Right.APPROVE,
    "GET /signatures": Right.VIEW,
    "GET /evidence": Right.REVIEW,
    # alarms
    "GET /alarms": Right.VIEW,
    "GET /alarms/journal": Right.VIEW,
    "GET /alarms/kpis": Right.VIEW,
    "GET /alarms/{name}": Right.VIEW,
    "POST /alarms/acknowledge": Right.OPERATE,
    "POST /alarms/silence": Right.OPERATE,
    "POST /alarms/{name}/shelve": Right.OPERATE,
    "POST /alarms/{name}/unshelve": Right.OPERATE,
    "POST /alarms/{name}/reset": Right.OPERATE,
    "POST /alarms/{name}/comment": Right.OPERATE,
    "POST /alarms/{name}/out-of-service": Right.TUNE,  # maintenance
    "POST /alarms/{name}/return": Right.TUNE,
    # interlocks, HACCP plan
    "GET /interlocks": Right.VIEW,
    "GET /interlocks/{name}": Right.VIEW,
    "POST /interlocks/{name}/bypass": Right.APPROVE,
    "POST /interlocks/{name}/bypass/end": Right.OPERATE,  # towards safety
    "POST /interlocks/{name}/reset": Right.OPERATE,
    "GET /ccp": Right.VIEW,
    "GET /deviations": Right.VIEW,
    "POST /deviations/{deviation_id}/action": Right.OPERATE,
    "POST /deviations/{deviation_id}/close": Right.APPROVE,
    "GET /calibrations": Right.VIEW,
    "POST /calibrations": Right.OPERATE,  # and TUNE for a calibration
    # laboratory
    "GET /lab": Right.VIEW,
    "POST /lab": Right.LAB,
    "GET /lab/bias": Right.VIEW,
    "GET /lab/samples": Right.VIEW,
    # tuning
    "GET /tuning": Right.VIEW,
    "GET /tuning/{loop}": Right.VIEW,
    "GET /tuning/{loop}/result": Right.VIEW,
    "POST /tuning/{loop}/test": Right.TUNE,
    "POST /tuning/{loop}/abort": Right.HALT,
    "POST /tuning/{loop}/apply": Right.TUNE,
    "POST /tuning/{loop}/accept": Right.TUNE,
    "POST /tuning/{loop}/revert": Right.TUNE,
    "GET /assessment": Right.VIEW,
    # the site
    "GET /files": Right.VIEW,
    "POST /stations/{name}/probe": Right.TUNE,  # reads a cabinet's constants; writes nothing
    # people
    "GET /welcome": Right.PUBLIC,
    "POST /session": Right.PUBLIC,
    "GET /session": Right.OWN,
    "DELETE /session": Right.OWN,
    "POST /session/unlock": Right.OWN,
    "PUT /session/password": Right.OWN,
    "PUT /session/language": Right.OWN,
    "POST /users/first": Right.PUBLIC,
    "POST /users/reset": Right.PUBLIC,  # a new password for a one-time token
    "GET /users": Right.ADMINISTER,
    "POST /users": Right.ADMINISTER,
    "GET /users/{name}": Right.ADMINISTER,
    "PATCH /users/{name}": Right.ADMINISTER,
    "DELETE /users/{name}": Right.ADMINISTER,
    "POST /users/{name}/reset": Right.ADMINISTER,
    "GET /sessions": Right.ADMINISTER,
    "DELETE /sessions/{session_id}": Right.ADMINISTER,
    "GET /tokens": Right.ADMINISTER,
    "POST /tokens": Right.ADMINISTER,
    "DELETE /tokens/{token_id}": Right.ADMINISTER,
    "GET /audit": Right.REVIEW,
    # the API's own pages
    "GET /docs": Right.VIEW,
    "GET /docs/{file}": Right.VIEW,
    "GET /openapi.json": Right.VIEW,
}
"""Method and path of every route. Where two paths would match, the plainer one counts."""

SOCKETS: dict[str, Right] = {"/ws/live": Right.VIEW}
"""Every WebSocket."""

PAGES: dict[str, Right] = {
    "/": Right.VIEW,
    "/run": Right.VIEW,
    "/stations": Right.VIEW,
    "/alarms": Right.VIEW,
    "/tuning": Right.TUNE,
    "/quality": Right.VIEW,
    "/lab": Right.LAB,
    "/bags": Right.VIEW,
    "/runs": Right.VIEW,
    "/compare": Right.VIEW,
    "/recipes": Right.VIEW,
    "/site": Right.VIEW,
    "/users": Right.ADMINISTER,
    "/audit": Right.REVIEW,
}
"""Pages of the display: what it must show the page at all. What stands on it asks for the rights of its own routes."""

OPEN_IN_DEMO = frozenset({"GET /docs", "GET /docs/{file}", "GET /openapi.json"})
"""Routes that a demo shows to anybody on this machine."""

_HALTING = frozenset({"hold", "stop", "abort"})
_TUNING_KEYS = frozenset({"K", "TI", "TD", "STRATEGY", "BIAS_OK"})


def right_to_command(command: str) -> Right:
    """What a run command asks for, by its word."""
    return Right.HALT if command.strip().lower() in _HALTING else Right.OPERATE


def right_to_write(tag: str) -> Right:
    """What writing a tag asks for: gains, strategies and accepted corrections are a technician's."""
    return Right.TUNE if tag.rpartition(".")[2] in _TUNING_KEYS and "." in tag else Right.OPERATE


def rights_of(role: Role, scope: Iterable[str] = ()) -> frozenset[Right]:
    """The rights of a role, narrowed to ``scope`` where one is given."""
    narrowed = {Right(word) for word in scope}
    return ROLES[role] & (narrowed | {Right.PUBLIC, Right.OWN}) if narrowed else ROLES[role]
