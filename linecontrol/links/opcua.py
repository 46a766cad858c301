"""OPC UA: the link. Its connection is in ``opcua_session``, what a server reports by itself in ``opcua_subscription``.

These are the only controller files that import asyncua, and not before the first ``open`` (it takes a second or two).
Nothing runs in the background but the one task of a subscription, which ends with its connection. A connection that
failed is never used again: every ``open`` makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linecontrol.core.deadline import deadline
from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import Status, Tag, Value
from linecontrol.links.certificates import Credentials, expiry_notices, read_credentials, read_password, utc_now
from linecontrol.links.codec import encode
from linecontrol.links.nodes import cast, identifier
from linecontrol.links.opcua_session import Refused, Session, load, mapped
from linecontrol.links.opcua_subscription import Subscription
from linecontrol.links.opcua_values import Row, row_of, take_answers
from linecontrol.links.settings import OpcuaSettings

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client

__all__ = ["OpcuaLink", "OpcuaSettings", "load", "mapped"]

_OPEN_FACTOR = 4.0  # an open is about ten requests
_KEPT_PLANS = 64  # requests for parts of the tags, remembered


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Nodes of one Read, with the ready request."""

    rows: list[Row]
    request: ua.ReadParameters


class OpcuaLink:
    """Link to one OPC UA server; see ``linecontrol.core.link.Link`` for the contract.

    After LinkDown, LinkTimeout or a cancelled request it is closed. A node that is missing, or of another kind than
    its tag, is bad with that status while the others are read; should it appear, it is read. With ``subscribe``,
    ``read()`` without names makes no request: it returns what the server has reported.

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
        self._session: Session | None = None
        self._subscription: Subscription | None = None
        self._notices: list[str] = []
        self._chunks: dict[frozenset[str] | None, list[_Chunk]] = {}
        self._variant_types: dict[str, ua.VariantType] = {}
        self._owners: dict[str, ua.NodeId] = {}

    @property
    def notices(self) -> Sequence[str]:
        """Certificates that expire soon, and where the server grants less than was asked for."""
        granted = self._subscription.notices if self._subscription is not None else []
        return (*self._notices, *granted)

    async def open(self) -> None:
        """Connect, look up the types of writable nodes and the owners of methods, and subscribe if that is wanted.

        Raises:
            LinkDown: no server there, or it hung up; a certificate or the password cannot be used.
            LinkTimeout: not connected within four times ``timeout_s``, or no answer within ``timeout_s`` after that.
            DeviceRefused: the server turns us away, does not have the namespace, or no subscription for us.
        """
        await self.close()
        await load()
        now = utc_now()
        credentials, password = await asyncio.to_thread(self._read_files)
        self._notices = expiry_notices(self._settings, credentials, now) if credentials else []
        self._subscription = None
        session = Session(self._settings, self.counters)
        try:
            async with deadline(_OPEN_FACTOR * self._settings.timeout_s):
                await session.connect(credentials, password)
                self._session = session
                await self._learn(session)
            if self._settings.reading == "subscribe":
                await self._subscribe(session)
        except BaseException as error:
            session.fail(LinkDown(f"{self._settings.url}: not connected"))
            self._session = None
            if isinstance(error, LinkError) or not isinstance(error, Exception):
                raise
            raise mapped(error, self._settings.url) from error
        self.counters.connects += 1

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        """Read these tags, or all. Raises LinkDown, LinkTimeout; KeyError for a name that is not on this link."""
        if names is None and self._subscription is not None and self._session is not None:
            return await self._subscription.read()
        return await self._ask_for(names)

    def earlier(self) -> Sequence[dict[str, Reading]]:
        """See ``linecontrol.core.link.Link``."""
        return self._subscription.earlier() if self._subscription is not None else ()

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
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if self._subscription is not None:
                await self._subscription.stop()
        finally:
            await session.close()

    # -- opening -------------------------------------------------------------------------------------------------

    def _read_files(self) -> tuple[Credentials | None, str | None]:
        return read_credentials(self._settings, utc_now()), read_password(self._settings)

    async def _learn(self, session: Session) -> None:
        self._chunks.clear()
        self._variant_types.clear()
        await self._learn_types(session.client, [t for t in self._tags.values() if t.writable and not t.methods])
        await self._find_owners(session.client)

    async def _subscribe(self, session: Session) -> None:
        first = await self._ask_for(None)
        subscription = Subscription(session, list(self._tags.values()), first)
        await subscription.start()
        self._subscription = subscription

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

    # -- asking --------------------------------------------------------------------------------------------------

    def _open_session(self) -> Session:
        if self._session is None:
            raise LinkDown(f"{self._settings.url}: not connected")
        return self._session

    def _node(self, address: str) -> ua.NodeId:
        return self._open_session().node(address)

    def _plan(self, names: Collection[str] | None) -> list[_Chunk]:
        key = None if names is None else frozenset(names)
        chunks = self._chunks.get(key)
        if chunks is None:
            tags = list(self._tags.values()) if key is None else [self._tags[name] for name in key]
            self._open_session()
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
        return _Chunk([row_of(tag) for tag in tags], request)

    async def _ask_for(self, names: Collection[str] | None) -> dict[str, Reading]:
        """Read by as few requests as the server takes."""
        out: dict[str, Reading] = {}
        for chunk in self._plan(names):
            await self._read_chunk(chunk, out)
        return out

    async def _read_chunk(self, chunk: _Chunk, out: dict[str, Reading]) -> None:
        try:
            found = await self._open_session().ask(lambda client: client.uaclient.read(chunk.request))
        except Refused as refused:
            bad = Reading(None, refused.status)
            out.update((row.name, bad) for row in chunk.rows)
            return
        if len(found) != len(chunk.rows):
            self.counters.bad_frames += 1
            bad = Reading(None, Status.BAD_COMMUNICATION_ERROR)
            out.update((row.name, bad) for row in chunk.rows)
            return
        self.counters.reads += 1
        take_answers(chunk.rows, found, out)

    async def _write(self, tag: Tag, value: Value, raw: Value) -> ua.StatusCode:
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        if tag.name not in self._variant_types:
            await self._open_session().ask(lambda client: self._learn_types(client, [tag]))
        kind = self._variant_types.get(tag.name)
        if kind is None:
            raise LinkError(f"{self._settings.url}: {tag.name}: {tag.address} has no type to be written as")
        variant = ua.Variant(cast(tag, value, raw, kind.name), kind)
        item = ua.WriteValue()
        item.NodeId, item.AttributeId = self._node(tag.address), AttributeIds.Value
        item.Value = ua.DataValue(variant, None)  # many servers refuse a write that brings a status or a time
        results = await self._open_session().ask(lambda client: client.uaclient.write(ua.WriteParameters([item])))
        return results[0]

    async def _call(self, tag: Tag, method: str) -> ua.StatusCode:
        from asyncua import ua

        owner = self._owners.get(method)
        if owner is None:
            await self._open_session().ask(self._find_owners)
            owner = self._owners.get(method)
        if owner is None:
            raise LinkError(f"{self._settings.url}: {tag.name}: the server has no method {method}")
        call = ua.CallMethodRequest()
        call.ObjectId, call.MethodId, call.InputArguments = owner, self._node(method), []
        results = await self._open_session().ask(lambda client: client.uaclient.call([call]))
        status: ua.StatusCode = results[0].StatusCode
        return status
