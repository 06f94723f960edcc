"""The loop guard: profiles that would copy a trade back to where it came from do not start; looking and closing do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorctl.bootstrap.accounts import note_roles
from mirrorctl.bootstrap.rings import check_rings, followings
from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.rings import Following
from mirrorctl.core.profile.catalogue import Home, find_home
from mirrorctl.core.store.sqlite import SqliteStore
from tests.cli.conftest import KEYS, Program, Running
from tests.cli.test_alone import port_of, requests_of

ONCE = ("run", "--once")


def keys(main: str, mirror: str) -> dict[str, str]:
    """The keys of two paper accounts, in the roles that the profiles of these tests have."""
    return dict(
        zip(KEYS, (f"paper-{main}", f"paper-{main}-secret", f"paper-{mirror}", f"paper-{mirror}-secret"), strict=True)
    )


def test_profiles_that_mirror_each_other_are_refused_with_their_names(program: Program, exchange: Running) -> None:
    """one: main → mirror; two: mirror → second; three: second → main. Only the last closes the ring."""
    roles = {"one": keys("main", "mirror"), "two": keys("mirror", "second"), "three": keys("second", "main")}
    for name, env in roles.items():
        program.write_profile(name, port_of(exchange))
        done = program(*ONCE, "-p", name, "--json", env=env)
        assert done.code == (6 if name == "three" else 0), done.out
    for command in (
        ["run"],
        ["run", "--dry-run"],
        ["sync", "--yes"],
        ["sync", "--dry-run"],
        ["trade", "open", "BTCUSDT", "long", "--qty", "0.01", "--yes"],
    ):
        done = program(*command, "-p", "three", "--json", env=roles["three"])
        assert (done.code, done.error["kind"]) == (6, "refused"), command
        assert done.error["message"].startswith('a ring: "three" copies to its mirror "mirror" (UID ')
        assert all(f'"{name}" copies to its mirror "mirror"' in done.error["message"] for name in roles)
        assert "take a mirror out of" in done.error["hint"]
    assert requests_of(exchange) == []
    assert program("audit", "-p", "three", "--json", env=roles["three"]).code == 0
    closing = program("flatten", "--yes", "--confirm", "three", "-p", "three", "--json", env=roles["three"])
    assert closing.code == 0
    assert program(*ONCE, "-p", "one", "--json", env=roles["one"]).code == 6, "by now all three pins are known"


@pytest.mark.proves("A80")
def test_one_account_in_two_roles_is_refused(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    done = program(*ONCE, "-p", "live", "--json", env=keys("main", "main"))
    assert (done.code, done.error["kind"]) == (6, "refused")
    assert "main and mirror are the same account" in done.error["message"]


# --- what is read of the others -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"MIRRORCTL_HOME": str(tmp_path)})


def ran(home: Home, name: str, pins: dict[str, int], roles: list[str] | None = None) -> None:
    """A profile ran once with these accounts."""
    path = home.store_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with SqliteStore(path) as store:
        for role, uid in pins.items():
            store.set_fact(f"uid.{role}", str(uid))
        if roles is not None:
            note_roles(store, roles)


def test_whom_other_profiles_follow_is_what_they_pinned_and_use_now(home: Home) -> None:
    ran(home, "own", {"main": 9, "x": 8})
    ran(home, "a", {"main": 1, "x": 2, "gone": 3}, ["main", "x"])
    ran(home, "b", {"main": 4, "y": 5})
    ran(home, "headless", {"y": 6})
    assert followings(home, "own") == ([Following("a", 1, {"x": 2}), Following("b", 4, {"y": 5})], {})


def test_a_mirror_taken_out_of_a_profile_ends_the_ring(home: Home) -> None:
    own = Following("own", 1, {"x": 2})
    ran(home, "other", {"main": 2, "back": 1}, ["main", "back"])
    with pytest.raises(Refused) as caught:
        check_rings(own, home)
    assert str(home.state_dir("other")) in caught.value.hint
    ran(home, "other", {}, ["main"])
    check_rings(own, home)


def test_a_store_that_cannot_be_read_is_a_warning(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    path = home.store_path("broken")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all" * 100)
    check_rings(Following("own", 1, {"x": 2}), home)
    assert "whom the profile broken follows is unknown" in caplog.text
    check_rings(Following("own", 1, {"x": 2}), find_home({"MIRRORCTL_HOME": str(path.parent / "nothing")}))
