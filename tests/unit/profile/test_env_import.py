"""A `.env` file becomes a draft: what it says of accounts is taken, and no value of it is ever shown."""

from __future__ import annotations

import pytest

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile.dotenv import parse_dotenv
from mirrorctl.core.profile.env_import import Imported, drafted

TWO = {
    "BYBIT_API_KEY": "key-1",
    "BYBIT_API_SECRET": "secret-1",
    "BYBIT_API_KEY_2": "key-2",
    "BYBIT_API_SECRET_2": "secret-2",
}


def imported(more: dict[str, str] | None = None, environment: str | None = None, *, store: bool = False) -> Imported:
    return drafted({**TWO, **(more or {})}, ".env", "live", environment, "50%", store_keys=store)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b # why", "b"),
        ('A="b # c"', "b # c"),
        ("A='b' # why", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("\ufeffA=b", "b"),
        ("A=a\nA=b", "b"),
    ],
)
def test_a_line_is_read_as_a_shell_would(line: str, value: str) -> None:
    assert parse_dotenv(line, ".env")["A"] == value


def test_lines_that_cannot_be_read_are_named_by_number_alone() -> None:
    with pytest.raises(ProfileError, match=r"lines 2, 4: found no NAME=VALUE") as caught:
        parse_dotenv("A=b\nhunter2\n# fine\n1x=hunter3\n", ".env")
    assert "hunter" not in caught.value.message + caught.value.hint


def test_names_of_variables_are_taken_not_their_values() -> None:
    draft = imported({"BYBIT_API_KEY_3": "key-3", "BYBIT_API_SECRET_3": "secret-3"}).draft
    assert [(mirror.name, mirror.enabled) for mirror in draft.mirrors] == [("mirror", True), ("mirror-3", True)]
    keys = [draft.keys, *(mirror.keys for mirror in draft.mirrors)]
    assert [each.key for each in keys if each is not None] == ["BYBIT_API_KEY", "BYBIT_API_KEY_2", "BYBIT_API_KEY_3"]


def test_keys_themselves_are_taken_when_asked() -> None:
    keys = imported(store=True).draft.keys
    assert keys is not None
    assert (keys.key, keys.secret, keys.literal) == ("key-1", "secret-1", True)


@pytest.mark.parametrize(("word", "enabled"), [("true", True), ("0", False), ("False", False), ("", True)])
def test_mirroring_that_is_off_stays_off(word: str, enabled: bool) -> None:
    assert imported({"ENABLE_MIRROR_TRADING": word}).draft.mirrors[0].enabled is enabled


@pytest.mark.parametrize(
    ("said", "asked", "environment"),
    [("", None, "testnet"), ("true", None, "testnet"), ("false", None, "mainnet"), ("true", "demo", "demo")],
)
def test_real_money_only_where_somebody_said_so(said: str, asked: str | None, environment: str) -> None:
    assert imported({"USE_TESTNET": said}, asked).draft.environment == environment


def test_main_alone_is_a_profile_without_a_mirror() -> None:
    found = drafted(dict(list(TWO.items())[:2]), ".env", "live", None, "50%", store_keys=False)
    assert found.draft.mirrors == ()
    assert any("no mirror" in note for note in found.notes)


@pytest.mark.proves("A73")
def test_every_problem_at_once_and_no_value() -> None:
    wrong = {"BYBIT_API_SECRET": "", "BYBIT_API_KEY_2": "key-1", "BYBIT_API_KEY_3": "key-3"}
    with pytest.raises(ProfileError) as caught:
        imported({**wrong, "ENABLE_MIRROR_TRADING": "key-9"})
    assert caught.value.problems == (
        "BYBIT_API_SECRET: missing or empty",
        "BYBIT_API_SECRET_3: missing or empty",
        "BYBIT_API_KEY_2: the same as BYBIT_API_KEY; allowed: each account's own key",
        "ENABLE_MIRROR_TRADING: neither a yes nor a no; allowed: true | false",
    )
    assert "key-" not in caught.value.message + caught.value.hint
