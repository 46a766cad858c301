"""OPC UA. The only controller file that imports asyncua, and not before the first ``open`` (it takes a second or two).

asyncua brings encoding, secure channel and services. Its client's ``connect`` is not used, for it starts a supervisor,
a watchdog and a renewal task; the steps are taken one by one here, the security token is renewed before a request when
it is due, and so nothing runs in the background that could outlive the connection. A client that failed is never used
again: every ``open`` makes a new one.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import Status, Tag, Value
from linecontrol.links.certificates import (
    Credentials,
    channel_advice,
    read_credentials,
    read_password,
    user_advice,
    utc_now,
)
from linecontrol.links.codec import Convert, converter, encode
from linecontrol.links.nodes import cast, identifier, kinds, odd_reading, unix_seconds
from linecontrol.links.settings import OpcuaSettings

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client

__all__ = ["OpcuaLink", "OpcuaSettings", "mapped"]

_T = TypeVar("_T")
_OPEN_FACTOR = 4.0  # an open is about ten requests
_SESSION_MS = 60_000.0  # a server forgets us this long after the last request, should we vanish
_KEPT_PLANS = 64  # requests for parts of the tags, remembered
_TIMEOUTS = ("BadTimeout", "BadRequestTimeout")
_LOST = ("Session", "SecureChannel", "Connection", "Communication", "Tcp", "Shutdown", "ServerHalted", "NotConnected")


async def load() -> None:
    """Import asyncua off the event loop; a second or two, once. Best before scans begin: it slows every thread."""
    await asyncio.to_thread(importlib.import_module, "asyncua")  # also waits for an import another link has begun


class _Refused(DeviceRefused):
    """The server answered the whole request with a bad status."""

    def __init__(self, text: str, status: Status) -> None:
        super().__init__(text)
        self.status = status


def mapped(error: Exception, place: str, advice: str = "") -> LinkError:
    """Our error for one of asyncua's, of the operating system, or of a parser that met nonsense."""
    from asyncua import ua
    from asyncua.ua.uaerrors import UaStatusCodeError

    text = f"{place}: {str(error) or type(error).__name__}{advice}"
    if isinstance(error, UaStatusCodeError):
        name = ua.StatusCode(error.code).name
        text = f"{place}: {name}{advice}"
        if name in _TIMEOUTS:
            return LinkTimeout(text)
        if any(word in name for word in _LOST):
            return LinkDown(text)
        return _Refused(text, Status.from_code(error.code))
    if isinstance(error, TimeoutError):
        return LinkTimeout(text)
    return LinkDown(text)


class _Row(NamedTuple):
    """What a Read needs to know of a tag."""

    name: str
    accepted: tuple[type, ...]
    convert: Convert


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Nodes of one Read, with the ready request."""

    rows: list[_Row]
    request: ua.ReadParameters


class OpcuaLink:
    """Link to one OPC UA server; see ``linecontrol.core.link.Link`` for the contract.

    After LinkDown, LinkTimeout or a cancelled request it is closed. A node that is missing, or of another kind than
    its tag, is bad with that status while the others are read; should it appear, it is read.

    Args:
        tags: their ``address`` is ``s=<text>`` or ``i=<number>`` in the namespace of the settings.

    Raises:
        ConfigError: an address or method that is neither.
    """

    def __init__(self, settings: OpcuaSettings, tags: Iterable[Tag]) -> None:
        self.counters = LinkCounters()
        self._settings = settings
        self._tags = {tag.name: tag for tag in tags}
        for tag in self._tags.values():
            for address in (tag.address, *tag.methods):
                identifier(address, tag.name)
        self._client: Client | None = None
        self._namespace = 0
        self._renew_at = 0.0
        self._advice = ""  # what to look at should the present step of an open fail
        self._chunks: dict[frozenset[str] | None, list[_Chunk]] = {}
        self._variant_types: dict[str, ua.VariantType] = {}
        self._owners: dict[str, ua.NodeId] = {}
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect, look up the namespace, the types of writable nodes and the owners of methods.

        Raises:
            LinkDown: no server there, or it hung up; a certificate or the password cannot be used.
            LinkTimeout: not done within four times ``timeout_s``.
            DeviceRefused: the server turns us away, or does not have the namespace.
        """
        await self.close()
        await load()
        credentials, password = await asyncio.to_thread(self._read_files)
        for name in (
            "asyncua.client",
            "asyncua.common",
            "asyncua.crypto",
        ):  # a traceback a second while down; the station says it once
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        client = self._make_client()
        self._advice = ""
        try:
            async with asyncio.timeout(_OPEN_FACTOR * self._settings.timeout_s):
                if credentials is not None:
                    _secure(client, credentials)
                await self._establish(client, credentials, password)
        except BaseException as error:
            _abort(client)
            if isinstance(error, LinkError) or not isinstance(error, Exception):
                raise
            raise mapped(error, self._settings.url, self._advice) from error
        self._client = client
        self.counters.connects += 1

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        """Read these tags, or all. Raises LinkDown, LinkTimeout; KeyError for a name that is not on this link."""
        out: dict[str, Reading] = {}
        for chunk in self._plan(names):
            await self._read_chunk(chunk, out)
        return out

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once, or call its method.

        Raises:
            DeviceRefused: the server answered with a bad status.
            LinkDown, LinkTimeout: there is no telling whether it was written.
            LinkError: it cannot be written.
            KeyError: the name is not on this link.
        """
        tag = self._tags[name]
        try:
            raw = encode(tag, value)
        except ValueError as error:
            raise LinkError(str(error)) from error
        if tag.methods:
            status = await self._call(tag, tag.methods[0] if raw else tag.methods[1])
        else:
            status = await self._write(tag, value, raw)
        if not status.is_good():
            self.counters.exceptions += 1
            self._variant_types.pop(name, None)  # the node may have become another type; ask again next time
            raise DeviceRefused(f"{self._settings.url}: {name} = {value} refused: {status.name}")

    async def close(self) -> None:
        """Take leave of the server if it answers within ``timeout_s`` (at most 1 s), and close in any case."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if not self._lock.locked():
                async with asyncio.timeout(min(self._settings.timeout_s, 1.0)):
                    await client.uaclient.close_session(True)
                    await client.close_secure_channel()
        except Exception:  # noqa: BLE001, S110  # a courtesy; whatever comes of it, the socket is closed below
            pass
        finally:
            _abort(client)
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    # -- opening -------------------------------------------------------------------------------------------------

    def _make_client(self) -> Client:
        from asyncua.client.client import Client

        settings = self._settings
        client = Client(settings.url, timeout=settings.timeout_s, auto_reconnect=False)
        client.session_timeout = int(_SESSION_MS)
        client.secure_channel_timeout = int(settings.channel_lifetime_s * 1000)
        client.uaclient.pre_request_hook = None
        return client

    def _read_files(self) -> tuple[Credentials | None, str | None]:
        return read_credentials(self._settings, utc_now()), read_password(self._settings)

    async def _establish(self, client: Client, credentials: Credentials | None, password: str | None) -> None:
        await client.connect_socket()
        await client.send_hello()
        self._advice = channel_advice(self._settings, credentials)
        await client.open_secure_channel()
        self._schedule_renewal(client)
        await client.create_session()
        self._advice = user_advice(self._settings)
        await client.activate_session(self._settings.username, password)
        self._advice = ""
        found = await client.get_namespace_array()
        if self._settings.namespace not in found:
            raise DeviceRefused(f"{self._settings.url}: no namespace {self._settings.namespace!r} (there: {found})")
        self._namespace = found.index(self._settings.namespace)
        self._chunks.clear()
        self._variant_types.clear()
        await self._learn_types(client, [t for t in self._tags.values() if t.writable and not t.methods])
        await self._find_owners(client)

    async def _learn_types(self, client: Client, tags: Sequence[Tag]) -> None:
        """Which variant a write must carry: that of the present value, or, where there is none, the declared type."""
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        half = max(self._settings.max_nodes_per_read // 2, 1)
        for part in (tags[i : i + half] for i in range(0, len(tags), half)):
            nodes = [self._node(tag.address) for tag in part]
            wanted = (AttributeIds.Value, AttributeIds.DataType)
            request = ua.ReadParameters(NodesToRead=[ua.ReadValueId(n, a) for n in nodes for a in wanted])
            found = await client.uaclient.read(request)
            for tag, value, declared in zip(part, found[::2], found[1::2], strict=True):
                variant, kind = value.Value, declared.Value.Value if declared.Value else None
                if variant is not None and variant.Value is not None and not variant.is_array:
                    self._variant_types[tag.name] = variant.VariantType
                elif isinstance(kind, ua.NodeId) and kind.NamespaceIndex == 0 and kind.Identifier in range(1, 13):
                    self._variant_types[tag.name] = ua.VariantType(int(kind.Identifier))  # Boolean .. String

    async def _find_owners(self, client: Client) -> None:
        """The object a method is called on: what the server says holds it."""
        from asyncua import ua

        methods = list(dict.fromkeys(m for tag in self._tags.values() for m in tag.methods))
        if not methods:
            return
        hierarchical = ua.NodeId.from_string("i=33")  # HierarchicalReferences
        request = ua.BrowseParameters()
        request.RequestedMaxReferencesPerNode = 1
        for method in methods:
            browse = ua.BrowseDescription()
            browse.NodeId = self._node(method)
            browse.BrowseDirection = ua.BrowseDirection.Inverse
            browse.ReferenceTypeId = hierarchical
            browse.IncludeSubtypes = True
            request.NodesToBrowse.append(browse)
        results = await client.uaclient.browse(request)
        self._owners = {m: r.References[0].NodeId for m, r in zip(methods, results, strict=True) if r.References}

    def _schedule_renewal(self, client: Client) -> None:
        self._renew_at = asyncio.get_running_loop().time() + 0.75 * client.secure_channel_timeout / 1000

    # -- asking --------------------------------------------------------------------------------------------------

    async def _ask(self, service: Callable[[Client], Awaitable[_T]]) -> _T:
        """One service call under our lock and deadline. Raises LinkDown, LinkTimeout and drops the client; _Refused."""
        settings, counters = self._settings, self.counters
        async with self._lock:
            client = self._client  # an open one, so asyncua is there
            if client is None:
                raise LinkDown(f"{settings.url}: not connected")
            from asyncua.ua.uaerrors import UaError

            counters.requests += 1
            try:
                async with asyncio.timeout(settings.timeout_s):
                    if asyncio.get_running_loop().time() >= self._renew_at:
                        await client.open_secure_channel(renew=True)
                        client.uaclient.revolve_security_token()
                        self._schedule_renewal(client)
                    result = await service(client)
            except TimeoutError:
                counters.timeouts += 1
                self._drop(client)
                raise LinkTimeout(f"{settings.url}: no answer within {settings.timeout_s:g} s") from None
            except Exception as error:  # asyncua raises whatever a broken message makes of its parser
                ours = mapped(error, settings.url)
                if isinstance(ours, _Refused) and not _is_up(client):
                    ours = LinkDown(str(ours))  # the server's last word before it hung up
                if isinstance(ours, _Refused):
                    counters.exceptions += 1
                    counters.answers += 1
                else:
                    counters.bad_frames += not isinstance(error, OSError | UaError)
                    self._drop(client)
                raise ours from error
            except BaseException:
                self._drop(client)
                raise
            counters.answers += 1
            return result

    def _drop(self, client: Client) -> None:
        _abort(client)
        if self._client is client:
            self._client = None

    def _node(self, address: str) -> ua.NodeId:
        from asyncua import ua

        return ua.NodeId(identifier(address), self._namespace)  # type: ignore[arg-type]  # plain int and str will do

    def _plan(self, names: Collection[str] | None) -> list[_Chunk]:
        key = None if names is None else frozenset(names)
        chunks = self._chunks.get(key)
        if chunks is None:
            tags = list(self._tags.values()) if key is None else [self._tags[name] for name in key]
            if self._client is None:
                raise LinkDown(f"{self._settings.url}: not connected")
            size = self._settings.max_nodes_per_read
            if len(self._chunks) >= _KEPT_PLANS:
                self._chunks.clear()
            chunks = self._chunks[key] = [self._chunk(tags[i : i + size]) for i in range(0, len(tags), size)]
        return chunks

    def _chunk(self, tags: Sequence[Tag]) -> _Chunk:
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        request = ua.ReadParameters()
        request.MaxAge = 0
        request.TimestampsToReturn = ua.TimestampsToReturn.Source
        request.NodesToRead = [ua.ReadValueId(self._node(tag.address), AttributeIds.Value) for tag in tags]
        return _Chunk([_Row(t.name, kinds(t), converter(t)) for t in tags], request)

    async def _read_chunk(self, chunk: _Chunk, out: dict[str, Reading]) -> None:
        try:
            found = await self._ask(lambda client: client.uaclient.read(chunk.request))
        except _Refused as refused:
            bad = Reading(None, refused.status)
            out.update((row.name, bad) for row in chunk.rows)
            return
        if len(found) != len(chunk.rows):
            self.counters.bad_frames += 1
            bad = Reading(None, Status.BAD_COMMUNICATION_ERROR)
            out.update((row.name, bad) for row in chunk.rows)
            return
        self.counters.reads += 1
        stamp: Any = None
        seconds: float | None = None
        for (name, accepted, convert), answer in zip(chunk.rows, found, strict=True):
            if answer.SourceTimestamp is not stamp:
                stamp = answer.SourceTimestamp
                seconds = unix_seconds(stamp)
            variant, status = answer.Value, answer.StatusCode
            raw = variant.Value if variant is not None else None
            if type(raw) in accepted and (status is None or status.value == 0):
                out[name] = convert(raw, seconds)
            else:
                out[name] = odd_reading(raw, accepted, convert, status.value if status else 0, seconds)

    async def _write(self, tag: Tag, value: Value, raw: Value) -> ua.StatusCode:
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        if tag.name not in self._variant_types:
            await self._ask(lambda client: self._learn_types(client, [tag]))
        kind = self._variant_types.get(tag.name)
        if kind is None:
            raise LinkError(f"{self._settings.url}: {tag.name}: {tag.address} has no type to be written as")
        variant = ua.Variant(cast(tag, value, raw, kind.name), kind)
        item = ua.WriteValue()
        item.NodeId, item.AttributeId = self._node(tag.address), AttributeIds.Value
        item.Value = ua.DataValue(variant, None)  # many servers refuse a write that brings a status or a time
        results = await self._ask(lambda client: client.uaclient.write(ua.WriteParameters([item])))
        return results[0]

    async def _call(self, tag: Tag, method: str) -> ua.StatusCode:
        from asyncua import ua

        owner = self._owners.get(method)
        if self._client is not None and owner is None:
            await self._ask(self._find_owners)
            owner = self._owners.get(method)
        if owner is None:
            raise LinkError(f"{self._settings.url}: {tag.name}: the server has no method {method}")
        call = ua.CallMethodRequest()
        call.ObjectId, call.MethodId, call.InputArguments = owner, self._node(method), []
        results = await self._ask(lambda client: client.uaclient.call([call]))
        status: ua.StatusCode = results[0].StatusCode
        return status


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


def _is_up(client: Client) -> bool:
    protocol = client.uaclient.protocol
    return protocol is not None and protocol.transport is not None and not protocol.transport.is_closing()


def _abort(client: Client) -> None:
    """Close the socket now, whatever the server does."""
    protocol = client.uaclient.protocol
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()
    client.disconnect_socket()
