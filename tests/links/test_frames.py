from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.model import Quality
from linecontrol.links.frames import EXCEPTIONS, Verdict, crc, exception, judge_rtu, judge_tcp, read_asked, write_asked

READ = read_asked(unit=1, function=3, payload_bytes=4)
WRITE = write_asked(unit=1, function=6, echo=bytes.fromhex("00140005"))
PDU = bytes.fromhex("03 04 0001 0002")


def tcp(pdu: bytes, tid: int = 9, unit: int = 1, protocol: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">HHHB", tid, protocol, len(pdu) + 1 if length is None else length, unit) + pdu


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    frame = bytes((unit,)) + pdu
    return frame + crc(frame).to_bytes(2, "little")


def test_crc_of_the_specification() -> None:
    # Modbus over serial line 1.02, appendix B: 02 07 ends with 41 12
    assert crc(bytes.fromhex("0207")).to_bytes(2, "little") == bytes.fromhex("4112")
    assert crc(bytes.fromhex("02074112")) == 0


@pytest.mark.parametrize("cut", range(len(tcp(PDU))))
def test_tcp_waits_for_the_whole_frame(cut: int) -> None:
    assert judge_tcp(tcp(PDU)[:cut], 9, READ).verdict is Verdict.WAIT


def test_tcp_takes_the_answer_and_only_the_answer() -> None:
    frame = tcp(PDU)
    assert judge_tcp(frame, 9, READ).pdu == PDU
    assert judge_tcp(frame + b"\x01\x02", 9, READ).pdu == PDU
    late = tcp(bytes.fromhex("03 04 DEAD BEEF"), tid=8)
    judged = judge_tcp(late + frame, 9, READ)
    assert (judged.verdict, judged.pdu, judged.foreign) == (Verdict.ANSWER, PDU, 1)
    refusal = tcp(bytes((0x83, 2)))
    assert judge_tcp(refusal, 9, READ).pdu == bytes((0x83, 2))


@pytest.mark.parametrize("tid", [0, 8, 14, 65535])
def test_tcp_passes_over_other_transactions(tid: int) -> None:
    judged = judge_tcp(tcp(PDU, tid=tid), 9, READ)
    assert (judged.verdict, judged.foreign) == (Verdict.WAIT, 1)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (tcp(PDU, unit=2), "unit 2"),
        (tcp(PDU[:-2]), "4 bytes"),
        (tcp(PDU + b"\x00"), "7 bytes"),
        (tcp(bytes.fromhex("03 02 0001 0002")), "begins"),
        (tcp(bytes.fromhex("04 04 0001 0002")), "function 4"),
        (tcp(bytes.fromhex("83 02 00")), "exception answer"),
        (tcp(bytes.fromhex("84 02")), "function 132"),
    ],
)
def test_tcp_tells_a_wrong_answer(frame: bytes, reason: str) -> None:
    judged = judge_tcp(frame, 9, READ)
    assert judged.verdict is Verdict.WRONG
    assert reason in judged.reason


@pytest.mark.parametrize(
    "frame", [tcp(PDU, protocol=1), tcp(PDU, length=0), tcp(PDU, length=2), tcp(PDU, length=65535)]
)
def test_tcp_gives_up_a_stream_out_of_step(frame: bytes) -> None:
    assert judge_tcp(frame, 9, READ).verdict is Verdict.LOST


def test_a_write_must_be_confirmed_as_it_was() -> None:
    right, wrong = bytes.fromhex("0600140005"), bytes.fromhex("0600140006")
    assert judge_tcp(tcp(right), 9, WRITE).verdict is Verdict.ANSWER
    assert judge_tcp(tcp(wrong), 9, WRITE).verdict is Verdict.WRONG
    assert judge_rtu(rtu(right), WRITE).verdict is Verdict.ANSWER
    assert judge_rtu(rtu(wrong), WRITE).verdict is Verdict.WAIT


def test_rtu_takes_the_answer_through_noise_and_foreign_frames() -> None:
    frame = rtu(PDU)
    for before in (
        b"",
        b"\x00",
        b"\x01",
        b"\x01\x03",
        rtu(PDU, unit=2),
        rtu(bytes.fromhex("03 02 DEAD")),
        b"\x01\x83\x02",
    ):
        assert judge_rtu(before + frame, READ).pdu == PDU, before
    assert judge_rtu(frame + b"\xff\xff", READ).pdu == PDU
    refusal = rtu(bytes((0x83, 2)))
    assert judge_rtu(refusal, READ).pdu == bytes((0x83, 2))
    assert judge_rtu(rtu(PDU, unit=2), READ).foreign == 1


@given(st.integers(0, 8), st.integers(1, 255))
def test_rtu_takes_no_frame_with_a_flipped_byte(at: int, flip: int) -> None:
    frame = bytearray(rtu(PDU))
    frame[at] ^= flip
    assert judge_rtu(bytes(frame), READ).verdict is Verdict.WAIT


@given(st.binary(max_size=300), st.sampled_from([READ, WRITE]))
def test_any_bytes_are_judged(data: bytes, asked: object) -> None:
    judge_tcp(data, 9, asked)  # type: ignore[arg-type]
    judge_rtu(data, asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [*range(1, 12), 0, 77, 255])
def test_every_exception_code_is_a_bad_status_with_words(code: int) -> None:
    status, text = exception(code)
    assert status.quality is Quality.BAD
    assert text
    assert set(EXCEPTIONS) == {1, 2, 3, 4, 5, 6, 8, 10, 11}
