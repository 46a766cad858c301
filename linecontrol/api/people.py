"""Who is known here: users, their sessions, tokens of scripts. Looked up in memory, kept in the history's database.

Belongs to the API's event loop. Times are real time [s since 1970], from the clock that is handed in.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from linecontrol.api.callers import Caller, fingerprint, new_token
from linecontrol.api.door import Door
from linecontrol.api.passwords import Passwords, check_new
from linecontrol.api.problems import NotSigned, Refused, TooOften
from linecontrol.api.rights import Right, Role, rights_of
from linecontrol.api.throttle import Throttle
from linecontrol.core.errors import ConfigError, Problem, StateError, StorageError
from linecontrol.history import SessionRow, TokenRow, UserRow

log = logging.getLogger(__name__)

IDLE_S = {Role.ADMIN: 300.0}
IDLE_USUAL_S = 900.0
PROVED_S = 12 * 3600.0
"""After so long the password is asked for again, however busy its user: a shift."""
LIFE_S = 30 * 86_400.0
SESSIONS_EACH = 5
TOKENS_MOST = 100
USERS_MOST = 1000
RESET_S = 24 * 3600.0
"""So long a one-time token for a new password is good, or until the controller ends."""
LANGUAGES = ("en", "zh")
NAME = re.compile(r"[\w .@-]{1,60}")
_SEEN_EVERY_S = 60.0
_LOAD_AGAIN_S = 5.0


class Store(Protocol):
    """Where they are kept; see ``linecontrol.history.AccessStore``."""

    def users(self) -> list[UserRow]: ...
    def sessions(self) -> list[SessionRow]: ...
    def tokens(self) -> list[TokenRow]: ...
    def save(self, *rows: UserRow | SessionRow | TokenRow) -> None: ...
    def remove(self, *rows: UserRow | SessionRow | TokenRow) -> None: ...


class People:
    """Users, sessions and tokens of one line.

    Args:
        store: where they are kept; None = nowhere: they end with the program.
        now: real time [s since 1970].
    """

    def __init__(
        self, door: Door, store: Store | None, now: Callable[[], float], passwords: Passwords | None = None
    ) -> None:
        self.door = door
        self._store, self._now = store, now
        self._passwords = passwords or Passwords()
        self._throttle = Throttle()
        self.users: dict[str, UserRow] = {}
        self.sessions: dict[str, SessionRow] = {}
        self.tokens: dict[str, TokenRow] = {}
        self._by_hash: dict[str, SessionRow | TokenRow] = {}
        self._seen: dict[str, float] = {}
        self._fixed = self._fixed_callers()
        self._first: str | None = None
        self._resets: dict[str, tuple[str, float]] = {}  # by user id: the token's fingerprint, when it ends
        self._is_loaded = store is None
        self._load_at = float("-inf")
        self._writing = asyncio.Lock()
        self._first_lock, self._users_lock = asyncio.Lock(), asyncio.Lock()
        self._asides: set[asyncio.Task[None]] = set()

    def _fixed_callers(self) -> dict[str, Caller]:
        door, everything = self.door, rights_of(Role.ADMIN)
        name = door.console_user
        found = {
            fingerprint(door.console): Caller(
                name, Role.ADMIN, everything, f"operator:{name}", "console", may_speak_for_others=True
            )
        }
        if door.demo is not None:
            role = Role.SUPERVISOR
            caller = Caller("demo", role, rights_of(role), "operator:demo", "demo", is_demo=True)
            found[fingerprint(door.demo)] = caller
        return found

    # -- life
    async def load(self) -> None:
        """Read what is kept, and make the first administrator's token when there is none. Logs what it cannot read."""
        store = self._store
        if store is None or self._is_loaded or self._now() < self._load_at:
            self._offer_first()
            return
        self._load_at = self._now() + _LOAD_AGAIN_S
        try:
            users, sessions, tokens = await asyncio.to_thread(lambda: (store.users(), store.sessions(), store.tokens()))
        except StorageError as error:
            log.warning("nobody can log in yet: %s", error)
            return
        self._is_loaded = True
        self.users |= {_key(row.name): row for row in users}
        ids = {row.id for row in users}
        for one in sessions:
            if one.user_id in ids and self._now() - one.created_at < LIFE_S:
                self._remember(one)
                self._seen[one.id] = one.seen_at
        for token in tokens:
            self._remember(token)
        self._offer_first()

    def _offer_first(self) -> None:
        if self._is_loaded and self.needs_admin and self._first is None and not self.door.demo:
            self._first = new_token("f")
            self.door.write("first-admin.token", self._first)

    async def close(self) -> None:
        self._passwords.close()
        self.door.remove("first-admin.token")
        await asyncio.gather(*self._asides, return_exceptions=True)

    @property
    def needs_admin(self) -> bool:
        """Nobody could make a user now, but at the command line of this computer."""
        return self._is_loaded and not any(
            row.role == Role.ADMIN and row.is_enabled and row.password_hash for row in self.users.values()
        )

    @property
    def first_token(self) -> str | None:
        """What makes the first administrator, once; None when there is one."""
        return self._first

    # -- who asks: every request comes here; no database, no slow hash
    def caller(self, token: str) -> Caller | None:
        """Whom this token is of, as of now; None = nobody."""
        key = fingerprint(token)
        if (fixed := self._fixed.get(key)) is not None:
            return fixed
        row = self._by_hash.get(key)
        if isinstance(row, SessionRow):
            return self._at_session(row)
        if isinstance(row, TokenRow):
            return self._with_token(row)
        return None

    def _at_session(self, row: SessionRow) -> Caller | None:
        now, user = self._now(), self._user_of(row)
        if user is None or not user.is_enabled or now - row.created_at >= LIFE_S:
            return None
        return self._caller_at(row, user)

    def _caller_at(self, row: SessionRow, user: UserRow) -> Caller:
        role = Role(user.role)
        return Caller(
            user.name,
            role,
            rights_of(role),
            f"operator:{user.name}",
            f"session:{row.id}",
            is_locked=self.locks_in_s(row, role) <= 0.0,
        )

    def _with_token(self, row: TokenRow) -> Caller | None:
        if row.expires_at is not None and self._now() >= row.expires_at:
            return None
        role = Role(row.role)
        return Caller(row.name, role, rights_of(role, row.scope), f"script:{row.name}", f"token:{row.id}")

    def locks_in_s(self, row: SessionRow, role: Role) -> float:
        """Seconds until the session locks by itself; 0 or less = it is locked."""
        now = self._now()
        idle = IDLE_S.get(role, IDLE_USUAL_S) - (now - self._seen.get(row.id, row.seen_at))
        return min(idle, PROVED_S - (now - row.proved_at))

    def as_of_now(self, caller: Caller) -> Caller:
        """The same caller after a change of its session or its user."""
        row = self.session_of(caller)
        return (None if row is None else self._at_session(row)) or caller

    def session_of(self, caller: Caller) -> SessionRow | None:
        """The session a caller is at; None for scripts and the command line."""
        kind, _, number = caller.credential.partition(":")
        return self.sessions.get(number) if kind == "session" else None

    def user_of(self, caller: Caller) -> UserRow | None:
        row = self.session_of(caller)
        return None if row is None else self._user_of(row)

    def _user_of(self, row: SessionRow) -> UserRow | None:
        return next((user for user in self.users.values() if user.id == row.user_id), None)

    def touch(self, caller: Caller) -> None:
        """Its user has just done something. A locked session stays locked."""
        row, now = self.session_of(caller), self._now()
        if row is None or caller.is_locked:
            return
        self._seen[row.id] = now
        if now - row.seen_at >= _SEEN_EVERY_S:
            self._remember(replace(row, seen_at=now))
            self._aside(self._keep(self.sessions[row.id]))

    # -- sessions
    async def log_in(self, name: str, password: str, address: str) -> tuple[str, Caller]:
        """A new session: its token, and who is at it.

        Raises Refused with one sentence for every reason, TooOften, StateError.
        """
        await self.load()
        user = self.users.get(_key(name))
        user = await self._judge(_key(name), password, user if user is not None and user.is_enabled else None, address)
        token, now = new_token("s"), self._now()
        row = SessionRow(secrets.token_hex(8), user.id, fingerprint(token), now, now, now, address[:60])
        mine = sorted((one for one in self.sessions.values() if one.user_id == user.id), key=lambda one: one.created_at)
        over = mine[: max(0, len(mine) - SESSIONS_EACH + 1)]
        self._remember(row)
        self._seen[row.id] = now
        await self._end(over)
        try:
            await self._keep(row)
        except StorageError as error:  # who must stop the line now is not kept out by a full disk
            log.warning("the session of %s ends with the program: %s", user.name, error)
        return token, self._caller_at(row, user)

    async def unlock(self, caller: Caller, password: str, address: str) -> None:
        """Its user is back. Raises as ``log_in``; StateError when the caller is at no session."""
        row, user = self._mine(caller)
        await self._judge(_key(user.name), password, user, address)
        now = self._now()
        self._seen[row.id] = now
        self._remember(replace(row, proved_at=now, seen_at=now))
        self._aside(self._keep(self.sessions[row.id]))

    async def sign(self, caller: Caller, name: str | None, password: str, address: str) -> Caller:
        """Who signs: the user of the caller's session, who gives the password once more; or, for the command line of
        this computer and the demo, the user of ``name``.

        Raises NotSigned for a wrong password, TooOften as ``log_in``; StateError when it is nobody's to sign.
        """
        try:
            return await self._signer(caller, name, password, address)
        except Refused:
            raise NotSigned from None

    async def _signer(self, caller: Caller, name: str | None, password: str, address: str) -> Caller:
        if self.session_of(caller) is not None:
            row, user = self._mine(caller)
            if name is not None and _key(name) != _key(user.name):
                raise StateError(f"this is the session of {user.name}: nobody else signs here")
            await self._judge(_key(user.name), password, user, address)
            return self._caller_at(row, user)
        if name is None or not (caller.may_speak_for_others or caller.is_demo):
            raise StateError("a signature is a user's: log in, or name the user whose password is given")
        await self.load()
        found = self.users.get(_key(name))
        user = await self._judge(
            _key(name), password, found if found is not None and found.is_enabled else None, address
        )
        role = Role(user.role)
        return Caller(user.name, role, rights_of(role), f"operator:{user.name}", caller.credential)

    async def log_out(self, caller: Caller) -> None:
        await self._end([self._mine(caller)[0]])

    async def end_session(self, session_id: str) -> bool:
        """False when there is none of this id."""
        row = self.sessions.get(session_id)
        await self._end([] if row is None else [row])
        return row is not None

    async def change_password(self, caller: Caller, old: str, new: str, address: str) -> None:
        """One's own; every other session of the user ends.

        Raises NotSigned when ``old`` is wrong, TooOften as ``log_in``, ConfigError for a poor password.
        """
        row, user = self._mine(caller)
        try:
            await self._judge(_key(user.name), old, user, address)
        except Refused:
            raise NotSigned from None
        check_new(new, user.name)
        hashed = await self._passwords.hashed(new)
        async with self._users_lock:  # what an administrator changed meanwhile stays changed
            await self._change_user(replace(self._present(user.name), password_hash=hashed))
            await self._end([one for one in self.sessions.values() if one.user_id == user.id and one.id != row.id])

    async def set_language(self, caller: Caller, language: str) -> None:
        await self.set_language_of(self._mine(caller)[1], language)

    def _mine(self, caller: Caller) -> tuple[SessionRow, UserRow]:
        row = self.session_of(caller)
        user = None if row is None else self._user_of(row)
        if row is None or user is None:
            raise StateError(f"{caller.name} has no session: it came with a token that is not a user's")
        return row, user

    async def _judge(self, name: str, password: str, user: UserRow | None, address: str) -> UserRow:
        if (wait_s := self._throttle.wait_s(name, address, self._now())) > 0.0:
            raise TooOften(wait_s)
        tried_at = self._now()
        self._throttle.failed(name, address, tried_at)  # before it is judged: many at once are many
        is_right = await self._passwords.is_right(password, None if user is None else user.password_hash or None)
        if user is None or not is_right:
            raise Refused("name or password is wrong")
        self._throttle.succeeded(name, address, tried_at)
        return user

    async def _end(self, rows: list[SessionRow]) -> None:
        for row in rows:
            self.sessions.pop(row.id, None)
            self._by_hash.pop(row.token_hash, None)
            self._seen.pop(row.id, None)
        if rows:
            await self._drop(*rows)

    async def set_language_of(self, user: UserRow, language: str) -> UserRow:
        async with self._users_lock:
            changed = replace(self._present(user.name), language=language)
            await self._change_user(changed)
        return changed

    # -- users
    async def make_first(self, token: str, name: str, password: str, address: str) -> UserRow:
        """The first administrator, for the one-time token. Raises Refused, TooOften, StateError when there is one."""
        await self.load()
        async with self._first_lock:  # of two at once the second finds the token burnt
            if (wait_s := self._throttle.wait_s("", address, self._now())) > 0.0:
                raise TooOften(wait_s)
            if self._first is None:
                raise StateError("there is an administrator already; users are made by one")
            if not secrets.compare_digest(self._first.encode(), token.encode("utf-8", "replace")):
                self._throttle.failed("", address, self._now())
                raise Refused("this is not the one-time token of this start")
            made = await self.add_user(name, Role.ADMIN, password)
            self._burn_first()
        return made

    def _burn_first(self) -> None:
        if not self.needs_admin:
            self._first = None
            self.door.remove("first-admin.token")

    def user(self, name: str) -> UserRow | None:
        return self.users.get(_key(name))

    async def add_user(self, name: str, role: Role, password: str, language: str = "en") -> UserRow:
        """Raises ConfigError for a poor name or password, StateError when there is one of this name."""
        await self._loaded()
        name = unicodedata.normalize("NFC", name).strip()
        if not NAME.fullmatch(name):
            raise ConfigError([Problem("", None, "name", f"{name!r} is not a name", "letters, digits, space . @ _ -")])
        if len(self.users) >= USERS_MOST:
            raise StateError(f"there are {USERS_MOST} users; no more are kept")
        check_new(password, name)
        found = await self._passwords.hashed(password)
        row = UserRow(secrets.token_hex(8), name, role, found, language, True, self._now())
        if _key(name) in self.users:
            raise StateError(f"there is a user {name!r} already")
        self.users[_key(name)] = row  # before it is kept: of two at once the second must see it
        try:
            await self._keep(row)
        except StorageError:
            del self.users[_key(name)]
            raise
        self._burn_first()
        return row

    async def change_user(
        self, name: str, role: Role | None = None, *, is_enabled: bool | None = None, password: str | None = None
    ) -> UserRow:
        """Another role, shut out or let in again, a new password. The user's sessions end: rights are never stale.

        Raises StateError for nobody, and when no administrator would be left.
        """
        await self._loaded()
        async with self._users_lock:  # of two who shut each other out one stays
            old = self._present(name)
            new = replace(old, role=role or old.role, is_enabled=old.is_enabled if is_enabled is None else is_enabled)
            self._keep_an_admin(old, new)
            if password is not None:
                check_new(password, old.name)
                new = replace(new, password_hash=await self._passwords.hashed(password))
                self._throttle.pardon(_key(name))
            await self._change_user(new)
            await self._end([row for row in self.sessions.values() if row.user_id == old.id])
        self._burn_first()
        return new

    def offer_reset(self, name: str) -> tuple[str, float]:
        """A one-time token with which this user chooses a new password, and when it ends [s since 1970].

        The token before it is worth nothing any more; the password holds until a new one is chosen. Raises LookupError
        for nobody, StateError for somebody who is shut out.
        """
        user = self.users[_key(name)]
        if not user.is_enabled:
            raise StateError(f"{user.name} is shut out; let them in again first")
        token, ends = new_token("r"), self._now() + RESET_S
        self._resets[user.id] = fingerprint(token), ends
        return token, ends

    async def use_reset(self, token: str, name: str, new: str, address: str) -> UserRow:
        """The new password, for a one-time token. Every session of the user ends.

        Raises Refused with one sentence for every reason, TooOften, ConfigError for a poor password (the token stays).
        """
        await self.load()
        key, now = _key(name), self._now()
        if (wait_s := self._throttle.wait_s(key, address, now)) > 0.0:
            raise TooOften(wait_s)
        user = self.users.get(key)
        kept, ends = self._resets.get(user.id if user is not None and user.is_enabled else "", ("", 0.0))
        if user is None or now >= ends or not secrets.compare_digest(kept, fingerprint(token)):
            self._throttle.failed(key, address, now)
            raise Refused("name or one-time token is wrong, or the token has been used or has ended")
        check_new(new, user.name)
        used = self._resets.pop(user.id)  # before anything is awaited: two who come at once are not both let in
        try:
            return await self.change_user(name, password=new)
        except StorageError:
            self._resets[user.id] = used  # nothing was changed
            raise

    async def remove_user(self, name: str) -> UserRow:
        """Raises as ``change_user``. What the user has done stays in the audit trail."""
        await self._loaded()
        async with self._users_lock:
            old = self._present(name)
            self._keep_an_admin(old, None)
            await self._drop(old)
            del self.users[_key(name)]
            await self._end([row for row in self.sessions.values() if row.user_id == old.id])
        return old

    def _present(self, name: str) -> UserRow:
        user = self.users.get(_key(name))
        if user is None:
            raise StateError(f"there is no user {name!r}")
        return user

    def _keep_an_admin(self, old: UserRow, new: UserRow | None) -> None:
        stays = new is not None and new.role == Role.ADMIN and new.is_enabled
        others = any(row.role == Role.ADMIN and row.is_enabled for row in self.users.values() if row.id != old.id)
        if old.role == Role.ADMIN and old.is_enabled and not stays and not others:
            raise StateError(f"{old.name} is the only administrator; make another one first")

    async def _change_user(self, row: UserRow) -> None:
        await self._keep(row)
        self.users[_key(row.name)] = row

    # -- tokens of scripts
    async def add_token(
        self, name: str, role: Role, scope: tuple[Right, ...], made_by: str, lasts_s: float | None
    ) -> tuple[str, TokenRow]:
        """A token, which nobody can see again, and its row. Raises StateError when there are too many."""
        await self._loaded()
        if len(self.tokens) >= TOKENS_MOST:
            raise StateError(f"there are {TOKENS_MOST} tokens; revoke those no longer in use")
        if any(row.name == name for row in self.tokens.values()):
            raise StateError(f"there is a token {name!r} already")
        token, now = new_token("t"), self._now()
        ends = None if lasts_s is None else now + lasts_s
        row = TokenRow(secrets.token_hex(8), name, fingerprint(token), role, tuple(scope), made_by, now, ends)
        await self._keep(row)
        self._remember(row)
        return token, row

    async def remove_token(self, token_id: str) -> TokenRow:
        """Raises LookupError for none."""
        row = self.tokens[token_id]
        await self._drop(row)
        del self.tokens[token_id]
        del self._by_hash[row.token_hash]
        return row

    # -- keeping
    async def _loaded(self) -> None:
        await self.load()
        if not self._is_loaded:
            raise StorageError("users and sessions cannot be read now: the database is away")

    def _remember(self, row: SessionRow | TokenRow) -> None:
        self._by_hash[row.token_hash] = row
        if isinstance(row, SessionRow):
            self.sessions[row.id] = row
        else:
            self.tokens[row.id] = row

    async def _keep(self, row: UserRow | SessionRow | TokenRow) -> None:
        if self._store is not None:
            async with self._writing:
                await asyncio.to_thread(self._store.save, row)

    async def _drop(self, *rows: UserRow | SessionRow | TokenRow) -> None:
        if self._store is not None:
            async with self._writing:
                await asyncio.to_thread(self._store.remove, *rows)

    def _aside(self, work: object) -> None:
        task = asyncio.ensure_future(self._quietly(work))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    @staticmethod
    async def _quietly(work: object) -> None:
        try:
            await work  # type: ignore[misc]
        except StorageError as error:
            log.warning("%s", error)


def _key(name: str) -> str:
    """What makes two names the same person's."""
    return unicodedata.normalize("NFKC", name).strip().casefold()[:200]
