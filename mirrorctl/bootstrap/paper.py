"""The embedded paper exchange: started for a profile, and found again by commands in other processes."""

from __future__ import annotations

import contextlib
import os
import socket
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from mirrorctl.core.domain.errors import Refused, Unavailable
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.refusals import PortInUseError
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile

if TYPE_CHECKING:
    from mirrorctl.core.paper.server import PaperServer

PAPER_BALANCE = Decimal(10_000)
_CALM = Decimal("0.0001")


class PaperAddress(msgspec.Struct, frozen=True):
    """Where a running paper exchange is. `rest` is also the base of its `/paper` routes."""

    pid: int
    rest: str
    private_ws: str
    public_ws: str
    trade_ws: str


def start_paper(
    profile: Profile, home: Home, *, port: int = 0, seed: int = 1, volatility: Decimal = _CALM
) -> PaperServer:
    """Start the profile's paper exchange on loopback and publish its address. Its state is in its own file.

    `port` 0 is the port it had last, so that a daemon and other programs find it again; another where that is taken.
    """
    from mirrorctl.core.paper.server import PaperServer  # brings aiohttp, which only the process that serves needs

    path = home.paper_path(profile.name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    accounts = [_account(profile, account.name) for account in profile.accounts]
    port = port or _last_port(profile, home)
    server = PaperServer(accounts, path=path, port=port, seed=seed, volatility=volatility)
    try:
        server.start()
    except PortInUseError as error:
        raise Refused(f"port {port} is taken", "choose another with --port, or leave it out") from error
    address = PaperAddress(
        os.getpid(), server.rest_url, server.private_ws_url, server.public_ws_url, server.trade_ws_url
    )
    _address_path(profile, home).write_bytes(msgspec.json.encode(address))
    _port_path(profile, home).write_text(f"{urlsplit(address.rest).port}\n")
    return server


def stop_paper(server: PaperServer, profile: Profile, home: Home) -> None:
    """Stop it and take its address back."""
    with contextlib.suppress(FileNotFoundError):
        _address_path(profile, home).unlink()
    server.stop()


def find_paper(profile: Profile, home: Home) -> PaperAddress | None:
    """The running paper exchange of a profile; None when there is none."""
    try:
        address = msgspec.json.decode(_address_path(profile, home).read_bytes(), type=PaperAddress)
        os.kill(address.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return address


def need_paper(profile: Profile, home: Home) -> PaperAddress:
    """The running paper exchange, or an error that says how to start it."""
    address = find_paper(profile, home)
    if address is None:
        raise Unavailable(
            f"the paper exchange of profile {profile.name} is not running",
            "start `mirrorctl run` (or `mirrorctl paper serve`) in another terminal, or try `mirrorctl demo`",
        )
    return address


def clear_paper(profile: Profile, home: Home) -> None:
    """Forget the state of a paper exchange that does not run."""
    _remove_database(home.paper_path(profile.name))


def clear_store(profile: Profile, home: Home) -> None:
    """Forget what was written down about an exchange that began anew: its trades would be taken for those to come.

    The caller holds the profile's lock.
    """
    _remove_database(home.store_path(profile.name))


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".ahead"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _last_port(profile: Profile, home: Home) -> int:
    """The port it had last, if that is free; 0 otherwise."""
    try:
        port = int(_port_path(profile, home).read_text())
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
    except (OSError, ValueError, OverflowError):
        return 0
    return port


def _account(profile: Profile, name: str) -> PaperAccount:
    keys = profile.credentials(name)
    uid = 10_000_000 + crc32(f"{profile.name}/{name}".encode()) % 90_000_000
    mode = profile.policy.mode(name) or PositionMode.ONE_WAY
    return PaperAccount(name, uid, keys.api_key, keys.api_secret, balance=PAPER_BALANCE, position_mode=mode.value)


def _address_path(profile: Profile, home: Home) -> Path:
    return home.state_dir(profile.name) / "paper.json"


def _port_path(profile: Profile, home: Home) -> Path:
    return home.state_dir(profile.name) / "paper.port"
