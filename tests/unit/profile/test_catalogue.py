"""Where things live and which profile is meant: the order of choices, lookup, and the choice that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile.catalogue import Home, default_reference, find_home, find_profile, list_profiles
from mirrorctl.core.profile.load import load_profile

MINE = 'schema = 1\nenvironment = "paper"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"MIRRORCTL_HOME": str(tmp_path)})


def add(home: Home, name: str) -> Path:
    home.profiles_dir.mkdir(parents=True, exist_ok=True)
    path = home.profiles_dir / f"{name}.toml"
    path.write_text(MINE)
    return path


def test_one_folder_holds_everything(tmp_path: Path, home: Home) -> None:
    assert home.profiles_dir == tmp_path / "config" / "profiles"
    assert home.store_path("live").parent == tmp_path / "state" / "live"
    assert home.socket_path("live").parent == home.state_dir("live")
    assert home.locks_dir == tmp_path / "state" / "locks"
    assert home.log_path("live") == tmp_path / "log" / "live.log"
    assert list(tmp_path.iterdir()) == []  # naming makes nothing


def test_without_it_the_system_s_places(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_home({}).config_dir.name == "mirrorctl"
    assert find_home({"MIRRORCTL_HOME": ""}) == find_home({})


def test_a_relative_home_does_not_move_with_the_working_folder() -> None:
    assert find_home({"MIRRORCTL_HOME": "here"}).config_dir == Path.cwd() / "here" / "config"


def test_the_order_of_choices(home: Home) -> None:
    environ = {"MIRRORCTL_PROFILE": "from-environment"}
    assert default_reference(None, {}, home) == "paper"
    home.choose("chosen")
    assert default_reference(None, {}, home) == "chosen"
    assert default_reference(None, environ, home) == "from-environment"
    assert default_reference("flag", environ, home) == "flag"
    home.choose("chosen-again")
    assert home.chosen() == "chosen-again"


def test_a_name_is_the_user_s_before_the_shipped_one(home: Home) -> None:
    shipped = find_profile("paper", home)
    assert shipped.parent.name in ("profiles", "_profiles")
    assert find_profile("paper", home) == shipped
    own = add(home, "paper")
    assert find_profile("paper", home) == own
    listed = {item.name: item for item in list_profiles(home)}
    assert not listed["paper"].shipped
    assert listed["mainnet"].shipped
    assert len(list_profiles(home)) == len(listed)


def test_a_path_is_taken_as_it_is(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.toml"
    path.write_text(MINE)
    assert find_profile(str(path), home) == path
    monkeypatch.chdir(tmp_path)
    assert find_profile("some.toml", home) == path
    assert find_profile("./some.toml", home) == path
    with pytest.raises(ProfileError, match=r"other\.toml"):
        find_profile("./other.toml", home)


def test_a_name_that_is_not_there_gets_a_hint(home: Home) -> None:
    with pytest.raises(ProfileError) as caught:
        find_profile("manet", home)
    assert 'did you mean "mainnet"?' in caught.value.hint
    with pytest.raises(ProfileError) as caught:
        find_profile("zzz", home)
    assert "paper" in caught.value.hint


def test_from_choice_to_profile(home: Home) -> None:
    add(home, "mine")
    home.choose("mine")
    assert load_profile(None, {}, home).name == "mine"
    assert load_profile("paper", {}, home).name == "paper"


def test_a_chosen_path_holds_from_every_folder(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.toml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    home.choose("some.toml")
    monkeypatch.chdir("/")
    assert load_profile(None, {}, home).name == "some"


def test_a_choice_that_cannot_be_read_is_said(home: Home) -> None:
    (home.config_dir / "profile").mkdir(parents=True)
    with pytest.raises(ProfileError, match="cannot be read"):
        home.chosen()
