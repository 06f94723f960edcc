"""Numbers and ids at the edge: on step and tick, plain on the wire, and a link id that says whose order it is."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorctl.core.domain.cycle import Copy, observed
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, parse, step_tag, trade_tag
from mirrorctl.core.domain.instruments import Instrument, plain
from mirrorctl.core.domain.values import OrderType, PositionSide, Side
from tests.unit.domain.scenes import BTC, copy_of

PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")
units = st.one_of(
    st.builds(lambda digit, scale: Decimal(digit).scaleb(scale), st.sampled_from((1, 2, 5, 25)), st.integers(-8, 2)),
    st.sampled_from([Decimal(text) for text in ("0.10", "0.001", "1E+1", "1E+2", "100", "1.0", "0.00000100")]),
)


@st.composite
def amounts(draw: st.DrawFn) -> Decimal:
    """Positive decimals of every scale and spelling, the known troublemakers among them."""
    value = draw(
        st.one_of(
            st.sampled_from([Decimal(text) for text in ("60000", "100", "0.0000123", "6E+4", "1E+2", "0.1000")]),
            st.builds(lambda digits, scale: Decimal(digits).scaleb(scale), st.integers(1, 10**12), st.integers(-10, 3)),
        )
    )
    return value.normalize() if draw(st.booleans()) else value


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    step, tick = draw(units), draw(units)
    return Instrument(
        symbol="ANY",
        tick_size=tick,
        qty_step=step,
        min_qty=step * draw(st.integers(1, 10)),
        min_notional=Decimal(5),
        max_limit_qty=step * 1_000_000,
        max_market_qty=step * 100_000,
        min_leverage=Decimal(1),
        max_leverage=draw(st.sampled_from((Decimal("12.5"), Decimal(25), Decimal(100)))),
        leverage_step=Decimal("0.01"),
    )


def is_multiple(value: Decimal, unit: Decimal) -> bool:
    return value % unit == 0


def on_the_wire(value: Decimal) -> Decimal:
    """What the exchange reads of a value: it must be plain and mean the same."""
    text = plain(value)
    assert PLAIN.fullmatch(text), text
    assert Decimal(text) == value
    return Decimal(text)


@pytest.mark.proves("A58")
@given(instruments(), amounts())
def test_a_quantity_is_a_multiple_of_the_step_and_nearest_from_its_side(rules: Instrument, qty: Decimal) -> None:
    floor, ceil = on_the_wire(rules.floor_qty(qty)), on_the_wire(rules.ceil_qty(qty))
    assert is_multiple(floor, rules.qty_step)
    assert is_multiple(ceil, rules.qty_step)
    assert qty - rules.qty_step < floor <= qty <= ceil < qty + rules.qty_step
    assert rules.floor_qty(floor) == floor == rules.ceil_qty(floor)


@pytest.mark.proves("A58")
@given(instruments(), amounts(), st.sampled_from(Side), st.integers(0, 500))
def test_a_price_is_on_the_tick_and_never_worse_than_asked(
    rules: Instrument, price: Decimal, side: Side, bps: int
) -> None:
    nearest = on_the_wire(rules.round_price(price))
    assert is_multiple(nearest, rules.tick_size)
    assert abs(nearest - price) <= rules.tick_size / 2
    exact = on_the_wire(rules.price_not_worse(price, side))
    assert is_multiple(exact, rules.tick_size)
    assert 0 <= (price - exact) * side.sign < rules.tick_size
    bound = on_the_wire(rules.bounded_price(price, side, Decimal(bps)))
    assert is_multiple(bound, rules.tick_size)
    assert bound >= rules.tick_size
    within = (bound - price) * side.sign <= price * bps / 10_000
    assert within or bound == rules.tick_size


@pytest.mark.proves("A58")
@given(instruments(), amounts(), st.sampled_from(PositionSide))
def test_a_stop_protects_no_later_than_asked(rules: Instrument, price: Decimal, side: PositionSide) -> None:
    stop = on_the_wire(rules.stop_price(price, side))
    assert is_multiple(stop, rules.tick_size)
    assert 0 <= (stop - price) * side.sign < rules.tick_size


@given(instruments(), amounts())
def test_leverage_is_on_its_step_and_within_the_contract(rules: Instrument, asked: Decimal) -> None:
    leverage = on_the_wire(rules.leverage(asked))
    assert rules.min_leverage <= leverage <= rules.max_leverage
    assert is_multiple(leverage, rules.leverage_step)
    assert leverage <= asked or leverage == rules.min_leverage
    assert rules.max_qty(OrderType.MARKET) < rules.max_qty(OrderType.LIMIT)


@pytest.mark.proves("A58")
@given(st.decimals(allow_nan=False, allow_infinity=False, places=10) | amounts())
@example(Decimal("-0.00"))
@example(Decimal("6E+4"))
def test_a_number_is_written_plainly_whatever_its_spelling(value: Decimal) -> None:
    assert on_the_wire(value) == value
    assert plain(value) == plain(value.normalize())
    assert plain(value) != "-0"


# --- the target formula -------------------------------------------------------------------------------------------

ratios = st.decimals("0.01", "10", places=4).filter(bool)


@given(instruments(), ratios, amounts(), st.none() | amounts())
def test_want_is_the_floor_of_the_smaller_of_ratio_and_cap(
    rules: Instrument, ratio: Decimal, main_size: Decimal, cap: Decimal | None
) -> None:
    copy = copy_of(ratio=str(ratio), cap=cap)
    exact = min(ratio * main_size, cap) if cap is not None else ratio * main_size
    want = copy.want(main_size, rules)
    assert is_multiple(on_the_wire(want), rules.qty_step)
    assert exact - rules.qty_step < want <= exact


sizes = st.lists(st.integers(0, 50).map(Decimal), min_size=1, max_size=12)


@pytest.mark.proves("A76")
@given(ratios, sizes, st.integers(0, 500), st.sampled_from(("", "stop", "liquidation")))
def test_what_an_own_exit_sold_is_not_wanted_again(ratio: Decimal, path: list[Decimal], left: int, out: str) -> None:
    start = path[0] + 10
    copy: Copy = copy_of(ratio=str(ratio)).after_main(start)
    had = ratio * start
    kept = min(Decimal(left), had)
    copy = copy.after_own_exit(kept, had - kept, start, out)
    highest, before = kept, start
    for size in path:
        copy = copy.after_main(size)
        highest += ratio * max(size - before, Decimal(0)) if not out else 0
        before = size
        if out or kept < had:
            assert copy.cap == highest
            assert min(copy.raw_want(size), highest) == min(copy.raw_want(size), copy.cap)
        else:
            assert copy.cap is None
    assert copy.out == out


@pytest.mark.proves("A76")
@given(ratios, st.integers(1, 50), st.integers(0, 400), st.integers(1, 400))
def test_what_a_mirror_has_not_followed_yet_is_no_part_of_what_its_target_sold(
    ratio: Decimal, main: int, behind: int, sold: int
) -> None:
    """It holds `behind` less than it should when its target sells: just what was sold is not wanted again."""
    shall = ratio * main
    have = max(shall - Decimal(behind) / 10, Decimal(0))
    gone = min(Decimal(sold) / 10, have)
    copy = copy_of(ratio=str(ratio)).after_own_exit(have - gone, gone, Decimal(main))
    assert copy.asked(Decimal(main)) == shall - gone


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_an_observed_ratio_wants_what_was_observed(have: int, main: int) -> None:
    """The ratio of a lost store comes from a division; the position it came from must be its target exactly."""
    step = Decimal("0.001")
    held, followed = have * step, main * step
    ratio, _ = observed(held, followed)
    assert BTC.floor_qty(copy_of(ratio=str(ratio)).raw_want(followed)) == held


# --- link ids -----------------------------------------------------------------------------------------------------

uids = st.integers(1, 10**12)
words = st.text(min_size=0, max_size=40)
tags = st.builds(trade_tag, uids, words, st.sampled_from(PositionSide), words)
links = st.builds(
    LinkId,
    account=uids.map(account_tag),
    trade=tags,
    role=st.sampled_from(Role),
    leg=st.integers(0, 99),
    step=st.lists(words, min_size=1, max_size=4).map(lambda parts: step_tag(*parts)),
    attempt=st.integers(0, 9_999),
)


@pytest.mark.proves("A59")
@given(links)
def test_a_link_id_fits_and_parses_back(link: LinkId) -> None:
    text = str(link)
    assert len(text) <= 36
    assert re.fullmatch(r"[a-z0-9-]+", text)
    assert parse(text) == link
    assert parse(str(link.next_attempt())) == link.next_attempt()
    assert link.next_attempt().intent == link.intent


@pytest.mark.proves("A59")
@given(st.lists(links, min_size=2, max_size=8))
def test_different_decisions_have_different_ids(found: list[LinkId]) -> None:
    assert len({str(link) for link in found}) == len(set(found))


@pytest.mark.proves("A59")
@given(st.lists(uids, min_size=2, max_size=20, unique=True))
def test_accounts_are_told_apart_by_their_uid(found: list[int]) -> None:
    assert len({account_tag(uid) for uid in found}) == len(found)


@pytest.mark.proves("A59")
@given(st.lists(st.tuples(words, words), min_size=2, max_size=10, unique=True))
@example([("ab", "c"), ("a", "bc")])
def test_parts_never_run_into_each_other(found: list[tuple[str, str]]) -> None:
    tagged = {step_tag(*parts) for parts in found if "\0" not in "".join(parts)}
    assert len(tagged) == len({parts for parts in found if "\0" not in "".join(parts)})


@pytest.mark.proves("A60")
@given(st.text(max_size=40) | links.map(lambda link: f"x{link}") | links.map(lambda link: f"{link}-1"))
def test_the_id_of_somebody_else_is_not_ours(text: str) -> None:
    assert parse(text) is None
