"""A drill's ground: whatever a policy follows, it gets to follow; and a drill says so where it does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.policy import Policy
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.simulation.drill import Drill, Verdict
from mirrorctl.core.simulation.ground import Ground, ground_of, rehearsal_of

HEAD = 'schema = 1\nname = "odd"\nenvironment = "paper"\n'


def policy(*bodies: str, head: str = "") -> Policy:
    """One mirror (m0, m1, …) for each body."""
    mirrors = "".join(f'[[mirrors]]\nname = "m{number}"\n{body}\n' for number, body in enumerate(bodies))
    return parse_profile((HEAD + head + mirrors).encode(), Path("odd.toml"), {}, private_file=True).policy


SIZED = '[mirrors.sizing]\nvalue = "{}"'
ONLY = '[mirrors.filter]\nsymbols = ["{}"]'
MAPPED = '[mirrors.map]\n{} = {{ symbol = "{}", multiplier = "{}" }}'


def test_a_plain_policy_is_played_on_the_plain_ground() -> None:
    found, plain = ground_of(policy(SIZED.format("0.5"))), Ground()
    assert (found.symbols, found.smallest, found.largest) == (plain.symbols, plain.smallest, plain.largest)
    assert found.contracts == plain.contracts


@pytest.mark.parametrize(
    ("bodies", "symbols"),
    [
        ([ONLY.format("SOLUSDT")], ("SOLUSDT", "BTCUSDT")),
        ([ONLY.format("SUIUSDT")], ("SUIUSDT", "BTCUSDT")),
        ([ONLY.format("DOGE*")], ("DOGEUSDT", "BTCUSDT")),
        ([ONLY.format("SOLUSDT"), ONLY.format("XRPUSDT"), ""], ("SOLUSDT", "XRPUSDT")),
        (["enabled = false"], ("BTCUSDT", "ETHUSDT")),
        ([], ("BTCUSDT", "ETHUSDT")),
    ],
)
def test_main_trades_what_is_followed(bodies: list[str], symbols: tuple[str, ...]) -> None:
    assert rehearsal_of(policy(*bodies)).ground.symbols == symbols


@pytest.mark.parametrize(
    ("bodies", "least", "most"),
    [
        ([SIZED.format("0.001")], 240_000, 240_000),  # four orders of 0.001 BTC
        ([SIZED.format("50")], 250, 250),  # a quarter of 50,000 / 50
        ([SIZED.format("0.5") + '\n[mirrors.limits]\nmax_position_notional = "500"'], 120, 1_000),
        ([SIZED.format("0.001"), SIZED.format("0.5"), SIZED.format("0.4")], 600, 25_000),  # most mirrors count
        (['[mirrors.sizing]\nmode = "fixed-notional"\nvalue = "200"'], 4_800, 4_800),
    ],
)
def test_main_s_orders_suit_minimum_and_limits(bodies: list[str], least: int, most: int) -> None:
    found = ground_of(policy(*bodies))
    assert least <= found.largest <= most
    assert found.smallest == max(found.largest // 16, 1)


def test_balances_bear_what_is_copied_and_keep_ratios_of_equity() -> None:
    large = ground_of(policy(SIZED.format("0.001"), '[mirrors.sizing]\nmode = "equity"\nvalue = "2"'))
    assert large.balances["m1"] == large.balances["main"] >= Decimal(25 * large.largest)
    assert (
        ground_of(policy(SIZED.format("3"))).balances["m0"] >= 3 * ground_of(policy(SIZED.format("3"))).balances["main"]
    )
    risk = ground_of(policy('[mirrors.sizing]\nmode = "risk"\nvalue = "2"'))
    assert risk.balances["m0"] == Decimal(25_000), "2% of it lost 1% away from the entry are a position of 50,000"
    fixed = ground_of(policy('[mirrors.sizing]\nmode = "fixed-qty"\nvalue = "10"'))
    assert fixed.balances["m0"] >= Decimal(600_000)


@pytest.mark.parametrize(
    ("mapped", "start", "step"),
    [
        (MAPPED.format("PEPEUSDT", "1000PEPEUSDT", "0.001"), "0.0000123", "100000"),
        (MAPPED.format("BTCUSDT", "MBTCUSDT", "1000"), "60000", "0.001"),
        (MAPPED.format("FOOUSDT", "10FOOUSDT", "0.1"), "150", "0.1"),
    ],
)
def test_contracts_that_a_map_names_are_there_in_the_same_measure(mapped: str, start: str, step: str) -> None:
    played = policy(mapped)
    contracts = {each.symbol: each for each in ground_of(played).contracts}
    [(source, to)] = played.mirrors[0].map.items()
    main, mirror = contracts[source], contracts[to.symbol]
    assert (main.start_price, main.step) == (Decimal(start), Decimal(step))
    assert mirror.start_price == main.start_price / to.multiplier
    assert main.start_price % main.tick == mirror.start_price % mirror.tick == 0
    assert len({each.symbol_id for each in contracts.values()}) == len(contracts)


def test_what_cannot_be_played_is_named() -> None:
    windows = '[mirrors.filter]\nwindows = ["Mon-Fri 08:00-20:00 UTC"]'
    whole = policy(windows, 'position_mode = "hedge"', "enabled = false", head='[main]\nposition_mode = "hedge"\n')
    found = rehearsal_of(replace(whole, mirroring=False))
    assert found.changed == (
        "main: played in one-way mode",
        "m0: filter.windows are taken as open",
        "m1: played in one-way mode",
        "m2: not in use, left out",
    )
    assert [mirror.name for mirror in found.policy.mirrors] == ["m0", "m1"]
    assert found.policy.mirroring
    assert rehearsal_of(policy("")).changed == ()


@pytest.mark.parametrize(
    "body",
    [
        SIZED.format("0.001"),
        ONLY.format("SUIUSDT"),
        MAPPED.format("PEPEUSDT", "1000PEPEUSDT", "0.001"),
    ],
)
def test_odd_policies_are_followed(body: str) -> None:
    drill = Drill(rehearsal_of(policy(body)), seed=1)
    while drill.card.verdict is Verdict.NOT_TESTED and drill.card.schedules < 3:
        drill.advance()
    assert drill.card.followed["m0"], drill.card.held
