"""`profile new` and `profile import-env`: files that are private, checked, not replaced unasked, and hold no key."""

from __future__ import annotations

import json
import os
import pty
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mirrorctl import cli
from tests.cli.conftest import Program

ENV = """\
# an old bot
export BYBIT_API_KEY="aKey111"
BYBIT_API_SECRET='aSecret111'
BYBIT_API_KEY_2=aKey222
BYBIT_API_SECRET_2=aSecret222   # of the second account
ENABLE_MIRROR_TRADING=true
DATABASE_URL=postgres://nobody
"""
KEYS = ("aKey111", "aSecret111", "aKey222", "aSecret222")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    for name in (
        "MIRRORCTL_PROFILE",
        "BYBIT_API_KEY",
        "BYBIT_API_SECRET",
        "ENABLE_MIRROR_TRADING",
        "TELEGRAM_BOT_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = cli.main(args)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    _, out, err = run(capsys, *args, "--json")
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def env_file(home: Path, text: str = ENV, mode: int = 0o600) -> str:
    path = home / ".env"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_options_write_a_profile_that_is_private_and_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(
        capsys, "profile", "new", "try", "--environment", "paper", "--mirror", "a=50%", "--mirror", "b=0.1"
    )
    path = home / "config" / "profiles" / "try.toml"
    assert (found["path"], found["next"]) == (str(path), ["mirrorctl run -p try"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [account["account"] for account in found["accounts"]] == ["main", "a", "b"]
    assert run(capsys, "profile", "check", "try")[0] == 0
    assert [each.name for each in path.parent.iterdir()] == ["try.toml"]


def test_the_next_steps_name_what_is_not_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYBIT_API_KEY", "x")
    monkeypatch.setenv("BYBIT_API_SECRET", "x")
    code, out, _ = run(capsys, "profile", "new", "live", "--environment", "mainnet", "--mirror", "copy=25%", "--use")
    assert code == 0
    assert out.splitlines()[1:] == [
        "next:",
        "  export BYBIT_API_KEY_2=…",
        "  export BYBIT_API_SECRET_2=…",
        "  mirrorctl doctor",
        "  mirrorctl run --dry-run",
        "  mirrorctl run",
    ]
    assert '"chosen": true' in run(capsys, "profile", "list", "--json")[1]


def test_a_chat_for_alerts_is_tried_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "profile", "new", "told", "--environment", "paper", "--telegram-chat", "-100123")
    assert found["next"] == [
        "export TELEGRAM_BOT_TOKEN=…",
        "mirrorctl telegram test -p told",
        "mirrorctl run -p told",
    ]


def test_a_file_that_is_there_is_not_replaced_unasked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("profile", "new", "try", "--environment", "paper")
    assert run(capsys, *args)[0] == 0
    path = home / "config" / "profiles" / "try.toml"
    before = path.read_bytes()
    code, _, err = run(capsys, *args, "--mirror", "other=1")
    assert (code, path.read_bytes()) == (6, before)
    assert "add --force" in err
    assert document(capsys, *args, "--mirror", "other=1", "--force")["replaced"] is True
    assert 'name = "other"' in path.read_text()


def test_a_dry_run_prints_the_file_and_writes_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "profile", "new", "live", "--environment", "testnet", "--dry-run")
    assert (code, 'environment = "testnet"' in out) == (0, True)
    assert not (home / "config").exists()


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["live"], "asks its questions on a terminal, and there is none"),
        (["--environment", "paper"], "a name is missing"),
        (["../x", "--environment", "paper"], 'NAME: found "../x"; allowed: 1 to 64'),
        (["locks", "--environment", "paper"], 'NAME: found "locks"'),
        (["x", "--environment", "moon"], '--environment: found "moon"; allowed: paper | testnet'),
        (["x", "--sizing", "half"], '--sizing: found "half"; allowed: proportion |'),
        (["x", "--sizing", "risk"], "--sizing risk needs the value of every mirror"),
        (["x", "--mirror", "a"], '--mirror: found "a"; allowed: such as mirror=50%'),
        (["x", "--mirror", "a=half"], '(mirror "a"): found "half"; allowed: a factor above 0'),
        (["x", "--mirror", "a=1", "--mirror", "a=1"], "already the name of mirrors[0]"),
        (["x", "--adopt", "some"], '--adopt: found "some"; allowed: new-only | all'),
        (["x", "--keys", "main=aBcSecretKey"], "--keys: found something else than ACCOUNT=KEY,SECRET"),
        (["x", "--keys", "main=aBcSecretKey,x"], "the name, not the key itself"),
        (["x", "--keys", "copy=A,B"], '--keys: there is no account "copy"'),
        (["x", "--max-leverage", "0"], 'main.limits.max_leverage: found "0"; allowed: a number, 1 or more'),
        (["x", "--environment", "testnet", "--telegram-chat", "me"], '--telegram-chat: found "me"; allowed: a whole'),
    ],
    ids=" ".join,
)
def test_wrong_options_write_nothing(
    args: list[str], expected: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "profile", "new", *args)
    assert (code, expected in err) == (2, True), err
    assert "hint:" in err or "allowed:" in err
    assert "aBcSecretKey" not in err
    assert not (home / "config").exists()


def test_an_env_file_without_an_end_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "profile", "import-env", "/dev/zero")
    assert (code, "is it a .env file?" in err) == (2, True)


def test_a_folder_that_takes_no_file_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config").write_text("a file in the way")
    for args in (["new", "x", "--environment", "paper"], ["use", "testnet"]):
        code, _, err = run(capsys, "profile", *args)
        assert (code, "cannot be written: " in err) == (2, True)


@pytest.mark.proves("A73")
@pytest.mark.parametrize("store", [False, True])
def test_import_env_prints_no_key(store: bool, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["profile", "import-env", env_file(home), "--name", "live", "--environment", "mainnet"]
    code, out, err = run(capsys, *args, *(["--store-keys"] if store else []))
    assert code == 0
    path = home / "config" / "profiles" / "live.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert [key in text for key in KEYS] == [store] * 4
    code, more, _ = run(capsys, "profile", "show", "live", "--resolved")
    assert not any(key in out + err + more for key in KEYS)
    assert ("set -a; ." in out) is not store


def test_import_env_says_where_it_trades_and_who_can_read_the_keys(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "profile", "import-env", env_file(home, mode=0o644))
    assert (found["profile"], found["environment"], found["keys_stored"]) == ("imported", "testnet", False)
    assert found["accounts"] == [{"account": "main", "enabled": True}, {"account": "mirror", "enabled": True}]
    assert any("others can read" in note for note in found["notes"])
    again = document(capsys, "profile", "import-env", env_file(home))
    assert again["error"]["exit_code"] == 6


def test_import_env_keeps_mirrors_off(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "profile", "import-env", env_file(home, ENV.replace("TRADING=true", "TRADING=false")))
    assert found["accounts"][1] == {"account": "mirror", "enabled": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "BYBIT_API_KEY: missing or empty"),
        ("BYBIT_API_KEY=aKey111\n", "BYBIT_API_SECRET: missing or empty"),
        ("aSecret111\n", "line 1: found no NAME=VALUE"),
        (ENV.replace("aKey222", "aKey111"), "BYBIT_API_KEY_2: the same as BYBIT_API_KEY"),
    ],
)
def test_a_wrong_env_file_is_named_without_its_values(
    text: str, expected: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "profile", "import-env", env_file(home, text))
    assert (code, expected in err) == (2, True), err
    assert not any(key in out + err for key in KEYS)


def test_an_env_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "profile", "import-env", "nowhere/.env")
    assert (code, "cannot be read: No such file" in err) == (2, True)


class Desk:
    """The program on a terminal of its own."""

    def __init__(self, program: Program, *args: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "mirrorctl", *args], program.environ({"TERM": "xterm"}))
        self.seen = ""

    def until(self, text: str) -> None:
        end = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            try:
                self.seen += os.read(self._fd, 65536).decode()
            except OSError:
                break
        assert text in self.seen, self.seen

    def say(self, answer: str, after: str) -> None:
        """Wait for a question, then answer it; what was seen so far is left behind."""
        self.until(after)
        self.seen = ""
        os.write(self._fd, f"{answer}\n".encode())

    def end(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._fd)
        return code


def test_the_questions_on_a_terminal(program: Program, home: Path) -> None:
    desk = Desk(program, "profile", "new")
    desk.say("", "Where does it trade")
    desk.say("first", "Name of the profile [my-paper]")
    desk.say("", "Name of mirror 1 [mirror]")
    desk.say("", "How is mirror sized")
    desk.say("25%", "Value for mirror")
    desk.say("", "Another mirror? [y/N]")
    desk.say("", "Write it? [Y/n]")
    desk.say("", "Make it the default")
    desk.until("mirrorctl run\r\n")
    assert desk.end() == 0
    assert 'value = "25%"' in (home / "config" / "profiles" / "first.toml").read_text()
    assert (home / "config" / "profile").read_text() == "first\n"
