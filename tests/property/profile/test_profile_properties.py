"""Whatever a profile file holds, it loads or is refused with named problems; and what it says is what holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile.kinds import read_factor
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.profile.resolve import merged

WORDS = """
schema name environment endpoints main mirrors mirror_defaults sizing follow limits value mode symbols map telegram
alerts approaches conservative targets entries daemon tick_s rest enabled BTCUSDT api_key position_mode x
"""
KEYS = st.sampled_from([*WORDS.split(), "two words", "line\nbreak"])
LEAVES = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text('aZ0-_ .%\n\t"é', max_size=12),
    st.sampled_from(["paper", "mainnet", "50%", "0.5", "hedge", "all", "main", "http://127.0.0.1:1"]),
    st.dates(),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4), max_leaves=12
)


@given(st.dictionaries(KEYS, VALUES, max_size=8), st.booleans(), st.booleans())
def test_any_tree_loads_or_is_refused_with_reasons(tree: dict[str, Any], head: bool, private: bool) -> None:
    whole = {"schema": 1, "environment": "paper", **tree} if head else tree
    try:
        profile = parse_profile(tomli_w.dumps(whole).encode(), Path("p.toml"), {}, private_file=private)
    except ProfileError as error:
        assert error.problems
        assert len(set(error.problems)) == len(error.problems)
        assert "\n" not in "".join(error.problems)
    else:
        assert profile.accounts[0].name == "main"
        assert len({row.key for row in profile.resolved()}) == len(profile.resolved())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_never_crash(raw: bytes) -> None:
    try:
        parse_profile(raw, Path("p.toml"), {}, private_file=False)
    except ProfileError as error:
        assert error.message


@given(st.decimals(min_value="0.000001", max_value="1000000", places=6))
def test_a_factor_and_its_percentage_are_the_same(factor: Decimal) -> None:
    plain, percent = format(factor, "f"), format(factor * 100, "f")
    assert read_factor(plain) == read_factor(f"{percent}%") == factor


SHARES = st.lists(st.integers(1, 100), min_size=1, max_size=12)


@given(SHARES, st.integers(0, 12), st.integers(0, 12))
def test_an_approach_that_loads_is_a_whole_ladder(shares: list[int], breakeven: int, cancel: int) -> None:
    """Targets that sum to 100 and counts within them, or a refusal: nothing in between."""
    text = f"targets = {shares}\nbreakeven_after = {breakeven}\ncancel_entries_after = {cancel}"
    fits = sum(shares) == 100 and len(shares) <= 10 and max(breakeven, cancel) <= len(shares)
    try:
        profile = parse_profile(
            f'schema = 1\nenvironment = "paper"\n[approaches.own]\n{text}'.encode(),
            Path("p.toml"),
            {},
            private_file=False,
        )
    except ProfileError as error:
        assert not fits
        assert all(line.startswith("approaches.own.") for line in error.problems)
    else:
        assert fits
        own = profile.policy.approaches["own"]
        assert (own.targets, own.breakeven_after, own.cancel_entries_after) == (
            tuple(map(Decimal, shares)),
            breakeven,
            cancel,
        )


@given(st.integers(1, 10), st.randoms(use_true_random=False))
def test_any_whole_ladder_loads(rungs: int, random: Random) -> None:
    cuts = sorted(random.sample(range(1, 1000), rungs - 1))
    shares = [Decimal(b - a) / 10 for a, b in zip([0, *cuts], [*cuts, 1000], strict=True)]
    text = f"[approaches.own]\ntargets = [{', '.join(map(str, shares))}]"
    raw = f'schema = 1\nenvironment = "paper"\n{text}'.encode()
    assert parse_profile(raw, Path("p.toml"), {}, private_file=False).policy.approaches["own"].targets == tuple(shares)


TREES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(KEYS, st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda below: st.dictionaries(KEYS, st.integers() | below, max_size=3),
    max_leaves=6,
)


@given(TREES, TREES)
def test_what_a_mirror_says_wins_and_the_rest_is_the_default(defaults: dict[str, Any], own: dict[str, Any]) -> None:
    def check(result: dict[str, Any], default: dict[str, Any], said: dict[str, Any]) -> None:
        assert set(result) == set(default) | set(said)
        for key, value in result.items():
            if key not in said:
                assert value == default[key]
            elif isinstance(said[key], dict) and isinstance(default.get(key), dict):
                check(value, default[key], said[key])
            else:
                assert value == said[key]

    check(merged(defaults, own), defaults, own)
