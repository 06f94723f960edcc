"""Keys and secrets show nowhere: a daemon and every command run with marked keys, and all that they left is searched.

Searched are every stdout and stderr, every file of the home (logs, stores with their write-ahead logs, the paper
exchange's state, locks), every word said on the command socket and on Telegram, and the command lines of all processes.
What goes wrong goes wrong on purpose: wrong keys and tokens, refusals, silence, pages of HTML, bugs with a traceback,
all at log level debug.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mirrorctl.core.engine.command_wire import VERSION, encode, make_token, take_token
from tests import forkserver
from tests.bot_api import PERSON, BotApi
from tests.integration.stage import eventually

pytestmark = pytest.mark.timeout(180)  # one long life

LOUD = "tests.integration.loud_program"
ENVIRONMENT = {
    "MARKED_KEY": "KyMainQx7Zp2LmVt",
    "MARKED_SECRET": "ScMainWn4Rb8YhKd/+TgUe5Xa",
    "TELEGRAM_BOT_TOKEN": "110201543:TkQw3Er5TyUiOp",
}
FILED = ("KyFileJc6Mv1BnHs", "ScFileGd3Pz9LqWo=&RtYk7Ei")
WRONG = {"WRONG_KEY": "KyWrongUf5Ca8SxNt", "WRONG_SECRET": "ScWrongIm2Oj4VhQlZr6Bp0"}
WRONG_BOT = "110201543:TkGt5Wx9Qa2Mz"
BROKEN = {"BROKEN_SECRET": f"{WRONG['WRONG_SECRET']} {WRONG['WRONG_SECRET']}"}
MARKERS = (*ENVIRONMENT.values(), *FILED, *WRONG.values(), WRONG_BOT)
PROFILE = """\
schema = 1
name = "marked"
environment = "{environment}"
[endpoints]
rest = "http://127.0.0.1:{port}"
private_ws = "ws://127.0.0.1:{port}/v5/private"
public_ws = "ws://127.0.0.1:{port}/v5/public/linear"
[main]
api_key_env = "MARKED_KEY"
api_secret_env = "MARKED_SECRET"
[[mirrors]]
name = "filed"
adopt = "all"
alerts = true
api_key = "{key}"
api_secret = "{secret}"
[telegram]
enabled = true
chat_id = {chat}
allowed_chats = [{chat}]
api_base = "{bot_api}"
"""
READS = (
    "positions",
    "orders",
    "balance",
    "status",
    "monitors list",
    "monitors show BTCUSDT",
    "history",
    "history --verify",
    "explain BTCUSDT",
    "stats",
    "audit",
    "doctor",
    "sync --dry-run",
    "run --dry-run",
    "flatten --dry-run",
    "profile list",
    "profile show --resolved",
    "profile check",
    "paper fault",
)
WRITES = (
    "trade open BTCUSDT long --qty 0.1 --stop 57000 --target 63000 --dry-run",
    "trade open BTCUSDT long --qty 0.1 --stop 57000 --target 63000",
    "trade stop BTCUSDT 58000",
    "trade reduce BTCUSDT 50%",
    "trade close BTCUSDT",
    "pause --account filed",
    "resume",
    "sync --yes",
    "no-such-command",
)
FAULTS: tuple[dict[str, dict[str, Any]], ...] = (
    {
        "/v5/position/list": {"kind": "refuse"},
        "/v5/order/realtime": {"kind": "lose-reply"},
        "/v5/account/wallet-balance": {"kind": "hang", "args": {"ms": 20}},
        "/v5/user/query-api": {"kind": "ret-code", "args": {"code": 10006, "message": "Too many!", "reset_ms": 20}},
    },
    {
        "/v5/position/list": {"kind": "http-status", "args": {"status": 502}},
        "/v5/order/realtime": {"kind": "http-status", "args": {"status": 200}},
        "/v5/account/wallet-balance": {"kind": "http-status", "args": {"status": 401}},
        "/v5/user/query-api": {"kind": "ret-code", "args": {"code": 10003, "message": "API key is invalid."}},
    },
)


def shapes(marker: str) -> set[bytes]:
    """A marker as itself and as encodings would show it, and its first half: a cut text is no redaction."""
    raw = marker.encode()
    found = {raw, raw[: len(raw) // 2], raw[::-1], raw.hex().encode(), quote(marker).encode()}
    found |= {json.dumps(marker).strip('"').encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    return found


NEEDLES = {shape for marker in MARKERS for shape in shapes(marker)}


def found_in(places: dict[str, bytes]) -> list[str]:
    """The places where a marker shows in any shape."""
    return [name for name, data in places.items() if any(needle in data for needle in NEEDLES)]


@dataclass
class Life:
    """One home with marked keys, and everything that was said in it."""

    home: Path
    port: int
    chat: BotApi
    said: dict[str, bytes] = field(default_factory=dict)
    _count: int = 0

    @property
    def profile(self) -> Path:
        return self.home / "marked.toml"

    def environ(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        keys = {**ENVIRONMENT, **WRONG, **BROKEN}
        return {**kept, **keys, "MIRRORCTL_HOME": str(self.home), "MIRRORCTL_PROFILE": str(self.profile), **more}

    def start(self, *args: str, **more: str) -> forkserver.Process:
        """A loud program; what it says is part of what is searched."""
        self._count += 1
        name = f"{self._count:02} {' '.join(args)}".replace("/", "|")[:80]
        out, err = self.home / "said" / f"{name}.out", self.home / "said" / f"{name}.err"
        return forkserver.start(args, self.environ(more), out, err, LOUD)

    def run(self, *lines: str, **more: str) -> int:
        """Commands one after another in one process; the code of the last."""
        return self.start(*" ; ".join(lines).split(), **more).wait(60)

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Tell the paper exchange by hand."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), 5) as answer:
            self.said[f"exchange {path} {body}"] = answer.read()

    def other(self, name: str, *changes: tuple[str, str], mode: int = 0o600) -> str:
        """The option that names the same profile but for some words."""
        text = self.profile.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = self.profile.with_name(f"{name}.toml")
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
        return f"-p {path}"

    def talk(self, name: str, args: dict[str, Any]) -> None:
        """Say a command to the daemon as a client does, and keep every byte of the answer."""
        token = make_token()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(10)
            sock.connect(str(self.home / "state" / "marked" / "daemon.sock"))
            socket.send_fds(sock, [encode({"version": VERSION, "name": name, "args": args})], [token])
            answer = b""
            while data := sock.recv(65_536):
                answer += data
        take_token(token)
        os.close(token)
        assert answer, name
        self.said[f"socket {name}"] = answer

    def note_processes(self) -> None:
        """The command line and the thread names of every process of this machine that may be looked at."""
        for folder in Path("/proc").glob("[0-9]*"):
            for path in (folder / "cmdline", *folder.glob("task/*/comm")):
                try:
                    self.said[str(path)] = path.read_bytes()
                except OSError:
                    continue  # it has ended, or is another user's

    def note_chat(self) -> None:
        """What people read on Telegram."""
        self.said["chat"] = "\n".join(self.chat.texts()).encode()

    def note_files(self, when: str) -> None:
        """What the files hold now: a log that is written ahead goes with an orderly end."""
        self.said.update({f"{when}: {name}": data for name, data in self._files().items()})

    def _files(self) -> dict[str, bytes]:
        paths = [path for path in self.home.rglob("*") if path.is_file() and path.parent != self.home]
        found = {}
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # a file that was written aside has its own name by now
                found[str(path.relative_to(self.home))] = path.read_bytes()
        return found

    def everything(self) -> dict[str, bytes]:
        """All that was said, and every file but the profiles themselves."""
        return {**self.said, **self._files()}

    def text(self, ending: str) -> str:
        return "".join(
            data.decode(errors="replace") for name, data in self.everything().items() if name.endswith(ending)
        )


def live(life: Life) -> None:
    """From the first start to a crash."""
    exchange = life.start("paper", "serve", "--volatility", "0")
    daemon = None
    try:
        assert eventually(lambda: "ready: " in life.text("serve --volatility 0.err"))
        life.post("/paper/price", {"symbol": "BTCUSDT", "price": "60000"})
        log = (life.home / "said" / "daemon.err").open("wb")
        with log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", LOUD, "run"],
                env=life.environ({"LOUD_BUG": "sign,decide", "LOUD_AFTER": "9"}),
                cwd=forkserver.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        assert eventually(lambda: "\nready" in life.text("daemon.err")), life.text("daemon.err")
        beside_a_daemon(life)
        life.note_processes()
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait(5)
        life.note_files("killed")
        without_one(life)
    finally:
        if daemon is not None and daemon.poll() is None:
            daemon.kill()
            daemon.wait(5)
        exchange.terminate()
        exchange.wait(5)
    life.note_chat()
    refused(life)


def beside_a_daemon(life: Life) -> None:
    for kind, value in (("junk", f"<a href=/bot{life.chat.token}/sendMessage>"), ("down", None), ("flood", 1)):
        for method in ("sendMessage", "getUpdates"):
            life.chat.fail(kind, method=method, value=value)
    life.chat.says(PERSON, "/stats")
    plainly = ("positions", "status", "doctor", "profile show --resolved")
    life.run(*(f"{line} --json" for line in (*WRITES[:2], *READS)), *plainly, *WRITES[2:4])
    for name in ("status", "preview", "monitors", "no-such-command"):
        life.talk(name, {})
    for fault in ({"kind": "ret-code", "args": {"code": 110007, "message": "ab"}}, {"kind": "lose-reply"}):
        life.post("/paper/fault", {"target": "/v5/order/create", "count": 1, **fault})
    life.run(*(f"{line} --json" for line in WRITES[4:]))


def without_one(life: Life) -> None:
    """What goes wrong where commands read by themselves: faults, a bug, wrong keys of every kind."""
    life.chat.heal()
    life.run("status --max-age 1 --alert --json", "status --max-age 1 --alert", "telegram test --json")
    life.run("telegram test", TELEGRAM_BOT_TOKEN=WRONG_BOT)
    life.run("telegram test", TELEGRAM_BOT_TOKEN=f"bot{WRONG_BOT} ")
    for faults in FAULTS:
        for target, fault in faults.items():
            life.post("/paper/fault", {"target": target, "count": None, **fault})
        life.run("positions", "orders", "balance --json", "doctor")
        life.post("/paper/fault/clear", {})
    key, secret = ('"MARKED_KEY"', '"WRONG_KEY"'), ('"MARKED_SECRET"', '"WRONG_SECRET"')
    wrong = [life.other("key", key), life.other("secret", secret), life.other("cut", (secret[0], '"BROKEN_SECRET"'))]
    life.run(
        "positions",
        *(f"{command} {profile}" for profile in wrong for command in ("positions --json", "doctor")),
        f"run --once {wrong[1]}",
        "run --once",
        LOUD_BUG="sign",
    )


def refused(life: Life) -> None:
    """Nothing listens any more; a real exchange without its keys; broken and open profiles, pasted keys."""
    life.run(f"telegram test {life.other('nowhere', (life.chat.url, f'http://127.0.0.1:{life.port}'))}")
    real = life.other("real", ('"paper"', '"testnet"'), ('"MARKED_KEY"', '"NO_KEY"'))
    life.run(
        "positions",
        "run --once --json",
        f"positions {real}",
        f"trade close BTCUSDT {real}",
        *(
            f"profile check --json {profile}"
            for profile in (
                life.other("typo", ("api_key =", "api_kye =")),
                life.other("pasted", ('"MARKED_KEY"', f'"{FILED[0]}"')),
                life.other("odd", ('api_key = "', 'api_key = "ü ')),
            )
        ),
        f"status {life.other('open', mode=0o644)}",
    )


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    with socket.create_server(("127.0.0.1", 0)) as free, BotApi(spacing_s=0) as chat:
        chat.token = ENVIRONMENT["TELEGRAM_BOT_TOKEN"]
        found = Life(tmp_path_factory.mktemp("marked"), free.getsockname()[1], chat)
        free.close()
        (found.home / "said").mkdir()
        keys = {"key": FILED[0], "secret": FILED[1], "bot_api": chat.url, "chat": PERSON}
        found.profile.touch(mode=0o600)
        found.profile.write_text(PROFILE.format(environment="paper", port=found.port, **keys))
        live(found)
    return found


@pytest.mark.proves("A73")
def test_no_key_and_no_secret_shows_anywhere(life: Life) -> None:
    """One test: two workers that share the tests of a life between them would live it twice."""
    assert found_in(life.everything()) == []
    search_sees_what_there_is(life)
    what_is_written_is_for_its_owner_alone(life)


def search_sees_what_there_is(life: Life) -> None:
    """Every place is there, and what was to go wrong went wrong: else nothing was proven."""
    places = life.everything()
    assert {"log/marked.log", "log/mirrorctl.log", "state/marked/store.sqlite", "socket status"} <= set(places)
    assert {"killed: state/marked/store.sqlite-wal", "killed: state/marked/paper.sqlite-wal"} <= set(places)
    log, err, out = life.text("marked.log"), life.text(".err"), life.text(".out")
    assert log.count("Traceback") >= 2, "a read and a round of decisions"
    assert "Traceback" in life.text("mirrorctl.log"), "a command"
    assert " DEBUG " in log
    assert "origin_string[" in err + out
    assert "***" in err + out
    for words in (
        "API key is invalid",
        "the keys of main hold characters",
        "the keys of main are not set",
        "cannot be read",
        "a bug to order",
        "in a file that others can read",
        "a key that does not exist",
        "Telegram does not know this bot",
        "the bot's token is not one",
        "no connection to Telegram",
    ):
        assert words in err + out, words
    assert '"exit_code": 4' in out
    assert all(words in places["chat"] for words in (b"BTCUSDT", b"the daemon does not run", b"This is a test"))
    planted = {"a log": f"x{MARKERS[0]}y".encode(), "half": MARKERS[3].encode()[:9], "fine": b"nothing"}
    assert found_in(planted) == ["a log", "half"]


def what_is_written_is_for_its_owner_alone(life: Life) -> None:
    """The umask was 022, as most have it."""
    roots = [life.home / "state", life.home / "log"]
    paths = [*roots, *(path for root in roots for path in root.rglob("*"))]
    assert len(paths) > 8
    open_to_others = [str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert open_to_others == []
