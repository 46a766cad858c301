"""One OPC UA connection: made step by step, asked one request at a time, and never used again once it failed.

asyncua brings encoding, secure channel and services. Its client's ``connect`` is not used, for it starts a supervisor,
a watchdog and a renewal task; the steps are taken one by one here, and the security token is renewed before a request
when it is due.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from linecontrol.core.deadline import deadline
from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters
from linecontrol.core.model import Status
from linecontrol.links.certificates import Credentials, channel_advice, user_advice
from linecontrol.links.nodes import identifier
from linecontrol.links.reasons import reason
from linecontrol.links.settings import OpcuaSettings

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client

_T = TypeVar("_T")
_SESSION_MS = 60_000.0  # a server forgets us this long after the last request, should we vanish
_TIMEOUTS = ("BadTimeout", "BadRequestTimeout")
_LOST = ("Session", "SecureChannel", "Connection", "Communication", "Tcp", "Shutdown", "ServerHalted", "NotConnected")


async def load() -> None:
    """Import asyncua off the event loop; a second or two, once. Best before scans begin: it slows every thread."""
    await asyncio.to_thread(importlib.import_module, "asyncua")  # also waits for an import another link has begun
    for name in ("asyncua.client", "asyncua.common", "asyncua.crypto"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # a traceback a second while down; the station says it


class Refused(DeviceRefused):
    """The server answered the whole request with a bad status."""

    def __init__(self, text: str, status: Status) -> None:
        super().__init__(text)
        self.status = status


def mapped(error: Exception, place: str, advice: str = "") -> LinkError:
    """Our error for one of asyncua's, of the operating system, or of a parser that met nonsense."""
    from asyncua import ua
    from asyncua.ua.uaerrors import UaStatusCodeError

    text = f"{place}: {reason(error)}{advice}"
    if isinstance(error, UaStatusCodeError):
        name = ua.StatusCode(error.code).name
        text = f"{place}: {name}{advice}"
        if name in _TIMEOUTS:
            return LinkTimeout(text)
        if any(word in name for word in _LOST):
            return LinkDown(text)
        return Refused(text, Status.from_code(error.code))
    if isinstance(error, TimeoutError):
        return LinkTimeout(text)
    return LinkDown(text)


class Session:
    """Call ``connect`` once, then ``ask``. ``load`` must have been awaited before.

    Attributes:
        namespace: index of the settings' namespace at this server.
        failure: why it is of no use any more; None while it is.
    """

    def __init__(self, settings: OpcuaSettings, counters: LinkCounters) -> None:
        self.settings = settings
        self.counters = counters
        self.client = _client(settings)
        self.namespace = 0
        self.failure: LinkError | None = None
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def connect(self, credentials: Credentials | None, password: str | None) -> None:
        """Open socket, channel and session, and look up the namespace. The caller sets a deadline, and aborts.

        Raises what ``mapped`` makes of it; DeviceRefused when the server does not have the namespace.
        """
        client, settings = self.client, self.settings
        advice = ""  # what to look at should the present step fail
        try:
            if credentials is not None:
                _secure(client, credentials)
            await client.connect_socket()
            await client.send_hello()
            advice = channel_advice(settings, credentials)
            await client.open_secure_channel()
            self._schedule_renewal()
            await client.create_session()
            advice = user_advice(settings)
            await client.activate_session(settings.username, password)
            advice = ""
            found = await client.get_namespace_array()
        except Exception as error:
            raise mapped(error, settings.url, advice) from error
        if settings.namespace not in found:
            raise DeviceRefused(f"{settings.url}: no namespace {settings.namespace!r} (there: {found})")
        self.namespace = found.index(settings.namespace)

    def node(self, address: str) -> ua.NodeId:
        """The node ``s=<text>`` or ``i=<number>`` of the namespace."""
        from asyncua import ua

        return ua.NodeId(identifier(address), self.namespace)  # type: ignore[arg-type]  # plain int and str will do

    async def ask(self, service: Callable[[Client], Awaitable[_T]]) -> _T:
        """One service call under our lock and deadline.

        Raises:
            LinkDown, LinkTimeout: the session is then of no use any more; so it is when the call is cancelled.
            Refused: the server answered with a bad status.
        """
        settings, counters = self.settings, self.counters
        async with self._lock:
            self.check()
            from asyncua.ua.uaerrors import UaError

            counters.requests += 1
            try:
                async with deadline(settings.timeout_s):
                    await self._renew_if_due()
                    result = await service(self.client)
            except TimeoutError:
                counters.timeouts += 1
                late = LinkTimeout(f"{settings.url}: no answer within {settings.timeout_s:g} s")
                self.fail(late)
                raise late from None
            except Exception as error:  # asyncua raises whatever a broken message makes of its parser
                ours = mapped(error, settings.url)
                if isinstance(ours, Refused) and not self._is_up:
                    ours = LinkDown(str(ours))  # the server's last word before it hung up
                if isinstance(ours, Refused):
                    counters.exceptions += 1
                    counters.answers += 1
                else:
                    counters.bad_frames += not isinstance(error, OSError | UaError)
                    self.fail(ours)
                raise ours from error
            except BaseException:  # also when cancelled: what the server says to it now belongs to nobody
                self.fail(LinkDown(f"{settings.url}: a request was broken off"))
                raise
            counters.answers += 1
            return result

    async def keep_secure(self) -> None:
        """Renew the security token if it is due; for requests that wait at the server outside ``ask``."""
        if asyncio.get_running_loop().time() < self._renew_at:
            return
        async with self._lock, deadline(self.settings.timeout_s):
            self.check()
            await self._renew_if_due()

    def check(self) -> None:
        """Raises the failure, if there is one."""
        if self.failure is not None:
            raise type(self.failure)(str(self.failure))

    def fail(self, error: LinkError) -> None:
        """Close the socket now, whatever the server does. The first failure is the one that is told."""
        if self.failure is None:
            self.failure = type(error)(str(error))  # without the frames the raised one holds
        self._abort()

    async def close(self) -> None:
        """Take leave of the server if it answers within ``timeout_s`` (at most 1 s), and close in any case."""
        try:
            if self.failure is None and not self._lock.locked():
                async with deadline(min(self.settings.timeout_s, 1.0)):
                    await self.client.uaclient.close_session(True)
                    await self.client.close_secure_channel()
        except Exception:  # noqa: BLE001, S110  # a courtesy; whatever comes of it, the socket is closed below
            pass
        finally:
            self.fail(LinkDown(f"{self.settings.url}: not connected"))
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    async def _renew_if_due(self) -> None:
        if asyncio.get_running_loop().time() >= self._renew_at:
            await self.client.open_secure_channel(renew=True)
            self.client.uaclient.revolve_security_token()
            self._schedule_renewal()

    def _schedule_renewal(self) -> None:
        self._renew_at = asyncio.get_running_loop().time() + 0.75 * self.client.secure_channel_timeout / 1000

    @property
    def _is_up(self) -> bool:
        protocol = self.client.uaclient.protocol
        return protocol is not None and protocol.transport is not None and not protocol.transport.is_closing()

    def _abort(self) -> None:
        protocol = self.client.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()
        self.client.disconnect_socket()


def _client(settings: OpcuaSettings) -> Client:
    from asyncua.client.client import Client

    client = Client(settings.url, timeout=settings.timeout_s, auto_reconnect=False)
    client.session_timeout = int(_SESSION_MS)
    client.secure_channel_timeout = int(settings.channel_lifetime_s * 1000)
    client.uaclient.pre_request_hook = None
    return client


def _secure(client: Client, credentials: Credentials) -> None:
    """Basic256Sha256, signed and encrypted, with this one server; nothing is fetched, and nothing less is tried.

    The client's own ``set_security`` does the same, but reads the key at every open, which takes 40 ms.
    """
    from asyncua import ua
    from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

    mode = ua.MessageSecurityMode.SignAndEncrypt
    papers = credentials.server_certificate, credentials.certificate, credentials.private_key
    policy: Any = SecurityPolicyBasic256Sha256(*papers, mode)  # type: ignore[no-untyped-call]
    client.application_uri = credentials.application_uri
    client.security_policy = policy
    client.uaclient.set_security(policy)
