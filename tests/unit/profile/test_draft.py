"""A profile that is written the first time passes its own check, says what was meant, and holds no key unasked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.domain.policy import Adopt, SizingMode
from mirrorctl.core.profile.draft import (
    VALUES,
    Draft,
    DraftLimits,
    DraftMirror,
    DraftTelegram,
    Keys,
    default_keys,
    default_limits,
    written,
)
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.profile.model import Profile

ENVIRONMENTS = ("paper", "testnet", "demo", "mainnet")
MIRRORS = (DraftMirror("copy", "proportion", "50%"), DraftMirror("small", "risk", "1"))


def read(draft: Draft, private: bool = True) -> Profile:
    return parse_profile(written(draft).encode(), Path(f"{draft.name}.toml"), {}, private_file=private)


def draft(environment: str, mirrors: tuple[DraftMirror, ...] = MIRRORS) -> Draft:
    return Draft(
        name="live",
        environment=environment,
        mirrors=tuple(
            DraftMirror(each.name, each.mode, each.value, default_keys(environment, index))
            for index, each in enumerate(mirrors, start=1)
        ),
        keys=default_keys(environment, 0),
        limits=default_limits(environment),
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_written_passes_its_check(environment: str) -> None:
    found = read(draft(environment), private=False)
    assert found.warnings == ()
    assert (found.name, found.environment) == ("live", environment)
    assert [account.name for account in found.accounts] == ["main", "copy", "small"]
    sizes = [(mirror.sizing.mode, mirror.sizing.value) for mirror in found.policy.mirrors]
    assert sizes == [(SizingMode.PROPORTION, Decimal("0.5")), (SizingMode.RISK, Decimal(1))]


def test_limits_hold_for_every_account() -> None:
    limits = DraftLimits(max_leverage="3", max_daily_loss="250")
    found = read(Draft("live", "paper", MIRRORS, limits=limits))
    for held in (found.policy.main_limits, *(mirror.limits for mirror in found.policy.mirrors)):
        assert (held.max_leverage, held.max_daily_loss) == (Decimal(3), Decimal(250))


def test_a_demo_account_has_variables_of_its_own() -> None:
    assert default_keys("demo", 0) == Keys("BYBIT_DEMO_KEY", "BYBIT_DEMO_SECRET")
    assert default_keys("mainnet", 2) == Keys("BYBIT_API_KEY_3", "BYBIT_API_SECRET_3")
    assert default_keys("paper", 1) is None


def test_a_mirror_that_is_off_and_a_word_about_what_main_holds() -> None:
    mirror = DraftMirror("copy", "equity", "1", enabled=False)
    found = read(Draft("live", "paper", (mirror,), adopt="new-only"))
    assert not found.account("copy").enabled
    assert found.policy.mirrors[0].adopt is Adopt.NEW_ONLY


def test_telegram_names_the_variable_of_its_token() -> None:
    found = read(Draft("live", "paper", MIRRORS, telegram=DraftTelegram("BOT", -100123)))
    assert (found.telegram.enabled, found.telegram.token_env, found.telegram.chat_id) == (True, "BOT", -100123)


def test_keys_themselves_stand_only_in_a_private_file() -> None:
    keys = Keys("a-key", 'with "quotes" and \\', literal=True)
    found = Draft("live", "mainnet", (), keys=Keys("a-key", 'sec"ret\\', literal=True))
    assert "a-key" not in repr(keys)
    assert read(found).credentials("main").api_secret == 'sec"ret\\'
    with pytest.raises(ProfileError, match="a file that others can read"):
        read(found, private=False)


def test_every_sizing_mode_has_words_for_its_value() -> None:
    assert set(VALUES) == {mode.value for mode in SizingMode}
