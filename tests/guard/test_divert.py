"""The divert guard: nothing outside a critical limit, or unmeasured, may stay unmarked in a good bag."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.model import Sample, Status, Text
from linecontrol.guard.divert import Corrected, CriticalLimit, DivertGuard, GateSettings

GATE = GateSettings("XV", "ZT", "WQ", "WT", settle_s=20.0)
LIMITS = (
    CriticalLimit("moisture", "MT", 8.0, 14.0, Text("Powder moisture", "成品水分")),
    CriticalLimit("temperature", "TT", -math.inf, 60.0, Text("Product temperature", "物料温度")),
)


def look(
    moisture: float | None = 12.8,
    temp: float | None = 50.0,
    flow: float = 100.0,
    total: float | None = 0.0,
    at: int = 0,
) -> dict[str, Sample]:
    def sample(value: float | None) -> Sample:
        return Sample(value, Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE, 0.0)

    return {"MT": sample(moisture), "TT": sample(temp), "WT": sample(flow), "WQ": sample(total), "ZT": sample(at)}


def settled() -> DivertGuard:
    guard = DivertGuard(GATE, LIMITS)
    for second in range(22):
        verdict = guard.tick(second, look())
    assert verdict.position == 0
    return guard


def test_good_only_after_settling() -> None:
    guard = DivertGuard(GATE, LIMITS)
    assert [guard.tick(t, look()).position for t in (0, 10, 19, 20)] == [1, 1, 1, 0]


def test_wet_powder_turns_the_gate_at_once_and_marks_what_went_before() -> None:
    guard = settled()
    guard.tick(30, look(total=100.0))
    verdict = guard.tick(31, look(moisture=14.2, total=100.4, at=0))
    assert (verdict.position, verdict.began) == (1, True)
    assert abs(verdict.suspect_kg - 0.4) < 1e-9
    assert "above 14" in verdict.deviations["moisture"]
    # the gate still travels: what falls into the good bag meanwhile is suspect too
    assert abs(guard.tick(32, look(moisture=14.3, total=100.6, at=0)).suspect_kg - 0.2) < 1e-9
    assert guard.tick(33, look(moisture=14.3, total=100.6, at=1)).suspect_kg == 0.0
    back = [guard.tick(t, look(total=100.6, at=1)) for t in range(34, 60)]
    assert [v.ended for v in back].count(True) == 1
    assert back[-1].position == 0


def test_not_good_is_a_deviation_like_any_other() -> None:
    for sample in (look(moisture=None), look(temp=None), look(temp=60.5), look(moisture=7.0)):
        guard = settled()
        verdict = guard.tick(40, sample)
        assert (verdict.position, verdict.began) == (1, True)


def test_powder_made_while_the_scale_was_blind_is_suspect() -> None:
    guard = settled()
    guard.tick(30, look(total=100.0))
    assert guard.tick(31, look(moisture=None, temp=None, total=None)).suspect_kg == 0.0
    assert abs(guard.tick(90, look(total=103.0, at=0)).suspect_kg - 3.0) < 1e-9
    assert guard.tick(91, look(total=104.0, at=0)).suspect_kg == 0.0


def test_no_alarm_when_nothing_is_being_made() -> None:
    guard = settled()
    verdict = guard.tick(40, look(moisture=None, flow=0.0))
    assert (verdict.position, verdict.began, dict(verdict.deviations)) == (1, False, {})


def test_after_a_restart_everything_made_unseen_is_suspect() -> None:
    guard = settled()
    guard.tick(30, look(total=100.0))
    again = DivertGuard(GATE, LIMITS)
    again.restore(guard.to_dict())
    assert abs(again.tick(400, look(total=107.5, at=1)).suspect_kg - 7.5) < 1e-9


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(0, 40)),
            st.one_of(st.none(), st.floats(0, 120)),
            st.floats(0, 5),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_every_gram_that_fell_good_on_a_bad_look_is_marked(
    steps: list[tuple[float | None, float | None, float, bool]],
) -> None:
    """With the scale readable: good mass added on a look with a deviation is marked, and never more than was made."""
    guard = DivertGuard(GATE, LIMITS)
    guard.tick(0, look(total=0.0))
    total, bad_kg, suspect_kg = 0.0, 0.0, 0.0
    for second, (moisture, temp, add_kg, gate_is_good) in enumerate(steps, start=1):
        total += add_kg
        verdict = guard.tick(second, look(moisture, temp, total=total, at=0 if gate_is_good else 1))
        is_bad = moisture is None or temp is None or not 8 <= moisture <= 14 or temp > 60
        bad_kg += add_kg if is_bad else 0.0
        suspect_kg += verdict.suspect_kg
        if is_bad:
            assert verdict.position == 1
    assert suspect_kg >= bad_kg - 1e-9
    assert suspect_kg <= total + 1e-9


def corrected(value: float | None, *, accepted: bool) -> dict[str, Corrected]:
    status = Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE
    return {"MT": Corrected(Sample(value, status, 0.0), accepted)}


def test_a_correction_nobody_accepted_can_only_make_it_stricter() -> None:
    guard = settled()
    assert guard.tick(30, look(moisture=13.8), corrected(14.3, accepted=False)).position == 1
    assert "corrected for its bias = 14.30 is above 14" in guard.reasons["moisture"]
    assert settled().tick(30, look(moisture=14.2), corrected(13.7, accepted=False)).position == 1
    assert settled().tick(30, look(moisture=13.8), corrected(13.3, accepted=False)).position == 0


def test_an_accepted_correction_stands_for_the_reading() -> None:
    assert settled().tick(30, look(moisture=14.2), corrected(13.7, accepted=True)).position == 0
    assert settled().tick(30, look(moisture=13.8), corrected(14.3, accepted=True)).position == 1
    assert settled().tick(30, look(moisture=None), corrected(None, accepted=True)).position == 1


@given(st.floats(0, 40), st.floats(-3, 3))
def test_whatever_the_bias_unaccepted_is_never_laxer_than_the_reading(moisture: float, bias: float) -> None:
    plain, strict = settled(), settled()
    bare = plain.tick(30, look(moisture=moisture)).position
    with_bias = strict.tick(30, look(moisture=moisture), corrected(moisture - bias, accepted=False)).position
    assert with_bias >= bare


def test_a_doubt_from_elsewhere_is_a_deviation() -> None:
    guard = settled()
    verdict = guard.tick(30, look(total=10.0), None, {"moisture-doubt": "the meter is stuck"})
    assert (verdict.position, verdict.began) == (1, True)
    assert verdict.deviations == {"moisture-doubt": "the meter is stuck"}


def test_a_reading_in_the_guard_band_turns_the_gate_and_is_no_deviation() -> None:
    banded = [replace(LIMITS[0], band=0.3), *LIMITS[1:]]
    guard = DivertGuard(GATE, banded)
    for second in range(25):
        guard.tick(second, look())
    near = guard.tick(30, look(moisture=13.8, total=1.0))
    assert (near.position, dict(near.deviations), near.began, near.suspect_kg) == (1, {}, False, 0.0)
    assert "13.80 is above 13.7" in near.near["moisture"]
    assert guard.tick(31, look(moisture=13.5, total=1.0)).position == 1  # until it has settled
    broken = guard.tick(32, look(moisture=14.1, total=1.1))
    assert (broken.position, list(broken.deviations), list(broken.near)) == (1, ["moisture"], [])
