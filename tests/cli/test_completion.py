"""What a shell offers at TAB: commands, options, profiles, accounts, approaches and symbols, without a network."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from mirrorctl import cli
from mirrorctl.core.store.sqlite import SqliteStore
from mirrorctl.core.store.symbols import symbols_seen

PROFILE = """\
schema = 1
name = "live"
environment = "mainnet"
[main]
api_key_env = "A"
api_secret_env = "B"
[[mirrors]]
name = "copy"
api_key_env = "C"
api_secret_env = "D"
[mirrors.sizing.symbols]
XMRUSDT = "0.1"
[approaches.scalp]
targets = [100]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.delenv("MIRRORCTL_PROFILE", raising=False)
    folder = tmp_path / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "live.toml").write_text(PROFILE)
    return tmp_path


def offered(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash is told for a line whose last word is being typed."""
    words = f"mirrorctl {line}".split(" ")
    monkeypatch.setenv("_MIRRORCTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert cli.main([]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pos", ["positions"]),
        ("trade ca", ["cancel"]),
        ("trade open BTCUSDT long --m", ["--margin", "--mirror"]),
        ("trade open BTCUSDT s", ["short"]),
        ("trade open BT", ["BTCUSDT"]),
        ("trade open BTCUSDT long --approach ", ["fast", "conservative"]),
        ("-p live trade open BTCUSDT long --approach s", ["scalp"]),
        ("trade open BTCUSDT long -p live --mirror ", ["copy"]),
        ("positions --account ", ["main", "mirror", "second"]),
        ("positions -p live --account ", ["main", "copy"]),
        ("positions -p nowhere --account ", ["main"]),
        ("positions -p l", ["live"]),
        ("profile show li", ["live"]),
        ("profile new x --environment te", ["testnet"]),
        ("-p live history --symbol ", ["XMRUSDT"]),
        ("paper fault hid", ["hide"]),
    ],
)
def test_what_is_offered(
    line: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(line, monkeypatch, capsys) == expected


def test_a_profile_that_cannot_be_read_offers_nothing_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config" / "profiles" / "live.toml").write_bytes(b"\xff[mirrors")
    assert offered("positions -p live --account ", monkeypatch, capsys) == ["main"]
    assert offered("trade close -p live ", monkeypatch, capsys) == ["BTCUSDT", "ETHUSDT"]


def test_symbols_of_a_store_that_is_old_missing_or_none(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    assert symbols_seen(path) == ()
    with SqliteStore(path):
        pass
    assert symbols_seen(path) == ()
    path.write_text("no database")
    assert symbols_seen(path) == ()


def test_it_is_quick_and_loads_no_client(home: Path) -> None:
    """A key that waits is not pressed twice; CPU time, for the machine may be busy."""
    script = (
        "import sys, time; from mirrorctl.cli import main; main([]); sys.stdout.flush();"
        "print([name for name in ('pybit', 'aiohttp', 'requests') if name in sys.modules], time.process_time())"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            "MIRRORCTL_HOME": str(home),
            "_MIRRORCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": "mirrorctl trade open BTCUSDT long --approach s -p live",
            "COMP_CWORD": "6",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.monotonic() - began < 20
    loaded, _, seconds = done.stdout.splitlines()[-1].rpartition(" ")
    assert loaded == "[]"
    assert float(seconds) < 0.6


def test_a_shell_that_is_not_recognised_is_an_error_of_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise import_module("shellingham").ShellDetectionFailure

    monkeypatch.setattr("shellingham.detect_shell", fail)
    assert cli.main(["--show-completion"]) == 2
    assert "run it inside bash, zsh, fish or PowerShell" in capsys.readouterr().err
