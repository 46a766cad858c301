"""What the simulated PLC says to right, wrong and broken Modbus requests, clause by clause, over raw sockets.

"6.3" and the like are clauses of the MODBUS Application Protocol Specification V1.1b3, "guide 4.4" those of the MODBUS
Messaging on TCP/IP Implementation Guide V1.0b, "serial 2.5" those of MODBUS over Serial Line V1.02.
"""

from __future__ import annotations

import random
import struct

import pytest
from bus_rig import COILS, DISCRETE_VALUES, UNIT, WORDS, WRITABLE_WORDS, adu, served, wire

from simulator.modbus_frames import Frame, OutOfStep, RtuFraming, TcpFraming, crc
from simulator.modbus_server import ModbusServer


def pdu(text: str) -> bytes:
    return bytes.fromhex(text)


async def holding(server: ModbusServer, address: int, count: int) -> list[int]:
    async with wire(server) as line:
        answer = await line.ask(struct.pack(">BHH", 3, address, count))
    assert answer[:2] == bytes([3, count * 2])
    return list(struct.unpack(f">{count}H", answer[2:]))


ZEROS = "00" * 246

# Clause, what is asked, request, answer. Requests run in this order against one server.
SERVED = [
    ("6.1", "one coil", "01 0000 0001", "01 01 00"),
    ("6.1", "the most coils", "01 0000 07D0", "01 FA " + "00" * 250),
    ("6.2", "bits fill a byte from the lowest up, the last byte with zeros", "02 0000 000B", "02 02 49 02"),
    ("6.3", "one register", "03 0000 0001", "03 02 0000"),
    ("6.3", "the most registers", "03 0000 007D", "03 FA " + "00" * 250),
    ("6.4", "two input registers", "04 0001 0002", "04 04 0003 0006"),
    ("6.5", "coil on: the request is repeated", "05 0003 FF00", "05 0003 FF00"),
    ("6.1", "it is on", "01 0000 0008", "01 01 08"),
    ("6.5", "coil off", "05 0003 0000", "05 0003 0000"),
    ("6.6", "one register: the request is repeated", "06 0001 ABCD", "06 0001 ABCD"),
    ("6.3", "it is there", "03 0000 0002", "03 04 0000 ABCD"),
    ("6.11", "ten coils", "0F 0013 000A 02 CD01", "0F 0013 000A"),
    ("6.1", "they are there", "01 0013 000A", "01 02 CD01"),
    ("6.11", "bits beyond the quantity do not count", "0F 0013 0002 01 FE", "0F 0013 0002"),
    ("6.1", "nor were they written", "01 0013 000A", "01 02 CE01"),
    ("6.11", "the most coils", "0F 0000 07B0 F6 " + ZEROS, "0F 0000 07B0"),
    ("6.12", "two registers", "10 0001 0002 04 000A 0102", "10 0001 0002"),
    ("6.12", "the most registers", "10 0000 007B F6 " + ZEROS, "10 0000 007B"),
    ("6.6", "for the mask", "06 0004 0012", "06 0004 0012"),
    ("6.16", "mask: the specification's example", "16 0004 00F2 0025", "16 0004 00F2 0025"),
    ("6.3", "(12 and F2) or (25 and not F2) = 17", "03 0004 0001", "03 02 0017"),
    ("6.17", "write, then read", "17 0004 0002 0005 0001 02 00FF", "17 04 0017 00FF"),
    ("6.17", "the most of both", "17 0000 007D 0000 0079 F2 " + "00" * 242, "17 FA " + "00" * 250),
]


async def test_right_requests() -> None:
    async with served() as server, wire(server) as line:
        for clause, what, request, answer in SERVED:
            assert (await line.ask(pdu(request))).hex() == pdu(answer).hex(), (clause, what)


REFUSED = [
    ("6.1", "no coils", "01 0000 0000", 3),
    ("6.1", "a coil too many", "01 0000 07D1", 3),
    ("6.2", "no inputs", "02 0000 0000", 3),
    ("6.2", "an input too many", "02 0000 07D1", 3),
    ("6.3", "no registers", "03 0000 0000", 3),
    ("6.3", "a register too many", "03 0000 007E", 3),
    ("6.3", "far too many", "03 0000 FFFF", 3),
    ("6.4", "no registers", "04 0000 0000", 3),
    ("6.4", "a register too many", "04 0000 007E", 3),
    ("6.5", "neither on nor off", "05 0000 0001", 3),
    ("6.5", "neither on nor off", "05 0000 FF01", 3),
    ("6.11", "no coils", "0F 0000 0000 00", 3),
    ("6.11", "a coil too many", "0F 0000 07B1 F7 " + ZEROS + "00", 3),
    ("6.11", "byte count too small", "0F 0000 000A 01 FF", 3),
    ("6.11", "byte count too large", "0F 0000 000A 03 FFFF00", 3),
    ("6.12", "no registers", "10 0000 0000 00", 3),
    ("6.12", "a register too many", "10 0000 007C F6 " + ZEROS, 3),
    ("6.12", "byte count is not twice the quantity", "10 0000 0002 03 000000", 3),
    ("6.17", "nothing to read", "17 0000 0000 0000 0001 02 0001", 3),
    ("6.17", "too much to read", "17 0000 007E 0000 0001 02 0001", 3),
    ("6.17", "nothing to write", "17 0000 0001 0000 0000 00", 3),
    ("6.17", "too much to write", "17 0000 0001 0000 007A F2 " + "00" * 242, 3),
    ("6.17", "byte count is not twice the quantity", "17 0000 0001 0000 0001 04 00010002", 3),
    ("7 code 3", "the implied length is incorrect: function alone", "03", 3),
    ("7 code 3", "too short", "03 0000 00", 3),
    ("7 code 3", "too long", "03 0000 0001 00", 3),
    ("7 code 3", "a write without its value", "06 0001", 3),
    ("7 code 3", "values are missing", "10 0000 0002 04 0001", 3),
    ("7 code 3", "more values than the byte count says", "10 0000 0001 02 0001 0002", 3),
    ("7 code 3", "coils without byte count", "0F 0000 000A", 3),
    ("7 code 3", "mask too short", "16 0004 00F2", 3),
    ("7 code 3", "exchange too short", "17 0000 0001 0000", 3),
    ("6.1", "the first coil behind the last", f"01 {COILS:04X} 0001", 2),
    ("6.1", "begins inside, ends outside", f"01 {COILS - 1:04X} 0002", 2),
    ("6.2", "begins inside, ends outside", f"02 {COILS - 7:04X} 0008", 2),
    ("6.3", "the first register behind the last", f"03 {WORDS:04X} 0001", 2),
    ("7 code 2", "begins inside, ends outside", f"03 {WORDS - 1:04X} 0002", 2),
    ("6.3", "ends behind the 65536th", "03 FFFF 0002", 2),
    ("6.4", "outside", "04 8000 0001", 2),
    ("6.5", "outside", f"05 {COILS:04X} FF00", 2),
    ("6.6", "outside", "06 FFFF 0000", 2),
    ("6.6", "a register that is read only", f"06 {WRITABLE_WORDS:04X} 0000", 2),
    ("6.11", "ends outside", f"0F {COILS - 1:04X} 0002 01 03", 2),
    ("6.12", "ends outside", f"10 {WORDS - 1:04X} 0002 04 0001 0001", 2),
    ("6.12", "ends in the read-only part", f"10 {WRITABLE_WORDS - 1:04X} 0002 04 0001 0001", 2),
    ("6.16", "outside", "16 8000 0000 0000", 2),
    ("6.17", "reads outside", "17 8000 0001 0000 0001 02 0001", 2),
    ("6.17", "writes outside", "17 0000 0001 8000 0001 02 0001", 2),
    ("7 code 3", "a value this device does not take", "06 000A 0065", 3),
    ("7 code 3", "one of several", "10 0009 0002 04 0001 0065", 3),
    ("fig. 9", "function before quantity and address", "07 FFFF 0000", 1),
    ("6.3 fig. 13", "quantity before address", "03 FFFF 0000", 3),
    ("6.12 fig. 22", "byte count before address", "10 FFFF 0001 01 00", 3),
    ("6.5 fig. 15", "value before address", "05 FFFF 1234", 3),
    ("6.12 fig. 22", "address before the device's own range", f"10 {WORDS - 1:04X} 0002 04 FFFF FFFF", 2),
    *(("5.1", "not a function of this device", f"{k:02X} 0000 0001", 1) for k in (7, 8, 11, 12, 17, 20, 21, 24, 43)),
    ("5.1", "user-defined function", "41 00", 1),
    ("5.1", "reserved function", "5A", 1),
    ("4.1", "function 0 is not valid", "00 0000 0001", 1),
    ("4.1", "128 to 255 are for exception answers", "83 02", 1),
    ("4.1", "an unknown function as long as a request may be", "64" + "AA" * 252, 1),
]


async def test_refused_requests_change_nothing() -> None:
    async with served() as server:
        async with wire(server) as line:
            for clause, what, request, code in REFUSED:
                expected = bytes([pdu(request)[0] | 0x80, code])  # 7: function with its highest bit set, then the code
                assert await line.ask(pdu(request)) == expected, (clause, what)
        assert await holding(server, 0, WORDS) == [0] * WORDS


async def test_a_brands_own_limit_is_an_illegal_value() -> None:
    async with served(max_words=16) as server, wire(server) as line:
        assert (await line.ask(pdu("03 0000 0010")))[:2] == pdu("03 20")
        assert await line.ask(pdu("03 0000 0011")) == pdu("83 03")
        assert await line.ask(pdu("03 FFFF 0011")) == pdu("83 03")
        assert await line.ask(pdu("01 0000 0101")) == pdu("81 03")
        assert await line.ask(pdu("10 0000 0011 22") + bytes(34)) == pdu("90 03")


async def test_bits_of_a_whole_table() -> None:
    async with served() as server, wire(server) as line:
        answer = await line.ask(struct.pack(">BHH", 2, 0, COILS))
    bits = [answer[2 + k // 8] >> k % 8 & 1 for k in range(COILS)]
    assert bits == [int(value) for value in DISCRETE_VALUES.values()]


async def test_transaction_and_unit_come_back_as_sent() -> None:
    """guide 4.4.2.5; whom the frame is for: guide 4.4.1.2."""
    async with served() as server, wire(server) as line:
        for transaction in (0, 1, 0x8000, 0xFFFF):
            assert await line.ask(pdu("03 0000 0001"), transaction=transaction) == pdu("03 02 0000")
        for itself in (0x00, UNIT, 0xFF):
            assert await line.ask(pdu("03 0000 0001"), unit=itself) == pdu("03 02 0000")
        for foreign in (1, 200, 247, 248, 254):
            assert await line.ask(pdu("03 0000 0001"), unit=foreign) == pdu("83 0B")
            assert await line.ask(pdu("06 0001 0001"), unit=foreign) == pdu("86 0B")
        assert await line.ask(pdu("03 0001 0001")) == pdu("03 02 0000")


async def test_requests_sent_before_the_first_answer() -> None:
    """guide 4.2.1.1 rule 4: each is answered, with its own transaction."""
    async with served() as server, wire(server) as line:
        sent = [(k, struct.pack(">BHH", 6, k % 9, k)) for k in range(200)]
        await line.send(b"".join(adu(request, transaction=k) for k, request in sent))
        for k, request in sent:
            assert await line.frame() == (k, 0, UNIT, request)


async def test_frames_in_pieces() -> None:
    """guide 3.1.2: the length lets the receiver find a message's end in however many packets it comes."""
    stream = adu(pdu("06 0001 ABCD"), transaction=1) + adu(pdu("03 0001 0001"), transaction=2)
    async with served() as server, wire(server) as line:
        for cut in range(1, len(stream)):
            await line.send(stream[:cut])
            await line.send(stream[cut:])
            assert await line.frame() == (1, 0, UNIT, pdu("06 0001 ABCD"))
            assert await line.frame() == (2, 0, UNIT, pdu("03 02 ABCD"))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 300])
def test_the_same_requests_however_they_are_cut(size: int) -> None:
    stream = b"".join(adu(bytes([k]) * (k + 1), transaction=k) for k in range(40))
    framing = TcpFraming()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    got = [frame for chunk in chunks for frame in framing.feed(chunk, 0.0)]
    assert got == [Frame(UNIT, bytes([k]) * (k + 1), k) for k in range(40)]


async def test_another_protocol_is_discarded() -> None:
    """guide 4.4.2.2: "simply discarded"; the connection and what follows are not."""
    async with served() as server, wire(server) as line:
        foreign = adu(pdu("06 0001 ABCD"), protocol=1, transaction=1) + adu(pdu("06 0001 ABCD"), protocol=0xFFFF)
        await line.send(foreign + adu(pdu("03 0001 0001"), transaction=3))
        assert await line.frame() == (3, 0, UNIT, pdu("03 02 0000"))


@pytest.mark.parametrize("length", [0, 1, 255, 256, 0xFFFF])
async def test_an_impossible_length_ends_the_connection_after_what_was_right(length: int) -> None:
    """4.1: an ADU has at most 260 bytes; guide 3.1.3: at least unit and function are counted."""
    async with served() as server:
        async with wire(server) as line:
            right = adu(pdu("06 0001 ABCD"), transaction=1)
            await line.send(right + adu(pdu("06 0002 ABCD") + bytes(250), length=length) + adu(pdu("06 0003 ABCD")))
            assert await line.rest() == right  # answered by its echo, then the end
        assert await holding(server, 1, 3) == [0xABCD, 0, 0]


async def test_half_a_frame_waits_and_disturbs_nobody() -> None:
    async with served() as server, wire(server) as slow:
        request = adu(pdu("03 0000 0001"))
        await slow.send(request[:9])
        assert await holding(server, 0, 1) == [0]
        await slow.send(request[9:])
        assert (await slow.frame())[3] == pdu("03 02 0000")


async def test_a_client_that_never_reads_is_not_read_from() -> None:
    """Its requests pile up on its own side, and the others are served."""
    request = adu(pdu("03 0000 007D"))
    async with served() as server, wire(server) as deaf:
        (door,) = server.gate._doors
        for _ in range(100):
            deaf._writer.write(request * 500)
        while door._transport is not None and door._transport.is_reading():
            await holding(server, 0, 1)
        assert (
            door._transport.get_write_buffer_size() < 7_000_000
        )  # what one turn of the loop takes in, answered; not all 13 MB
        for _ in range(50_000):
            assert (await deaf.frame())[3][:2] == pdu("03 FA")
        assert door._transport.is_reading()


async def test_random_requests_are_each_answered_once() -> None:
    rng = random.Random(20061024)
    async with served() as server:
        async with wire(server) as line:
            for k in range(600):
                function = rng.choice([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, rng.randrange(256)])
                body = rng.randbytes(rng.choice([0, 3, 4, 5, 6, 7, 9, 11, rng.randrange(253)]))
                if rng.random() < 0.7:
                    body = bytes([0, *body[1:2], 0, *body[3:]])  # often near something that exists
                answer = await line.ask(bytes([function]) + body, transaction=k)
                assert len(answer) <= 253
                assert answer[0] in (function, function | 0x80)
                if answer[0] & 0x80:
                    assert len(answer) == 2
                    assert answer[1] in (1, 2, 3)
        assert len(await holding(server, 0, WORDS)) == WORDS


@pytest.mark.parametrize("scheme", ["modbus-tcp", "modbus-rtu-tcp"])
async def test_the_server_lives_through_noise(scheme: str) -> None:
    rng = random.Random(502)
    async with served(scheme) as server:
        for _ in range(300):
            async with wire(server) as line:
                noise = rng.randbytes(rng.randrange(1, 600))
                if rng.random() < 0.5:
                    noise = struct.pack(">HHHB", 1, 0, rng.randrange(0, 300), UNIT) + noise
                await line.send(noise)
        async with wire(server) as line:
            if scheme == "modbus-tcp":
                assert len(await line.ask(pdu("03 0000 0001"))) == 4
            else:
                await line.send(rtu(pdu("03 0000 0001")))
                assert (await line.exactly(7))[:3] == bytes([UNIT, 3, 2])


def rtu(request: bytes, unit: int = UNIT) -> bytes:
    body = bytes([unit]) + request
    return body + crc(body)


def test_the_checksum_is_that_of_the_serial_line_specification() -> None:
    assert crc(pdu("02 07")) == pdu("41 12")  # serial 6.2.2, the worked example: 1241, low byte first


async def test_rtu_frames_over_tcp() -> None:
    async with served("modbus-rtu-tcp") as server, wire(server) as line:

        async def ask(request: str) -> str:
            await line.send(rtu(pdu(request)))
            head = await line.exactly(3)
            counted = head[1] in (1, 2, 3, 4, 23)
            rest = 2 if head[1] & 0x80 else head[2] + 2 if counted else 7 if head[1] == 22 else 5
            whole = head + await line.exactly(rest)
            assert whole[-2:] == crc(whole[:-2])
            return whole[1:-2].hex()

        for clause, what, request, answer in SERVED:
            assert await ask(request) == pdu(answer).hex(), (clause, what)
        assert await ask("03 FFFF 0001") == "8302"
        assert await ask("41 00") == "c101"
        # serial 2.1: another unit's request is not answered, a broadcast is done and not answered
        await line.send(rtu(pdu("06 0001 0007"), unit=UNIT + 1) + rtu(pdu("06 0002 0008"), unit=0))
        assert await ask("03 0001 0002") == "030400000008"


def test_rtu_frames_in_pieces_and_after_a_pause() -> None:
    framing = RtuFraming()
    stream = rtu(pdu("03 0000 0001")) + rtu(pdu("10 0000 0001 02 0001")) + rtu(pdu("17 0000 0001 0000 0001 02 0001"))
    got = [frame for byte in stream for frame in framing.feed(bytes([byte]), 10.0)]
    assert [frame.pdu[0] for frame in got] == [3, 16, 23]
    assert not list(framing.feed(stream[:5], 11.0))
    (frame,) = framing.feed(stream[:8], 12.0)  # the half before the pause is forgotten
    assert frame == Frame(UNIT, pdu("03 0000 0001"))
    spoiled = stream[:7] + bytes([stream[7] ^ 1])
    assert not list(framing.feed(spoiled, 12.0))  # serial 2.5.1.2: a frame with a wrong checksum is discarded
    assert [frame.pdu[0] for frame in framing.feed(stream[:8], 12.0)] == [3]
    assert not list(framing.feed(bytes([UNIT, 16, 0, 0, 0, 1, 255]), 13.0))  # longer than a frame can be
    assert [frame.pdu[0] for frame in framing.feed(stream[:8], 13.0)] == [3]


def test_out_of_step_is_told_after_the_last_right_frame() -> None:
    feed = TcpFraming().feed(adu(pdu("03 0000 0001")) + b"GET / HTTP/1.1\r\n\r\n", 0.0)
    assert next(feed).pdu == pdu("03 0000 0001")
    with pytest.raises(OutOfStep):
        next(feed)
