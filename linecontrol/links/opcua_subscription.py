"""An OPC UA subscription: the server reports what changes, and no value is lost without being counted.

Publish requests wait at the server, two at a time, sent and awaited by one task here: the library's own loop hands
every value to an object, a queue or a task of its own, and goes on for ever when the server has stopped to report.
Reports carry numbers. One that is missing is asked for again before a later one is passed on; one that cannot be had is
counted, and so is every overflow of a queue at the server.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkTimeout
from linecontrol.core.link import Reading
from linecontrol.core.model import Status, Tag
from linecontrol.links.opcua_session import Refused, Session, mapped
from linecontrol.links.opcua_values import Changes, row_of, take_changes

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 0.5  # a server with nothing to report says so about this often
LIFETIME_S = 10.0  # a server drops a subscription nobody asks for after this long
RETRY_S = 10.0  # a node that could not be subscribed is tried again after this long
GRACE_S = 0.1  # what came while our own loop stood still is read before the server is called silent
_MOST_ITEMS_NODE = "i=11714"  # Server.ServerCapabilities.OperationLimits.MaxMonitoredItemsPerCall
_IN_FLIGHT = 2  # so that one request is at the server while an answer is under way
_MOST_REPUBLISHED = 100
_MOST_IN_REPORT = 1000  # taking in a report holds up the event loop; the rest comes at once in the next
_RING = 2**32 - 1  # numbers run from 1 to this, then from 1 again


class Subscription:
    """All tags of a link, reported by the server of ``session``. ``start`` once, ``stop`` in any case.

    Attributes:
        notices: where the server grants less than was asked for.
    """

    def __init__(self, session: Session, tags: Sequence[Tag], first: dict[str, Reading]) -> None:
        """``first``: a reading of every tag, just read."""
        self.notices: list[str] = []
        self._session = session
        self._counters = session.counters
        self._tags = tags
        self._rows = [row_of(tag) for tag in tags]
        self._changes = Changes(first)
        self._refused: list[int] = []
        self._retry_at = math.inf
        self._items_per_call = session.settings.max_nodes_per_read
        self._id = 0
        self._expected = 1
        self._keep_alive_s = KEEP_ALIVE_S
        self._heard = 0.0
        self._news = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises LinkDown, LinkTimeout; DeviceRefused when the server has no subscription for us."""
        await self._create()
        await self._learn_limit()
        await self._monitor(list(range(len(self._tags))))
        self._heard = asyncio.get_running_loop().time()
        self._pump = asyncio.create_task(self._run(), name=f"reports of {self._session.settings.url}")

    async def stop(self) -> None:
        """End the task and wait for it."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])

    async def read(self) -> dict[str, Reading]:
        """The newest reading of every tag, without a request.

        When the server's next sign of life is overdue this waits for it, for ``timeout_s`` in all.

        Raises:
            LinkTimeout: it did not come. LinkDown: connection, session or subscription ended.
        """
        loop, timeout_s = asyncio.get_running_loop(), self._session.settings.timeout_s
        deadline = max(self._heard + self._keep_alive_s + timeout_s, loop.time() + GRACE_S)
        self._session.check()
        while loop.time() - self._heard > self._keep_alive_s + 0.5 * timeout_s:
            self._news.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                self._counters.timeouts += 1
                silent_s = loop.time() - self._heard
                text = f"{self._session.settings.url}: nothing reported for {silent_s:.1f} s"
                self._session.fail(LinkTimeout(f"{text}, not even that there is nothing to report"))
            self._session.check()
        return self._changes.read()

    def earlier(self) -> list[dict[str, Reading]]:
        """See ``linecontrol.core.link.Link``."""
        return self._changes.earlier() if self._session.failure is None else self._changes.rest()

    # -- setting up ----------------------------------------------------------------------------------------------

    async def _create(self) -> None:
        from asyncua import ua

        asked_s = self._session.settings.publishing_s
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        wanted.RequestedPublishingInterval = 1000.0 * asked_s
        wanted.RequestedMaxKeepAliveCount = max(round(KEEP_ALIVE_S / asked_s), 1)
        wanted.RequestedLifetimeCount = max(math.ceil(LIFETIME_S / asked_s), 3 * wanted.RequestedMaxKeepAliveCount)
        wanted.MaxNotificationsPerPublish = _MOST_IN_REPORT
        wanted.PublishingEnabled = True
        wanted.Priority = 0
        try:
            response = await self._ask(request, ua.CreateSubscriptionResponse)
        except Refused as refused:
            raise DeviceRefused(f"{refused}; with reading: scan this server needs no subscription") from refused
        granted = response.Parameters
        interval_s = granted.RevisedPublishingInterval / 1000.0
        self._id = granted.SubscriptionId
        self._keep_alive_s = interval_s * max(granted.RevisedMaxKeepAliveCount, 1)
        if interval_s > 1.01 * asked_s:
            self.notices.append(f"the server reports only every {interval_s:g} s, not every {asked_s:g} s")
        if self._keep_alive_s > 1.5 * max(KEEP_ALIVE_S, interval_s):
            self.notices.append(f"with nothing to report, the server says so only every {self._keep_alive_s:g} s")

    async def _learn_limit(self) -> None:
        """How many nodes the server takes in one request to subscribe; 0 or none = it does not say."""
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        limit = ua.NodeId.from_string(_MOST_ITEMS_NODE)
        asked = ua.ReadParameters(NodesToRead=[ua.ReadValueId(limit, AttributeIds.Value)])
        try:
            found = (await self._session.ask(lambda client: client.uaclient.read(asked)))[0].Value
        except Refused:
            return
        if found is not None and isinstance(found.Value, int) and found.Value > 0:
            self._items_per_call = min(self._items_per_call, found.Value)

    async def _monitor(self, handles: Sequence[int]) -> None:
        """Subscribe these tags. One that is refused is bad from now on, and tried again later."""
        from asyncua import ua

        settings = self._session.settings
        queues: dict[int, int] = {}
        refused: list[int] = []
        for start in range(0, len(handles), self._items_per_call):
            part = handles[start : start + self._items_per_call]
            request = ua.CreateMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self._id
            request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
            request.Parameters.ItemsToCreate = [self._item(handle) for handle in part]
            try:
                results = (await self._ask(request, ua.CreateMonitoredItemsResponse)).Results
            except Refused as error:
                results = []
                statuses = [error.status] * len(part)
            else:
                if len(results) != len(part):
                    raise LinkDown(f"{settings.url}: {len(results)} answers for {len(part)} nodes to subscribe")
                statuses = [Status.from_code(result.StatusCode.value) for result in results]
            for handle, status in zip(part, statuses, strict=True):
                if status >> 30 >= 2:
                    refused.append(handle)
                    self._changes.add_first(self._rows[handle].name, Reading(None, status))
            for result in results:
                if result.StatusCode.is_good() and result.RevisedQueueSize < settings.queue_size:
                    queues[result.RevisedQueueSize] = queues.get(result.RevisedQueueSize, 0) + 1
        self._refused = refused
        self._retry_at = asyncio.get_running_loop().time() + RETRY_S if refused else math.inf
        for size, count in sorted(queues.items()):
            text = f"the server keeps {size} changes of a node between two reports, not {settings.queue_size}"
            self.notices.append(f"{text} ({count} nodes); faster changes are not seen")

    def _item(self, handle: int) -> ua.MonitoredItemCreateRequest:
        from asyncua import ua
        from asyncua.ua.attribute_ids import AttributeIds

        settings = self._session.settings
        node = self._session.node(self._tags[handle].address)
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor = ua.ReadValueId(node, AttributeIds.Value)
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = handle
        item.RequestedParameters.SamplingInterval = 4000.0 * settings.publishing_s / settings.queue_size
        item.RequestedParameters.QueueSize = settings.queue_size
        item.RequestedParameters.DiscardOldest = True
        return item

    async def _ask(self, request: Any, kind: type[Any]) -> Any:
        """A service asyncua offers only together with its own loop."""
        from asyncua.ua.ua_binary import struct_from_binary

        async def service(client: Any) -> Any:
            response = struct_from_binary(kind, await client.uaclient.protocol.send_request(request))
            response.ResponseHeader.ServiceResult.check()
            return response

        return await self._session.ask(service)

    # -- the pump ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Keep requests at the server and take in what it reports, until cancelled or the session fails."""
        waiting: list[asyncio.Task[ua.PublishResponse]] = []
        try:
            await self._pump_forever(waiting)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # the task's top edge: read() raises what ended it
            self._end(error)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            self._news.set()

    def _end(self, error: Exception) -> None:
        from asyncua.ua.uaerrors import UaError

        ours = error if isinstance(error, LinkDown | LinkTimeout) else mapped(error, self._session.settings.url)
        if isinstance(ours, DeviceRefused):
            ours = LinkDown(f"{ours}; the subscription has ended")
        elif ours is not error:
            self._counters.bad_frames += not isinstance(error, OSError | UaError)
        self._session.fail(ours)

    async def _pump_forever(self, waiting: list[asyncio.Task[ua.PublishResponse]]) -> None:
        from asyncua import ua
        from asyncua.ua.uaerrors import BadRequestTimeout, BadTimeout, BadTooManyPublishRequests

        waiting.extend(self._publish([]) for _ in range(_IN_FLIGHT))
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            answered = next(task for task in waiting if task in done)
            waiting.remove(answered)
            acknowledged: list[ua.SubscriptionAcknowledgement] = []
            message = None
            try:
                message = self._checked(answered.result())
            except BadTooManyPublishRequests:
                if waiting:
                    continue  # it takes fewer; one will do
                raise
            except (BadTimeout, BadRequestTimeout):
                pass  # the request grew old at the server; that says nothing of the subscription
            if message is not None and message.NotificationData:
                acknowledged.append(ua.SubscriptionAcknowledgement(self._id, message.SequenceNumber))
            await self._session.keep_secure()
            waiting.append(self._publish(acknowledged))
            if message is not None:
                await self._take(message)
                self._heard = asyncio.get_running_loop().time()
                self._news.set()
            if asyncio.get_running_loop().time() >= self._retry_at:
                await self._monitor(self._refused)

    def _publish(self, acknowledged: list[ua.SubscriptionAcknowledgement]) -> asyncio.Task[ua.PublishResponse]:
        return asyncio.create_task(self._session.client.uaclient.publish(acknowledged))

    def _checked(self, response: ua.PublishResponse) -> ua.NotificationMessage:
        response.ResponseHeader.ServiceResult.check()
        if response.Parameters.SubscriptionId != self._id:
            raise LinkDown(f"{self._session.settings.url}: a report of a subscription that is not ours")
        message: ua.NotificationMessage = response.Parameters.NotificationMessage
        return message

    async def _take(self, message: ua.NotificationMessage) -> None:
        """A report in its turn: what is missing before it first."""
        number, has_news = message.SequenceNumber, bool(message.NotificationData)
        missing = (number - self._expected) % _RING if number else 0
        if missing >= _RING // 2:
            if not has_news:
                return  # some servers say the last number when they have nothing to report
            text = f"report {number} after report {self._expected - 1}"
            raise LinkDown(f"{self._session.settings.url}: {text}; the server has begun anew")
        if missing:
            await self._recover(missing)
        if has_news:
            self._expected = number % _RING + 1
            self._take_all(message)

    async def _recover(self, missing: int) -> None:
        """Ask again for reports that did not arrive; count those the server no longer has."""
        gone = max(missing - _MOST_REPUBLISHED, 0)
        number = (self._expected - 1 + gone) % _RING + 1
        self._counters.lost += gone
        for _ in range(missing - gone):
            try:
                found = await self._session.ask(partial(_republish, self._id, number))
            except Refused:
                found = None
            if found is not None and found.SequenceNumber == number and found.NotificationData:
                self._counters.republished += 1
                self._take_all(found)
            else:
                self._counters.lost += 1
            number = number % _RING + 1
        self._expected = number
        log.warning("%s: %d reports did not arrive at first", self._session.settings.url, missing)

    def _take_all(self, message: ua.NotificationMessage) -> None:
        from asyncua import ua

        for part in message.NotificationData:
            if isinstance(part, ua.DataChangeNotification):
                self._counters.lost += take_changes(self._rows, part.MonitoredItems, self._changes)
                self._counters.notifications += len(part.MonitoredItems)
            elif isinstance(part, ua.StatusChangeNotification):
                name = ua.StatusCode(part.Status.value).name
                raise LinkDown(f"{self._session.settings.url}: the server ended the subscription: {name}")


async def _republish(subscription: int, number: int, client: Client) -> ua.NotificationMessage:
    return await client.uaclient.session.republish(subscription, number)
