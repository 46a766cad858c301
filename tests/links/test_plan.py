from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_bench import tag

from linecontrol.core.errors import ConfigError
from linecontrol.links.plan import BIT_TABLES, MAX_BITS, Block, Limits, Point, check_points, plan, split

KINDS = ("bool", "int16", "uint32", "float32", "float64")


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    made = []
    for i in range(draw(st.integers(0, 40))):
        table = draw(st.sampled_from(["coil", "discrete", "holding", "input"]))
        kind = "bool" if table in BIT_TABLES else draw(st.sampled_from(KINDS))
        made.append(Point(tag(f"t{i}", kind), table, draw(st.integers(0, 5000 if table in BIT_TABLES else 300))))
    return made


LIMITS = st.builds(Limits, st.integers(4, 125), st.integers(0, 30))


def addresses(block: Block) -> set[int]:
    return {a for p in block.points for a in range(p.register, p.end)}


def holes(block: Block) -> list[int]:
    """Widths of the runs of unused addresses in a block."""
    used = sorted(addresses(block))
    return [after - before - 1 for before, after in pairwise(used) if after - before > 1]


def limits_kept(block: Block, limits: Limits) -> None:
    assert block.start == min(p.register for p in block.points)
    assert block.start + block.count == max(p.end for p in block.points)
    assert block.count <= (MAX_BITS if block.table in BIT_TABLES else limits.max_read_words)
    assert {p.table for p in block.points} == {block.table}
    assert all(width <= limits.max_gap_words for width in holes(block))


@given(points(), LIMITS)
def test_every_point_is_in_exactly_one_block_within_the_limits(given_points: list[Point], limits: Limits) -> None:
    check_points(given_points, limits)
    blocks = plan(given_points, limits)
    planned = [p.tag.name for block in blocks for p in block.points]
    assert sorted(planned) == sorted(p.tag.name for p in given_points)
    for block in blocks:
        limits_kept(block, limits)


@given(points(), LIMITS)
def test_no_two_neighbours_could_have_been_one(given_points: list[Point], limits: Limits) -> None:
    blocks = plan(given_points, limits)
    for before, after in pairwise(blocks):
        if before.table == after.table:
            first = after.points[0]
            gap = first.register - (before.start + before.count)
            most = MAX_BITS if before.table in BIT_TABLES else limits.max_read_words
            assert gap > limits.max_gap_words or first.end - before.start > most


@given(points(), LIMITS)
def test_splitting_ends_in_blocks_that_cannot_be_split_and_loses_nothing(made: list[Point], limits: Limits) -> None:
    for block in plan(made, limits):
        waiting, leaves = [block], []
        while waiting:
            part = waiting.pop()
            pieces = split(part)
            for piece in pieces:
                limits_kept(piece, limits)
            assert not holes(part) or len(pieces) == len(holes(part)) + 1
            assert not holes(part) or not any(holes(piece) for piece in pieces)
            if len(pieces) == 1:
                assert pieces == (part,)
                leaves.append(part)
            else:
                waiting.extend(pieces)
        assert sorted(p.tag.name for leaf in leaves for p in leaf.points) == sorted(p.tag.name for p in block.points)
        for i, leaf in enumerate(leaves):
            for other in leaves[i + 1 :]:
                assert not addresses(leaf) & addresses(other)


def test_gaps_are_bridged_up_to_the_limit() -> None:
    made = [Point(tag("a", "int16"), "holding", 0), Point(tag("b", "int16"), "holding", 5)]
    assert [(b.start, b.count) for b in plan(made, Limits(125, 4))] == [(0, 6)]
    assert [(b.start, b.count) for b in plan(made, Limits(125, 3))] == [(0, 1), (5, 1)]
    assert [(b.start, b.count) for b in split(plan(made, Limits(125, 4))[0])] == [(0, 1), (5, 1)]


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (Point(tag("T", "int16"), "coil", 0), "a coil holds one bool"),
        (Point(tag("T", "bool", bit=3), "discrete", 0), "a discrete holds one bool"),
        (Point(tag("T", "bool", bit=16), "holding", 0), "bit 16"),
        (Point(tag("T", "int16", bit=1), "holding", 0), "bit 1"),
        (Point(tag("T", "string"), "holding", 0), "texts are not read"),
        (Point(tag("T", "float64"), "holding", 65533), "outside 0..65535"),
        (Point(tag("T", "int16"), "holding", -1), "outside 0..65535"),
        (Point(tag("T", "float64"), "holding", 0), "4 registers exceed a block of 3"),
    ],
)
def test_points_no_request_can_read(point: Point, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check_points([point], Limits(3, 0))
