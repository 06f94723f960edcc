"""What a profile means: values, defaults, merging, keys, and where each resolved value came from."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.approach import CONSERVATIVE, FAST, Approach
from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.domain.policy import Adopt, Breakeven, Follow, Limits, Manage, OnUnprotected, SizingMode
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.profile.catalogue import shipped_dir
from mirrorctl.core.profile.load import parse_profile, read_profile
from mirrorctl.core.profile.model import Environment, Profile

# Every key of the contract that is accepted, at the value its page shows.
WHOLE = """
schema = 1
name = "live"
environment = "mainnet"
category = "linear"
settle_coin = "USDT"

[endpoints]
rest = "http://127.0.0.1:8790"
private_ws = "ws://127.0.0.1:8790/v5/private"
trade_ws = "ws://127.0.0.1:8790/v5/trade"
public_ws = "ws://127.0.0.1:8790/v5/public/linear"

[main]
api_key_env = "BYBIT_API_KEY"
api_secret_env = "BYBIT_API_SECRET"
position_mode = "auto"
manage = "own"

[mirror_defaults]

[[mirrors]]
name = "mirror"
api_key_env = "BYBIT_API_KEY_2"
api_secret_env = "BYBIT_API_SECRET_2"
enabled = true
position_mode = "auto"
adopt = "new-only"
alerts = false

[mirrors.sizing]
mode = "proportion"
value = "0.5"
below_minimum = "skip"
leverage_factor = "1"
[mirrors.sizing.symbols]
DOGEUSDT = "0.25"

[mirrors.filter]
symbols = []
exclude = []
sides = ["long", "short"]
windows = []
close_only = false
[mirrors.map]

[mirrors.follow]
direction = "same"
hedge = "refuse"
delay_s = 0
approach = "main"
breakeven = "with-main"
catch_up = "market"
grace_s = 5
max_age_s = 60
max_slippage_bps = 50
max_exit_slippage_bps = 300
exit_deadline_s = 10
manual_edit = "restore"
foreign = "park"

[mirrors.protection]
naked_bound_ms = 2000
on_unprotected = "alert"

[mirrors.limits]
max_leverage = 20
max_position_notional = "50000"
max_total_notional = "200000"
max_drawdown_pct = 0
max_orders_per_minute = 120
on_breach = "pause"

[approaches.conservative]
entries = ["market", "limit", "limit"]
targets = [85, 5, 5, 5]
breakeven_after = 1
breakeven_margin_bps = 2
cancel_entries_after = 1

[daemon]
relist_s = 20
tick_s = 1
order_entry = "http"
max_closes_per_pass = 3

[telegram]
enabled = false
token_env = "TELEGRAM_BOT_TOKEN"
chat_id = 0
allowed_chats = []
mute = ""
api_base = "https://api.telegram.org"
[telegram.alerts]
"""
SMALL = 'schema = 1\nenvironment = "paper"\n'


def load(text: str, environ: dict[str, str] | None = None) -> Profile:
    return parse_profile(text.encode(), Path("live.toml"), {} if environ is None else environ, private_file=True)


def resolved(profile: Profile) -> dict[str, tuple[Any, str]]:
    return {row.key: (row.value, row.source) for row in profile.resolved()}


def test_the_whole_file_loads() -> None:
    profile = load(WHOLE)
    assert (profile.name, profile.environment, profile.real) == ("live", Environment.MAINNET, True)
    assert profile.endpoints.trade_ws == "ws://127.0.0.1:8790/v5/trade"
    (mirror,) = profile.policy.mirrors
    assert mirror.sizing.mode is SizingMode.PROPORTION
    assert mirror.sizing.value_for("DOGEUSDT") == Decimal("0.25")
    assert mirror.sizing.value_for("BTCUSDT") == Decimal("0.5")
    assert profile.warnings == ()


def test_what_is_left_out_has_the_values_the_whole_file_shows() -> None:
    lean = load(
        'schema = 1\nname = "live"\nenvironment = "mainnet"\n[main]\napi_key_env = "A"\napi_secret_env = "B"\n'
        '[[mirrors]]\nname = "mirror"\napi_key_env = "C"\napi_secret_env = "D"\n[mirrors.sizing]\nvalue = "0.5"\n'
        'symbols.DOGEUSDT = "0.25"'
    )
    assert lean.policy == load(WHOLE).policy
    assert lean.policy.main_limits == Limits()
    assert lean.policy.mirrors[0].follow == Follow()


@pytest.mark.parametrize("name", ["paper", "testnet", "demo", "mainnet"])
def test_the_shipped_profiles_pass(name: str) -> None:
    profile = read_profile(shipped_dir() / f"{name}.toml", {})
    assert (profile.name, profile.environment) == (name, Environment(name))
    assert profile.policy.mirrors
    assert profile.warnings == ()


def test_the_paper_profile_has_two_mirrors_at_half_and_a_quarter() -> None:
    profile = read_profile(shipped_dir() / "paper.toml", {})
    assert [(m.name, m.sizing.value, m.adopt) for m in profile.policy.mirrors] == [
        ("mirror", Decimal("0.5"), Adopt.ALL),
        ("second", Decimal("0.25"), Adopt.ALL),
    ]
    assert profile.embedded_paper
    assert not profile.real


@pytest.mark.parametrize("written", ['"50%"', '"0.5"', "0.5", '"50 %"', '"0.50"'])
def test_a_proportion_in_all_its_spellings(written: str) -> None:
    profile = load(f'{SMALL}[[mirrors]]\nname = "a"\nsizing.value = {written}')
    assert profile.policy.mirrors[0].sizing.value == Decimal("0.5")


def test_a_toml_float_is_taken_by_its_digits() -> None:
    profile = load(f'{SMALL}[[mirrors]]\nname = "a"\nsizing.value = 0.1000000000000001')
    assert str(profile.policy.mirrors[0].sizing.value) == "0.1000000000000001"


def test_no_mirrors_is_a_profile() -> None:
    assert load(SMALL).policy.mirrors == ()


def test_the_name_is_the_file_s_when_it_has_none() -> None:
    assert load(SMALL).name == "live"


def test_adopt_follows_the_environment_unless_said() -> None:
    text = '[mirror_defaults]\nadopt = "new-only"\n[[mirrors]]\nname = "a"\n[[mirrors]]\nname = "b"\nadopt = "all"\n'
    assert [mirror.adopt for mirror in load(SMALL + text).policy.mirrors] == [Adopt.NEW_ONLY, Adopt.ALL]


def test_mirror_defaults_are_merged_key_by_key() -> None:
    profile = load(
        SMALL
        + """
        [mirror_defaults]
        enabled = false
        [mirror_defaults.sizing]
        value = "25%"
        leverage_factor = "0.5"
        symbols = { BTCUSDT = "0.1", ETHUSDT = "0.2" }
        [mirror_defaults.follow]
        grace_s = 9
        [[mirrors]]
        name = "a"
        [[mirrors]]
        name = "b"
        enabled = true
        [mirrors.sizing]
        value = "75%"
        symbols = { ETHUSDT = "0.3" }
        """
    )
    a, b = profile.policy.mirrors
    assert (a.enabled, b.enabled) == (False, True)
    assert (a.sizing.value, b.sizing.value) == (Decimal("0.25"), Decimal("0.75"))
    assert a.sizing.leverage_factor == b.sizing.leverage_factor == Decimal("0.5")
    assert b.sizing.symbols == {"BTCUSDT": Decimal("0.1"), "ETHUSDT": Decimal("0.3")}
    assert a.follow.grace_s == b.follow.grace_s == 9
    rows = resolved(profile)
    assert rows["mirrors.a.sizing.value"] == (Decimal("0.25"), "mirror_defaults")
    assert rows["mirrors.b.sizing.value"] == (Decimal("0.75"), "file")
    assert rows["mirrors.b.sizing.symbols.BTCUSDT"] == (Decimal("0.1"), "mirror_defaults")
    assert rows["mirrors.b.sizing.symbols.ETHUSDT"] == (Decimal("0.3"), "file")
    assert rows["mirrors.a.follow.max_age_s"] == (Decimal(60), "default")


def test_resolved_holds_every_key_of_the_file() -> None:
    """A key that is read and not shown would be a key nobody can check."""
    keys = set(resolved(load(WHOLE)))
    section = ""
    for line in WHOLE.splitlines():
        if head := re.fullmatch(r"\[+([a-z_.]+)\]+", line):
            section = head[1].replace("mirrors", "mirrors.mirror") + "."
        elif key := re.match(r"(\w+) =", line):
            assert section + key[1] in keys


@pytest.mark.parametrize(
    ("word", "mirroring"),
    [("false", False), ("FALSE", False), ("0", False), ("no", False), ("Off", False), ("true", True), ("", True)],
)
def test_the_switch_for_all_mirrors(word: str, mirroring: bool) -> None:
    assert load(SMALL, {"ENABLE_MIRROR_TRADING": word}).policy.mirroring is mirroring
    assert load(SMALL).policy.mirroring is True


def test_what_is_protected_and_how() -> None:
    """The keys of the protective policy reach the engine's policy; each has the contract's default."""
    policy = load(
        SMALL
        + """
        [main]
        manage = "all"
        [mirror_defaults]
        follow.breakeven = "own"
        [[mirrors]]
        name = "a"
        protection.on_unprotected = "close"
        [[mirrors]]
        name = "b"
        follow.breakeven = "with-main"
        """
    ).policy
    assert policy.manage is Manage.ALL
    assert [(m.breakeven, m.on_unprotected) for m in policy.mirrors] == [
        (Breakeven.OWN, OnUnprotected.CLOSE),
        (Breakeven.WITH_MAIN, OnUnprotected.ALERT),
    ]
    plain = load(f'{SMALL}[[mirrors]]\nname = "a"').policy
    assert plain.manage is Manage.OWN
    assert plain.mirrors[0].breakeven is Breakeven.WITH_MAIN
    assert plain.mirrors[0].on_unprotected is OnUnprotected.ALERT


# --- approaches ---------------------------------------------------------------------------------------------------


def test_everyone_has_the_built_in_approaches() -> None:
    assert load(SMALL).policy.approaches == {"fast": FAST, "conservative": CONSERVATIVE}


def test_a_built_in_approach_is_changed_key_by_key() -> None:
    approaches = load(
        f'{SMALL}[approaches.conservative]\ntargets = [70, "20", 10.0]\nbreakeven_after = 2'
    ).policy.approaches
    assert approaches["conservative"] == replace(
        CONSERVATIVE, targets=(Decimal(70), Decimal(20), Decimal(10)), breakeven_after=2
    )
    assert approaches["fast"] == FAST


def test_an_approach_of_one_s_own_leaves_the_rest_as_in_fast() -> None:
    profile = load(f'{SMALL}[approaches.swing_2]\nentries = ["limit", "limit"]\ntargets = [33.3, 33.3, 33.4]')
    swing = profile.policy.approaches["swing_2"]
    assert swing == Approach("swing_2", ("limit", "limit"), (Decimal("33.3"), Decimal("33.3"), Decimal("33.4")))
    rows = resolved(profile)
    assert rows["approaches.swing_2.entries"] == (("limit", "limit"), "file")
    assert rows["approaches.swing_2.breakeven_after"] == (0, "default")
    assert rows["approaches.conservative.targets"] == ((85, 5, 5, 5), "default")


def test_position_modes() -> None:
    profile = load(SMALL + '[main]\nposition_mode = "hedge"\n[[mirrors]]\nname = "a"\nposition_mode = "one-way"')
    assert [account.position_mode for account in profile.accounts] == [PositionMode.HEDGE, PositionMode.ONE_WAY]
    assert load(SMALL).main.position_mode is None


def test_a_factor_that_looks_like_a_percentage_gets_a_word() -> None:
    (warning,) = load(f'{SMALL}[[mirrors]]\nname = "a"\nsizing.value = 50').warnings
    assert '"50%"' in warning


def test_half_an_endpoint_gets_a_word() -> None:
    text = WHOLE.replace('private_ws = "ws://127.0.0.1:8790/v5/private"', "")
    (warning,) = load(text).warnings
    assert "rest and private_ws" in warning


# --- keys ---------------------------------------------------------------------------------------------------------


def test_keys_are_read_late_and_never_shown() -> None:
    environ: dict[str, str] = {}
    profile = load(WHOLE, environ)
    environ |= {"BYBIT_API_KEY": "the-key", "BYBIT_API_SECRET": " the-secret\n"}
    keys = profile.credentials("main")
    assert (keys.api_key, keys.api_secret) == ("the-key", "the-secret")
    for text in (repr(keys), str(keys), repr(profile), repr(profile.resolved())):
        assert "the-key" not in text
        assert "the-secret" not in text


def test_keys_in_the_file_are_used_and_never_shown() -> None:
    text = WHOLE.replace('api_key_env = "BYBIT_API_KEY"\napi_secret_env = "BYBIT_API_SECRET"', "").replace(
        "[main]", '[main]\napi_key = "the-key"\napi_secret = "the-secret"'
    )
    profile = load(text)
    assert profile.credentials("main").api_secret == "the-secret"
    assert resolved(profile)["main.api_secret"] == ("***", "file")
    assert "the-secret" not in repr(profile) + repr(profile.accounts) + repr(profile.resolved())


def test_missing_keys_name_their_variables() -> None:
    with pytest.raises(ProfileError, match=r"the keys of mirror .*BYBIT_API_SECRET_2") as caught:
        load(WHOLE, {"BYBIT_API_KEY_2": "x"}).credentials("mirror")
    assert "BYBIT_API_KEY_2" not in caught.value.message
    assert caught.value.exit_code == 2


def test_the_missing_keys_of_every_account_are_named_at_once() -> None:
    with pytest.raises(ProfileError) as caught:
        load(WHOLE, {"BYBIT_API_KEY_2": "x"}).credentials_of(["main", "mirror"])
    names = re.findall(r"BYBIT_\w+", caught.value.message)
    assert names == ["BYBIT_API_KEY", "BYBIT_API_SECRET", "BYBIT_API_SECRET_2"]


@pytest.mark.proves("A73", "A74")
@pytest.mark.parametrize("pasted", ["the key", "the\nkey", "the-key…", "the-k\u00e9y", "the\x00key"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(pasted: str) -> None:
    environ = {"BYBIT_API_KEY": pasted, "BYBIT_API_SECRET": "fine"}
    with pytest.raises(ProfileError) as caught:
        load(WHOLE, environ).credentials("main")
    assert caught.value.message == "the keys of main hold characters that no key has: BYBIT_API_KEY"
    assert "copy them again" in caught.value.hint


def test_paper_needs_no_keys() -> None:
    keys = load(SMALL).credentials("main")
    assert (keys.api_key, keys.api_secret) == ("paper-main", "paper-main-secret")


def test_real_keys_never_reach_the_embedded_paper_exchange() -> None:
    named = SMALL + '[main]\napi_key_env = "K"\napi_secret_env = "S"\n'
    environ = {"K": "real", "S": "real-too"}
    assert load(named, environ).credentials("main").api_key == "paper-main"
    elsewhere = named + '[endpoints]\nrest = "http://127.0.0.1:1"\nprivate_ws = "ws://127.0.0.1:1"\n'
    assert load(elsewhere, environ).credentials("main").api_key == "real"
    assert load(elsewhere).credentials("main").api_key == "paper-main"


def test_an_account_that_is_not_in_the_profile() -> None:
    with pytest.raises(KeyError):
        load(SMALL).credentials("nobody")


def test_the_mode_of_the_file_decides_about_keys_in_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\nenvironment = "testnet"\n[main]\napi_key = "k1"\napi_secret = "s1"\n')
    path.chmod(0o640)
    with pytest.raises(ProfileError, match="0600"):
        read_profile(path, {})
    path.chmod(0o600)
    assert read_profile(path, {}).credentials("main").api_key == "k1"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        read_profile(tmp_path, {})


def test_alerts_go_where_the_profile_says() -> None:
    text = f"""{SMALL}
        mirror_defaults = {{ alerts = true }}
        mirrors = [{{ name = "loud" }}, {{ name = "quiet", alerts = false }}]
        [telegram]
        enabled = true
        chat_id = -1001
        mute = "22:00-07:00 Europe/Berlin"
        [telegram.alerts]
        entry_filled = false
        closed = true
    """
    profile = load(text, {"TELEGRAM_BOT_TOKEN": " 1:hidden "})
    settings = profile.telegram
    assert (settings.chat_id, settings.mirrors, settings.mute) == (-1001, ("loud",), "22:00-07:00 Europe/Berlin")
    assert settings.alerts == {AlertType.ENTRY_FILLED: False, AlertType.CLOSED: True}
    assert profile.telegram_token() == "1:hidden"
    assert "hidden" not in repr(profile) + repr(profile.resolved())
    assert profile.warnings == ()
    silent = load(text.replace("enabled = true", "enabled = false"))
    assert silent.telegram_token() == ""
    assert [line.partition(":")[0] for line in silent.warnings] == ["telegram", "mirrors[0].alerts"]
