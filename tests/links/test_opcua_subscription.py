"""The OPC UA link that is reported to: a real server, and everything that may go wrong between it and us."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.uaprocessor import UaProcessor
from link_bench import PATIENCE_S, PUBLISHING_S, TIMEOUT_S, loses, open_files, quiet_loop, tag
from link_server import NAMESPACE, free_port

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkTimeout
from linecontrol.core.link import Reading
from linecontrol.core.model import Status
from linecontrol.links import opcua_subscription
from linecontrol.links.opcua import OpcuaLink
from linecontrol.links.settings import OpcuaSettings
from simulator.opcua_mends import fill

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAMES = [f"T{i}" for i in range(5)]
EPOCH = datetime(2026, 11, 23, tzinfo=UTC)


class Plc:
    """A real server with five nodes; it can be told to say anything."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.server = Server()
        self.count = 0
        self.lost = 0

    async def start(self, names: list[str]) -> None:
        await fill(self.server)
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/")
        self.index = await self.server.register_namespace(NAMESPACE)
        for name in names:
            await self.add(name)
        await self.server.start()

    async def add(self, name: str) -> None:
        node_id = ua.NodeId(name, self.index)
        node = await self.server.nodes.objects.add_variable(node_id, name, 0.0, ua.VariantType.Double)
        await self.server.write_attribute_value(node.nodeid, self.value(0.0))
        await node.set_writable()

    def value(self, value: float, status: int = 0) -> ua.DataValue:
        self.count += 1
        stamp = EPOCH + timedelta(milliseconds=self.count)
        return ua.DataValue(ua.Variant(value, ua.VariantType.Double), ua.StatusCode(status), stamp)

    async def say(self, name: str, value: float, status: int = 0) -> None:
        await self.server.write_attribute_value(ua.NodeId(name, self.index), self.value(value, status))

    @property
    def subscription(self) -> Any:
        """The only one there is."""
        (found,) = self.server.iserver.subscription_service.subscriptions.values()
        return found

    def lose_reports(self, count: int) -> None:
        """The next reports with values are sent to nobody."""
        self.lost = 0
        subscription = self.subscription
        send = subscription.pub_result_callback

        async def drop(result: Any, request: Any) -> None:
            nonlocal count
            if result.NotificationMessage.NotificationData and count > 0:
                count -= 1
                self.lost = result.NotificationMessage.SequenceNumber
                # the request is used again, so that only the report is missing
                send.__self__._publish_requests.append(request)
                return
            await send(result, request)

        subscription.pub_result_callback = drop


@asynccontextmanager
async def serving(names: list[str] = NAMES, port: int | None = None) -> AsyncIterator[Plc]:
    plc = Plc(port or free_port())
    await plc.start(names)
    try:
        yield plc
    finally:
        await plc.server.stop()


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _quiet() -> AsyncIterator[None]:
    logging.getLogger("asyncua.server").setLevel(logging.CRITICAL + 1)
    before = open_files()
    async with quiet_loop():
        yield
    async with asyncio.timeout(5):
        while open_files() > before:  # the server's ends of our connections
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing() -> AsyncIterator[Plc]:
    """One server for all: it takes two seconds to begin, and another to end."""
    async with serving() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def plc(standing: Plc) -> Plc:
    """As new: every node says 0, and nobody is subscribed."""
    service = standing.server.iserver.subscription_service
    await service.delete_subscriptions(list(service.subscriptions))
    for name in NAMES:
        await standing.say(name, 0.0)
    return standing


def link_to(plc: Plc, names: list[str] = NAMES, **settings: Any) -> OpcuaLink:
    given = {"timeout_s": TIMEOUT_S, "reading": "subscribe", "publishing_s": PUBLISHING_S, "queue_size": 500}
    url = f"opc.tcp://127.0.0.1:{plc.port}/"
    tags = [tag(name, "float64", f"s={name}", writable=True) for name in names]
    return OpcuaLink(OpcuaSettings(url, NAMESPACE, **(given | settings)), tags)


class Listener:
    """Reads as a station does and keeps every reading of every tag, those that repeat left out."""

    def __init__(self, link: OpcuaLink) -> None:
        self.link = link
        self.heard: defaultdict[str, list[Reading]] = defaultdict(list)

    async def scan(self) -> None:
        readings = await self.link.read()
        self.take([*self.link.earlier(), readings])

    def take(self, scans: Any) -> None:
        for scan in scans:
            for name, reading in scan.items():
                if not self.heard[name] or self.heard[name][-1] != reading:
                    self.heard[name].append(reading)

    def values(self, name: str) -> list[Any]:
        return [reading.value for reading in self.heard[name]]

    async def until(self, name: str, value: float) -> None:
        async with asyncio.timeout(5):
            while not self.heard[name] or self.heard[name][-1].value != value:
                await self.scan()
                await asyncio.sleep(0.02)


async def opened(link: OpcuaLink) -> Listener:
    await link.open()
    listener = Listener(link)
    await listener.scan()
    return listener


async def test_fast_changes_all_arrive_in_order_with_their_own_times(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    requests, first = link.counters.requests, plc.count - len(NAMES) + 1
    for value in range(1, 201):
        for name in NAMES:
            await plc.say(name, float(value))
        if value % 50 == 0:
            await listener.scan()
            await asyncio.sleep(0.03)
    for name in NAMES:
        await listener.until(name, 200.0)
    for at, name in enumerate(NAMES):
        assert listener.values(name) == [float(v) for v in range(201)]
        stamps = [reading.source_time for reading in listener.heard[name]]
        counts = [first + 5 * value + at for value in range(201)]
        assert stamps == pytest.approx([EPOCH.timestamp() + n / 1000 for n in counts], abs=1e-4)
    assert link.counters.requests == requests, "a read of all asks nothing"
    assert (link.counters.lost, link.counters.republished) == (0, 0)
    assert link.counters.notifications >= 1000
    await link.close()


async def test_what_was_written_is_read_back_from_the_device_and_then_reported(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    await link.write("T0", 4.5)
    assert (await link.read(["T0"]))["T0"].value == 4.5
    await listener.until("T0", 4.5)
    await link.close()


async def test_a_report_that_is_missing_is_had_again_before_the_next(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    await plc.say("T0", 1.0)
    await listener.until("T0", 1.0)
    plc.lose_reports(2)
    for value in range(2, 12):
        await plc.say("T0", float(value))
        await asyncio.sleep(PUBLISHING_S / 2)
    await listener.until("T0", 11.0)
    assert listener.values("T0") == [float(v) for v in range(12)]
    assert (link.counters.republished, link.counters.lost) == (2, 0)
    await link.close()


async def test_a_report_that_cannot_be_had_again_is_counted(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    await plc.say("T0", 1.0)
    await listener.until("T0", 1.0)
    plc.lose_reports(1)
    await plc.say("T0", 2.0)
    async with asyncio.timeout(5):
        while not plc.lost:
            await asyncio.sleep(0.01)
    plc.subscription._not_acknowledged_results.pop(plc.lost)
    await plc.say("T0", 3.0)
    await listener.until("T0", 3.0)
    assert listener.values("T0") == [0.0, 1.0, 3.0]
    assert (link.counters.republished, link.counters.lost) == (0, 1)
    await link.close()


async def test_an_overflow_at_the_server_is_counted_and_the_value_taken(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    await plc.say("T0", 1.0, 0x480)
    await plc.say("T1", 1.0, 0x40930480)
    await plc.say("T2", 1.0, 0x400)  # a limit bit or none: no overflow
    for name in NAMES[:3]:
        await listener.until(name, 1.0)
    assert listener.heard["T0"][-1].status is Status.GOOD
    assert listener.heard["T1"][-1].status is Status.UNCERTAIN_SENSOR_NOT_ACCURATE
    assert link.counters.lost == 2
    await link.close()


async def test_a_server_that_stops_reporting_is_told_from_one_with_nothing_to_report(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    loop = asyncio.get_running_loop()
    end = loop.time() + 2.0  # more than twice the silence that is borne
    while loop.time() < end:
        await listener.scan()
        await asyncio.sleep(0.05)
    plc.subscription._task.cancel()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(LinkTimeout, match="nothing reported for"):
            await loses(link, asks=False)
    assert link.counters.timeouts == 1
    with pytest.raises(LinkTimeout):
        await link.read(["T0"])
    await link.open()
    await plc.say("T0", 7.0)
    await listener.until("T0", 7.0)
    await link.close()


async def test_what_arrived_before_the_end_is_not_lost(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    for value in (1.0, 2.0, 3.0):
        await plc.say("T0", value)
    async with asyncio.timeout(5):
        while link.counters.notifications < len(NAMES) + 3:
            await asyncio.sleep(0.01)
    link._session.fail(LinkDown("cut"))  # type: ignore[union-attr]
    with pytest.raises(LinkDown, match="cut"):
        await link.read()
    listener.take(link.earlier())
    assert listener.values("T0") == [0.0, 1.0, 2.0, 3.0]
    assert list(link.earlier()) == []
    await link.close()


async def test_a_server_that_was_restarted_is_found_again_without_doubles() -> None:
    async with serving() as first:
        link = link_to(first)
        listener = await opened(link)
        await first.say("T0", 1.0)
        await listener.until("T0", 1.0)
    with pytest.raises((LinkDown, LinkTimeout)):
        await loses(link, asks=False)
    await link.close()
    async with serving(port=first.port) as second:
        await second.say("T0", 2.0)
        await link.open()
        before = len(asyncio.all_tasks())
        for _ in range(20):
            await listener.scan()
            await asyncio.sleep(0.02)
        assert listener.values("T0") == [0.0, 1.0, 2.0]
        assert len(second.server.iserver.subscription_service.subscriptions) == 1
        await link.close()
        assert len(asyncio.all_tasks()) < before


async def test_a_node_that_is_missing_is_bad_and_reported_once_it_is_there(
    plc: Plc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua_subscription, "RETRY_S", 0.05)
    link = link_to(plc, [*NAMES, "Late"])
    listener = await opened(link)
    assert listener.heard["Late"] == [Reading(None, Status.BAD_NODE_ID_UNKNOWN)]
    assert listener.values("T0") == [0.0]
    await plc.add("Late")
    await listener.until("Late", 0.0)
    await plc.say("Late", 1.0)
    await listener.until("Late", 1.0)
    assert listener.values("Late") == [None, 0.0, 1.0]
    await link.close()


async def test_a_node_that_can_be_read_but_not_subscribed_is_not_shown_as_good(
    plc: Plc, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = MonitoredItemService._create_data_change_monitored_item

    async def one_less(self: Any, item: Any) -> Any:
        result = await create(self, item)
        if item.ItemToMonitor.NodeId.Identifier == "T1":
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
        return result

    monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", one_less)
    link = link_to(plc)
    listener = await opened(link)
    assert listener.heard["T1"][-1] == Reading(None, Status.BAD)
    assert listener.heard["T0"][-1].status is Status.GOOD
    await link.close()


async def test_a_server_that_begins_to_count_anew_is_left(plc: Plc) -> None:
    link = link_to(plc)
    listener = await opened(link)
    for value in (1.0, 2.0):
        await plc.say("T0", value)
        await listener.until("T0", value)
    plc.subscription._notification_seq = 1
    await plc.say("T0", 3.0)
    with pytest.raises(LinkDown, match="begun anew"):
        await loses(link, asks=False)
    await link.open()
    assert (await link.read())["T0"].value == 3.0
    await link.close()


async def test_a_subscription_the_server_ends_is_a_link_that_is_down(plc: Plc) -> None:
    link = link_to(plc)
    await opened(link)
    await plc.subscription.enqueue_statuschange(ua.StatusCode(ua.StatusCodes.BadTimeout))
    with pytest.raises(LinkDown, match="ended the subscription: BadTimeout"):
        await loses(link, asks=False)
    await link.close()


async def test_an_error_of_our_own_task_comes_out_of_the_next_read(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    link = link_to(plc)
    listener = await opened(link)

    async def broken(_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(link._subscription, "_take", broken)
    with pytest.raises(LinkDown, match="a mistake of ours"):
        await loses(link, asks=False)
    assert link.counters.bad_frames == 1
    await link.open()
    await listener.scan()
    await link.close()


async def test_the_security_token_is_renewed_though_nothing_is_asked(plc: Plc) -> None:
    link = link_to(plc, channel_lifetime_s=1.0)
    listener = await opened(link)
    channel = link._session.client.uaclient.protocol._connection  # type: ignore[union-attr]
    first, requests = channel.security_token.TokenId, link.counters.requests
    async with asyncio.timeout(PATIENCE_S):
        while channel.security_token.TokenId < first + 2:
            await listener.scan()
            await asyncio.sleep(0.05)
    assert (link.counters.connects, link.counters.requests) == (1, requests)
    await link.close()


async def test_a_server_that_takes_one_publish_request_gets_one(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UaProcessor, "publish_request_limit", lambda _self, _count: 1)
    link = link_to(plc)
    listener = await opened(link)
    for value in (1.0, 2.0, 3.0):
        await plc.say("T0", value)
        await listener.until("T0", value)
    assert link.counters.lost == 0
    await link.close()


async def test_nodes_are_subscribed_within_the_servers_limit(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = plc.server.get_node(ua.NodeId.from_string("i=11714"))
    before = await limit.read_data_value()
    await limit.write_value(2, ua.VariantType.UInt32)
    sizes: list[int] = []
    create = MonitoredItemService.create_monitored_items

    async def counted(self: Any, parameters: Any) -> Any:
        sizes.append(len(parameters.ItemsToCreate))
        return await create(self, parameters)

    monkeypatch.setattr(MonitoredItemService, "create_monitored_items", counted)
    link = link_to(plc)
    await opened(link)
    assert sizes == [2, 2, 1]
    assert list(link.notices) == []
    await link.close()
    await limit.write_value(before)


async def test_what_the_server_grants_less_than_asked_is_noticed(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MonitoredItemService, "_revise_queue_size", lambda _self, _size: 1)
    made = InternalSubscription.start

    async def slower(self: Any) -> None:
        self.data.RevisedPublishingInterval = 200.0
        await made(self)

    monkeypatch.setattr(InternalSubscription, "start", slower)
    link = link_to(plc)
    await opened(link)
    assert link.notices[0] == "the server reports only every 0.2 s, not every 0.1 s"
    assert "keeps 1 changes of a node between two reports, not 500 (5 nodes)" in link.notices[-1]
    await link.close()


async def test_a_server_without_subscriptions_says_what_to_do(plc: Plc, monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncua.common.utils import ServiceError
    from asyncua.server.subscription_service import SubscriptionService

    async def none(*_: Any, **__: Any) -> None:
        raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)

    monkeypatch.setattr(SubscriptionService, "create_subscription", none)
    link = link_to(plc)
    with pytest.raises(DeviceRefused, match="with reading: scan this server needs no subscription"):
        await link.open()
    with pytest.raises(LinkDown):
        await link.read()
