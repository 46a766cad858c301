from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_bench import tag

from linecontrol.core.errors import ConfigError
from linecontrol.links.plan import (
    BIT_TABLES,
    LAST_ADDRESS,
    MAX_BITS,
    Block,
    Limits,
    Point,
    Run,
    Table,
    WriteRules,
    check_points,
    plan,
    split,
    write_register,
)

TABLES: tuple[Table, ...] = ("coil", "discrete", "holding", "input")
KINDS = ("bool", "int16", "uint32", "float32", "float64")


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    made = []
    for i in range(draw(st.integers(0, 40))):
        table = draw(st.sampled_from(TABLES))
        kind = "bool" if table in BIT_TABLES else draw(st.sampled_from(KINDS))
        made.append(Point(tag(f"t{i}", kind), table, draw(st.integers(0, 5000 if table in BIT_TABLES else 300))))
    return made


LIMITS = st.builds(Limits, st.integers(4, 125), st.integers(0, 30))


@st.composite
def limits_with_forbidden(draw: st.DrawFn, made: list[Point]) -> Limits:
    """Limits that forbid runs of addresses no point lies on, often right between two."""
    runs = []
    for _ in range(draw(st.integers(0, 6))):
        table = draw(st.sampled_from(TABLES))
        free = [a for p in made if p.table == table for a in (p.register - 1, p.end) if a >= 0]
        first = draw(st.sampled_from(free) if free else st.integers(0, 310))
        runs.append(Run(table, first, first + draw(st.integers(0, 3))))
    clear = tuple(run for run in runs if not any(run.touches(p.table, p.register, p.end) for p in made))
    return replace(draw(LIMITS), forbidden=clear)


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
    asked = set(range(block.start, block.start + block.count))
    for run in limits.forbidden:
        assert run.table != block.table or not asked & set(range(run.first, run.last + 1))


def fewest(made: list[Point], limits: Limits) -> int:
    """The fewest blocks there can be, by trying every cut; the slow way."""
    total = 0
    for table in TABLES:
        rows = sorted((p for p in made if p.table == table), key=lambda p: (p.register, p.end))
        best = [0]
        for last in range(1, len(rows) + 1):
            firsts = [first for first in range(last) if is_one_block(rows[first:last], limits)]
            best.append(1 + min(best[first] for first in firsts))
        total += best[-1]
    return total


def is_one_block(rows: list[Point], limits: Limits) -> bool:
    block = Block(rows[0].table, rows[0].register, max(p.end for p in rows) - rows[0].register, tuple(rows))
    try:
        limits_kept(block, limits)
    except AssertionError:
        return False
    return True


@given(points(), LIMITS)
def test_every_point_is_in_exactly_one_block_within_the_limits(given_points: list[Point], limits: Limits) -> None:
    check_points(given_points, limits)
    blocks = plan(given_points, limits)
    planned = [p.tag.name for block in blocks for p in block.points]
    assert sorted(planned) == sorted(p.tag.name for p in given_points)
    for block in blocks:
        limits_kept(block, limits)


@given(st.data(), points())
def test_forbidden_addresses_lie_in_no_block_nor_in_its_parts(data: st.DataObject, made: list[Point]) -> None:
    limits = data.draw(limits_with_forbidden(made))
    check_points(made, limits)
    blocks = plan(made, limits)
    assert sorted(p.tag.name for block in blocks for p in block.points) == sorted(p.tag.name for p in made)
    for block in blocks:
        limits_kept(block, limits)
        for piece in split(block):
            limits_kept(piece, limits)


@given(st.data(), points())
def test_no_other_cut_needs_fewer_blocks(data: st.DataObject, made: list[Point]) -> None:
    limits = data.draw(limits_with_forbidden(made))
    assert len(plan(made, limits)) == fewest(made, limits)


RUNS = st.builds(lambda first, more: Run("holding", first, first + more), st.integers(0, 300), st.integers(0, 40))


@given(
    st.integers(0, 300),
    st.sampled_from(KINDS),
    st.lists(RUNS, max_size=3),
    st.lists(RUNS, max_size=3),
    st.integers(0, LAST_ADDRESS),
)
def test_a_write_goes_where_it_may(at: int, kind: str, worn: list[Run], never: list[Run], offset: int) -> None:
    point = Point(tag("T", kind), "holding", at)
    rules = WriteRules(tuple(never), tuple(worn), offset)
    wears = any(run.first <= a <= run.last for run in worn for a in range(at, point.end))
    target = range(at, point.end) if not wears else range(at + offset, point.end + offset)
    if target[-1] > LAST_ADDRESS or any(run.first <= a <= run.last for run in never for a in target):
        with pytest.raises(ConfigError):
            write_register(point, rules)
    else:
        assert write_register(point, rules) == target[0]


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


def test_a_point_on_a_forbidden_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="holding 4 must not be touched"):
        check_points([Point(tag("T", "uint32"), "holding", 4)], Limits(forbidden=(Run("holding", 5, 9),)))
    check_points([Point(tag("T", "uint32"), "holding", 4)], Limits(forbidden=(Run("input", 0, 99),)))
