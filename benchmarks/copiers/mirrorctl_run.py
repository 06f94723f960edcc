"""mirrorctl with everything on: the runtime of `mirrorctl run`, real streams and writers, a store on disk.

Two things differ from a daemon at Bybit: the exchange says that this account may ask as often as it likes, and the
budget of the address, which would spread a hundred orders over a second, is widened likewise.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from benchmarks.copiers.arguments import Arguments, arguments
from benchmarks.copiers.profiler import recorded
from mirrorctl.bootstrap.runtime import Runtime
from mirrorctl.commands.signals import stopping_on_signals
from mirrorctl.core.bybit.address import shared_address
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.load import read_profile

_MUCH = 1_000_000
_HEAD = """
schema = 1
name = "bench"
environment = "paper"

[endpoints]
rest = "{rest}"
private_ws = "{private}"
public_ws = "{private}"
trade_ws = "{trade}"

[daemon]
order_entry = "{entry}"

[mirror_defaults]
adopt = "all"

[mirror_defaults.limits]
max_leverage = 20
max_position_notional = "900000000"
max_total_notional = "9000000000"
max_open_positions = 500
max_orders_per_minute = 900000
"""
_MIRROR = """
[[mirrors]]
name = "{name}"
[mirrors.sizing]
value = "1"
"""


def main() -> None:
    """Follow until SIGTERM."""
    given = arguments()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    address = shared_address(given.rest)
    address.burst, address.per_s = _MUCH, _MUCH
    with tempfile.TemporaryDirectory() as folder:
        run(given, Path(folder))


def run(given: Arguments, folder: Path) -> None:
    """Write the profile into `folder`, and follow it until SIGTERM."""
    path = folder / "bench.toml"
    path.write_text(_text(given))
    with recorded(given):
        _follow(path, Home(folder, folder, folder))


def _follow(profile: Path, home: Home) -> None:
    runtime = Runtime(read_profile(profile, {}), home, "run")
    with stopping_on_signals(runtime.loop.stop) as signals, runtime:
        signals.loop_runs = True
        runtime.serve_commands()
        runtime.loop.run(runtime.engine)


def _text(given: Arguments) -> str:
    head = _HEAD.format(rest=given.rest, private=given.private, trade=given.trade, entry=given.entry)
    return head + "".join(_MIRROR.format(name=name) for name in given.names)


if __name__ == "__main__":
    main()
