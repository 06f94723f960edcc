"""Sizing values in a profile: each in the unit of its mode, refused with their path where they cannot be meant."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.policy import SizingMode
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.profile.model import Profile
from tests.unit.profile.test_problems import HEAD, problems


def profile(sizing: str) -> Profile:
    text = f'{HEAD}[[mirrors]]\nname = "one"\n[mirrors.sizing]\n{sizing}\n'
    return parse_profile(text.encode(), Path("p.toml"), {}, private_file=False)


@pytest.mark.parametrize("mode", SizingMode)
def test_every_mode_loads_with_a_value_of_its_unit(mode: SizingMode) -> None:
    made = profile(f'mode = "{mode}"\nvalue = "0.5"\n[mirrors.sizing.symbols]\nDOGEUSDT = "0.25"')
    sizing = made.policy.mirrors[0].sizing
    assert (sizing.mode, sizing.value, sizing.value_for("DOGEUSDT")) == (mode, Decimal("0.5"), Decimal("0.25"))
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("sizing", "key", "text"),
    [
        ('mode = "risk"\nvalue = "101"', "value", 'found "101" for mode risk; allowed: percent'),
        ('mode = "risk"\nvalue = "1%"', "value", 'found "1%" for mode risk; allowed: percent'),
        ('mode = "fixed-qty"\nvalue = "50%"', "value", 'found "50%" for mode fixed-qty; allowed: base coin'),
        ('mode = "fixed-notional"\nvalue = "50%"', "value", 'found "50%" for mode fixed-notional; allowed: USDT'),
        ('mode = "fixed-notional"', "value", "missing; allowed: USDT"),
        ('mode = "fixed-qty"', "value", "missing; allowed: base coin"),
        (
            'mode = "risk"\nvalue = "1"\n[mirrors.sizing.symbols]\nDOGEUSDT = "200"',
            "symbols.DOGEUSDT",
            'found "200" for mode risk',
        ),
        ('mode = "equity"\nvalue = "0"', "value", 'found "0"; allowed: a factor above 0'),
    ],
)
def test_an_impossible_value_is_refused_with_its_path(sizing: str, key: str, text: str) -> None:
    found = problems(f'{HEAD}[[mirrors]]\nname = "one"\n[mirrors.sizing]\n{sizing}\n')
    assert len(found) == 1, found
    assert found[0].startswith(f'mirrors[0].sizing.{key} (mirror "one"): {text}')


def test_what_stands_in_the_defaults_is_refused_there_and_once() -> None:
    defaults = '[mirror_defaults.sizing]\nmode = "risk"\nvalue = "150"\n'
    found = problems(f'{HEAD}{defaults}[[mirrors]]\nname = "a"\n[[mirrors]]\nname = "b"\n')
    assert [line.partition(":")[0] for line in found] == ["mirror_defaults.sizing.value"]


@pytest.mark.parametrize("mode", ["fixed-notional", "fixed-qty", "risk"])
def test_a_factor_of_the_defaults_is_no_quantity_of_a_mirror_with_another_mode(mode: str) -> None:
    defaults = '[mirror_defaults.sizing]\nvalue = "0.5"\n[mirror_defaults.sizing.symbols]\nETHUSDT = "0.25"\n'
    found = problems(f'{HEAD}{defaults}[[mirrors]]\nname = "a"\n[mirrors.sizing]\nmode = "{mode}"\n')
    assert [line.split(" (")[0] for line in found] == ["mirrors[0].sizing.value", "mirrors[0].sizing.symbols.ETHUSDT"]
    assert all("is for mode proportion" in line for line in found)
    text = f'{HEAD}{defaults}[[mirrors]]\nname = "a"\n[mirrors.sizing]\nmode = "equity"\n'
    made = parse_profile(text.encode(), Path("p.toml"), {}, private_file=False)
    assert made.policy.mirrors[0].sizing.value == Decimal("0.5"), "a factor too"


def test_only_a_factor_is_warned_of_for_its_size() -> None:
    assert profile('mode = "fixed-notional"\nvalue = "500"').warnings == ()
    assert "times the computed ratio" in profile('mode = "equity"\nvalue = "50"').warnings[0]
