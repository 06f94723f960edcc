"""Wrong words and broken profiles: what was wrong, where, what to do, and the right exit code (A74)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorctl import cli
from mirrorctl.commands import root, usage_hints
from tests.cli.conftest import Program


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """In this process: nothing here gets as far as a network."""
    code = cli.main(args)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.delenv("MIRRORCTL_PROFILE", raising=False)
    return tmp_path


@pytest.mark.parametrize("args", [["profile", "list", "--json"], ["profile", "list"], ["--help"]], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_bug(
    args: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w", encoding="utf-8", closefd=False) as out:
        monkeypatch.setattr(sys, "stdout", out)
        code = cli.main(args)
        monkeypatch.undo()
        assert (code, capsys.readouterr().err) == (141, "")
        with contextlib.suppress(BrokenPipeError):
            out.close()
    os.close(write_end)


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["trade", "open", "BTCUSDT"], "Missing argument"),
        (["trade", "open", "BTCUSDT", "up", "--qty", "1"], 'side: found "up"; allowed: long | short'),
        (["trade", "open", "BTCUSDT", "long"], "exactly one of --margin, --qty, --notional, --risk; found none"),
        (["trade", "open", "BTCUSDT", "long", "--qty", "1", "--margin", "5"], "found --margin and --qty"),
        (["trade", "open", "BTCUSDT", "long", "--qty", "1e3"], '--qty: found "1e3"'),
        (["trade", "open", "BTCUSDT", "long", "--qty", "-1"], '--qty: found "-1"'),
        (["trade", "open", "BTCUSDT", "long", "--margin", "101%"], '--margin: found "101%"'),
        (["trade", "open", "BTC/USDT", "long", "--qty", "1"], '"BTC/USDT" is not a symbol'),
        (["trade", "open", "BTCUSDT", "long", "--qty", "1", "--targets", "1"], "No such option: --targets"),
        (
            ["trade", "open", "BTCUSDT", "long", "--qty", "1", "--target", "1:"],
            '--target: found "1:"; allowed: PRICE or',
        ),
        (["trade", "open", "BTCUSDT", "long", "--qty", "1", "--target", "1:101"], '--target: found "1:101"'),
        (
            ["trade", "open", "BTCUSDT", "long", "--risk", "1"],
            '--risk: found "1"; allowed: a percentage above 0 and up to',
        ),
        (
            ["trade", "open", "BTCUSDT", "long", "--risk", "0%"],
            '--risk: found "0%"; allowed: a percentage above 0 and up',
        ),
        (["trade", "target", "BTCUSDT"], "Missing argument"),
        (["trade", "target", "BTCUSDT", "62000:0"], 'target: found "62000:0"'),
        (["trade", "breakeven", "BTCUSDT", "--side", "up"], '--side: found "up"'),
        (["trade", "reduce", "BTCUSDT", "0%"], 'amount: found "0%"'),
        (["positions", "--watch", "--json"], "exclude each other"),
        (["positions", "--account", "nobody"], 'no account "nobody"'),
        (["run", "--once", "--dry-run"], "exclude each other"),
        (["status", "--max-age", "soon"], '--max-age: found "soon"'),
        (["paper", "fault", "earthquake"], 'KIND: found "earthquake"; allowed: lose-reply'),
        (["paper", "reset", "-p", "testnet"], "is testnet, not paper"),
        (["demo", "-p", "testnet"], "has an exchange of its own"),
        (["-p", "papr", "orders"], 'did you mean "paper"?'),
        (["orders", "-p", ""], "--profile: found an empty name"),
        (["-p", " ", "orders"], "--profile: found an empty name"),
        (["stats", "--days", "x"], '--days: found "x"; allowed: a whole number from 1 to'),
        (["drill", "--schedules=0"], '--schedules: found "0"; allowed: a whole number, 1 or more'),
        (["trade", "reduce", "BTCUSDT", "-5"], "found -5: a number that begins with a minus"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words(args: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(args, capsys)
    assert code == 2
    assert expected in (out if "--json" in args else err)


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("positons", "did you mean `mirrorctl positions`? `mirrorctl --help` shows"),
        ("close BTCUSDT", "did you mean `mirrorctl trade close`?"),
        ("buy BTCUSDT", "did you mean `mirrorctl trade open`?"),
        ("logs", "did you mean `mirrorctl history`?"),
        ("trade opne BTCUSDT", "did you mean `mirrorctl trade open`? `mirrorctl trade --help` shows"),
        ("trade sync", "did you mean `mirrorctl sync`?"),
        ("trade BTCUSDT long", "it has: open, close, reduce"),
        ("qqq", "`mirrorctl --help` shows how it is used"),
        ("--yes sync", "options stand behind the command: mirrorctl COMMAND --yes"),
        ("trade open BTCUSDT long --stpo 1", "did you mean --stop? `mirrorctl trade open --help` shows"),
        ("positions --every", "`mirrorctl positions --help` shows how it is used"),
        ("status --max-age", "`mirrorctl status --help` shows how it is used"),
        ("trade stop BTCUSDT", "for example: mirrorctl trade stop BTCUSDT 58500; `mirrorctl trade stop --help`"),
        ("balance BTCUSDT", "for example: mirrorctl balance"),
    ],
)
def test_a_wrong_word_gets_the_one_that_was_meant(line: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(line.split(), capsys)
    assert (code, out) == (2, "")
    assert hint in err.split("hint: ")[1]


@pytest.mark.proves("A74")
def test_no_command_takes_an_option_that_it_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    for command in root.every_command():
        code, out, err = run([*command.split(), "--no-such-option"], capsys)
        assert (code, out, err[:7]) == (2, "", "error: "), command
        assert f"`mirrorctl {command} --help`" in err.split("hint: ")[1]


def test_every_word_of_another_program_leads_to_a_command() -> None:
    known = {*root.every_command(), "--help", "--version"}
    assert {meant for meant in usage_hints._SAME_THING.values() if meant not in known} == set()


@pytest.mark.parametrize(("command", "has_dry_run"), [("open", True), ("close", False)])
def test_a_hint_names_no_option_that_the_command_lacks(
    command: str, has_dry_run: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    size = ["long", "--qty", "1"] if command == "open" else []
    code, _, err = run(["trade", command, "BTCUSDT", *size, "-p", "testnet"], capsys)
    assert code == 6
    assert ("--dry-run" in err) == has_dry_run


def test_resume_of_one_symbol_does_not_hide_a_wider_pause(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pause"], capsys)[0] == 0
    code, out, _ = run(["resume", "--symbol", "ETHUSDT"], capsys)
    assert (code, "`mirrorctl resume` ends every pause" in out) == (0, True)
    assert "ended: pause of every account" in run(["resume"], capsys)[1]


def test_the_version_into_a_pipe_that_nobody_reads_leaves_no_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mirrorctl", "--version"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("line", ["profile list --json", "--version"])
def test_an_output_that_takes_nothing_leaves_no_traceback(line: str, home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mirrorctl", *line.split()],
            env={**os.environ, "MIRRORCTL_HOME": str(home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_an_error_is_one_document_with_json(capsys: pytest.CaptureFixture[str], program: Program) -> None:
    done = program("trade", "open", "BTCUSDT", "long", "--json")
    assert (done.code, done.err) == (2, "")
    assert done.error["kind"] == "usage"
    assert done.error["exit_code"] == 2
    assert set(done.error) == {"kind", "message", "hint", "exit_code"}
    assert program("trade", "opne", "--json").error["kind"] == "usage"


def test_a_broken_profile_shows_all_its_problems(home: Path, program: Program) -> None:
    path = home / "broken.toml"
    path.write_text('schema = 1\nenvironment = "moon"\n[main]\ncolour = "red"\n[[mirrors]]\nname = "MIRROR"\n')
    for command in (["profile", "check"], ["positions", "-p"]):
        done = program(*command, str(path), "--json")
        assert done.code == 2
        assert done.error["kind"] == "profile"
        assert len(done.error["problems"]) == 3
    assert "colour" in program("run", "-p", str(path)).err


def test_an_unreadable_profile(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "noise.toml"
    path.write_bytes(b"\xff\xfe\x00")
    code, _, err = run(["status", "-p", str(path)], capsys)
    assert code == 2
    assert "not UTF-8" in err


def test_a_bug_leaves_one_line_and_its_traceback_in_the_log(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = root.Entry("broken", "tables", "Look", "Not a command.", "no_such_name")
    monkeypatch.setattr(root, "ENTRIES", (broken,))
    code, out, err = run(["broken"], capsys)
    assert (code, out) == (1, "")
    assert "unexpected error: AttributeError" in err
    assert "Traceback" not in err
    assert "Traceback" in (home / "log" / "mirrorctl.log").read_text()


def test_profiles_are_listed_shown_and_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("paper", "testnet", "demo", "mainnet"):
        assert run(["profile", "check", name], capsys)[0] == 0
    assert run(["profile", "use", "testnet"], capsys)[0] == 0
    code, out, _ = run(["profile", "list"], capsys)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("*")] == ["testnet"]
    code, out, _ = run(["profile", "show", "paper", "--resolved"], capsys)
    assert code == 0
    assert "mirrors.mirror.sizing.value" in out
    assert run(["profile", "use", "nosuch"], capsys)[0] == 2
