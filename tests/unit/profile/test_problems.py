"""What a profile may not say: every fault at once, with its key's path, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile import unbuilt
from mirrorctl.core.profile.load import parse_profile

HEAD = 'schema = 1\nname = "p"\nenvironment = "paper"\n'
KEYS = 'api_key_env = "KEY"\napi_secret_env = "SECRET"\n'


def problems(text: str, *, private: bool = False, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    """The problem lines of a profile; none when it loads."""
    try:
        parse_profile(text.encode(), Path("p.toml"), environ or {}, private_file=private)
    except ProfileError as error:
        assert error.exit_code == 2
        assert error.hint
        assert all(line in error.message for line in error.problems)
        return error.problems
    return ()


def paper(text: str) -> tuple[str, ...]:
    return problems(HEAD + text)


def mirror(text: str) -> tuple[str, ...]:
    return paper(f'[[mirrors]]\nname = "one"\n{text}')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[daemon]\ntick_s = "soon"', 'daemon.tick_s: found "soon"; allowed: a number above 0'),
        ("[daemon]\ntick_s = 0", "daemon.tick_s: found 0; allowed: a number above 0"),
        ("[daemon]\ntick_s = inf", "daemon.tick_s: found Infinity"),
        ("[daemon]\ntick_s = 1e3", "daemon.tick_s: found 1E+3"),
        ("[daemon]\ntick_s = true", "daemon.tick_s: found true"),
        ("[daemon]\nmax_closes_per_pass = -1", "daemon.max_closes_per_pass: found -1; allowed: a whole number, 0 or"),
        ("[daemon]\nmax_closes_per_pass = 1.5", "daemon.max_closes_per_pass: found 1.5"),
        ('[daemon]\norder_entry = "fix"', 'daemon.order_entry: found "fix"; allowed: "http" | "ws"'),
        ("daemon = 3", "daemon: found 3; allowed: a table"),
        ("mirrors = {}", "mirrors: found a table; allowed: tables, each headed [[mirrors]]"),
        ("mirrors = [1]", "mirrors[0]: found 1; allowed: a table"),
        ('category = "spot"', 'category: found "spot"; allowed: "linear"'),
        ('[main]\nmanage = "none"', 'main.manage: found "none"; allowed: "all" | "own"'),
        ('[main]\nposition_mode = "both"', 'main.position_mode: found "both"; allowed: "auto" | "hedge" | "one-way"'),
        ("[main.limits]\nmax_leverage = 0.5", "main.limits.max_leverage: found 0.5; allowed: a number, 1 or more"),
        ('[telegram]\nchat_id = "12"', 'telegram.chat_id: found "12"; allowed: a whole number'),
        ("[telegram.alerts]\nclosed = 1", "telegram.alerts.closed: found 1; allowed: true | false"),
        ("[telegram.alerts]\nfilled = true", 'telegram.alerts.filled: found "filled"; allowed: trade_opened | entry_'),
        ("[telegram]\nenabled = true", "telegram.chat_id: missing with enabled = true; allowed: the id of the chat"),
        ('[telegram]\nmute = "at night"', 'telegram.mute: found "at night"; allowed: a window that ends, such as'),
        ('[telegram]\nmute = "Mon-Sun"', 'telegram.mute: found "Mon-Sun"; allowed: a window that ends, such as'),
        ('[telegram]\napi_base = "http://192.0.2.1"', "telegram.api_base: found"),
        ('[telegram]\ntoken_env = "1:AA"', "telegram.token_env: found a value that is not shown here"),
        ("[[mirrors]]", "mirrors[0].name: missing; allowed: 1 to 32 of [a-z0-9-]"),
        ('[[mirrors]]\nname = "Mirror"', 'mirrors[0].name (mirror "Mirror"): found "Mirror"; allowed: 1 to 32 of'),
        ('[[mirrors]]\nname = "main"', '"main" is the main account'),
        ('[[mirrors]]\nname = "a"\n[[mirrors]]\nname = "a"', "already the name of mirrors[0]"),
        ("[main]\nmanag = 1", 'main.manag: found a key that does not exist; did you mean "manage"?'),
        ("[main]\nx = 1", "main.x: found a key that does not exist; known here: api_key_env"),
        ('["sp ace"]', '"sp ace": found a key that does not exist'),
        ('[mirror_defaults]\nname = "a"', "mirror_defaults.name: found a key that does not exist"),
        ("[mirror_defaults.sizing]\nvalue = -1", "mirror_defaults.sizing.value: found -1; allowed: a factor above 0"),
    ],
)
def test_a_fault_is_named(text: str, line: str) -> None:
    found = paper(text)
    assert len(found) == 1, found
    assert line in found[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[mirrors.sizing]\nvalue = 0", 'sizing.value (mirror "one"): found 0; allowed: a factor above 0'),
        ('[mirrors.sizing]\nvalue = "-50%"', 'sizing.value (mirror "one"): found "-50%"'),
        ('[mirrors.sizing]\nvalue = "half"', 'sizing.value (mirror "one"): found "half"'),
        ('[mirrors.sizing]\nvalue = "NaN"', 'sizing.value (mirror "one"): found "NaN"'),
        ("[mirrors.sizing]\nleverage_factor = 0", "sizing.leverage_factor"),
        ('[mirrors.sizing.symbols]\nbtcusdt = "1"', "sizing.symbols.btcusdt"),
        ('[mirrors.sizing.symbols]\nBTCUSDT = "0"', "sizing.symbols.BTCUSDT"),
        ("[mirrors.follow]\nmax_slippage_bps = 20000", "basis points from 0 to 10000"),
        ("[mirrors.follow]\ngrace_s = -1", "follow.grace_s"),
        ("[mirrors.limits]\nmax_position_notional = 0", "limits.max_position_notional"),
        ("[mirrors.limits]\nmax_orders_per_minute = 0", "limits.max_orders_per_minute"),
        (
            "[mirrors.limits]\nmax_drawdown_pct = 101",
            'limits.max_drawdown_pct (mirror "one"): found 101; allowed: a percentage from 0 to 100',
        ),
        ('[mirrors.limits]\nmax_drawdown_pct = "5%"', 'limits.max_drawdown_pct (mirror "one"): found "5%"'),
        (
            '[mirrors.limits]\non_breach = "stop"',
            'limits.on_breach (mirror "one"): found "stop"; allowed: "flatten" | "pause" | "warn"',
        ),
        ("[mirrors.protection]\nnaked_bound_ms = 0", "protection.naked_bound_ms"),
        ("[mirrors.protection]\nmax_stop_bps = -1", "protection.max_stop_bps"),
        ('[mirrors.protection]\nmax_stop_bps = "1%"', "protection.max_stop_bps"),
        ("[mirrors.protection]\nmax_stop_bps = 10001", "protection.max_stop_bps"),
        (
            '[mirrors.protection]\non_unprotected = "sell"',
            'on_unprotected (mirror "one"): found "sell"; allowed: "alert"',
        ),
        (
            '[mirrors.follow]\nbreakeven = "never"',
            'breakeven (mirror "one"): found "never"; allowed: "own" | "with-main"',
        ),
        ("enabled = 1", "enabled"),
        ("[mirrors.follow]\ndelay_s = -1", 'follow.delay_s (mirror "one"): found -1; allowed: seconds from 0 to 86400'),
        ("[mirrors.follow]\ndelay_s = 90000", 'follow.delay_s (mirror "one"): found 90000; allowed: seconds from 0'),
        ("[mirrors.filter]\nsides = []", 'filter.sides (mirror "one"): found []; allowed: a list of "long" | "short"'),
        ('[mirrors.filter]\nsides = ["both"]', 'filter.sides[0] (mirror "one"): found "both"; allowed: "long"'),
        ('[mirrors.filter]\nsymbols = ["btc*"]', 'filter.symbols[0] (mirror "one"): found "btc*"; allowed: a symbol'),
        (
            '[mirrors.filter]\nwindows = ["Mon-Fri 08:00-20:00", "Mon-Fri 8-20"]',
            'filter.windows[1] (mirror "one"): found "Mon-Fri 8-20"; allowed: a window such as "Mon-Fri 08:00-20:00',
        ),
    ],
)
def test_an_impossible_value_of_a_mirror_is_named(text: str, line: str) -> None:
    found = mirror(text)
    assert len(found) == 1, found
    assert line in found[0]
    assert found[0].startswith("mirrors[0].")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[mirrors.follow]\ndirection = "reverse"\napproach = "fast"', ["follow.approach", '"main" with direction']),
        ('[mirrors.follow]\ndirection = "reverse"\nbreakeven = "own"', ["follow.breakeven", '"with-main" with dir']),
        ('[mirrors.follow]\ndirection = "reverse"\ncatch_up = "wait"', ["follow.catch_up", '"market" with direct']),
        ('[mirrors.map]\nAUSDT = { symbol = "BUSDT" }\nCUSDT = { symbol = "BUSDT" }', ["map.CUSDT.symbol", "AUSDT is"]),
        ('[mirrors.map]\nAUSDT = { symbol = "BUSDT" }\nBUSDT = {}', ["map.BUSDT.symbol", "which AUSDT is mapped to"]),
        ('[mirrors.map]\nAUSDT = { multiplier = "0.5" }', ["map.AUSDT.multiplier", "for the same symbol"]),
        ('[mirrors.map]\nAUSDT = { symbol = "BUSDT", multiplier = "0" }', ["map.AUSDT.multiplier", "above 0"]),
        ('[mirrors.follow]\nhedge = "both"', ["follow.hedge", '"net"']),
    ],
)
def test_what_cannot_be_right_of_how_a_mirror_sees_main_is_refused(text: str, lines: list[str]) -> None:
    found = [line for line in mirror(text) if "not built yet" not in line]
    assert len(found) == 1, found
    assert all(line in found[0] for line in lines), found
    assert found[0].startswith("mirrors[0].")


@pytest.mark.parametrize(("filter_", "warned"), [("", True), ('[mirrors.filter]\nexclude = ["BUSDT"]\n', False)])
def test_a_symbol_that_a_map_hides_is_warned_of(filter_: str, warned: bool) -> None:
    text = HEAD + '[[mirrors]]\nname = "one"\n' + filter_ + '[mirrors.map]\nAUSDT = { symbol = "BUSDT" }'
    profile = parse_profile(text.encode(), Path("p.toml"), {}, private_file=False)
    assert ["BUSDT is not followed there" in " ".join(profile.warnings)] == [warned]


@pytest.mark.parametrize(("symbol", "warned"), [("BUSDT", True), ("AUSDT", False)])
def test_a_size_under_the_mirrors_name_of_a_mapped_symbol_is_warned_of(symbol: str, warned: bool) -> None:
    text = HEAD + '[[mirrors]]\nname = "one"\n[mirrors.map]\nAUSDT = { symbol = "BUSDT" }\n'
    text += f'[mirrors.sizing.symbols]\n{symbol} = "0.2"'
    profile = parse_profile(text.encode(), Path("p.toml"), {}, private_file=False)
    assert ["name AUSDT instead" in " ".join(profile.warnings)] == [warned]


def test_all_problems_are_reported_at_once() -> None:
    found = problems(
        """
        name = "two words"
        environment = "main"
        colour = "red"
        [main]
        manage = "some"
        [[mirrors]]
        name = "a"
        [mirrors.sizing]
        mode = "equality"
        value = "x"
        [[mirrors]]
        name = "a"
        map = 3
        """
    )
    assert {line.partition(":")[0].partition(" ")[0] for line in found} == {
        "schema",
        "name",
        "environment",
        "colour",
        "main.manage",
        "mirrors[0].sizing.mode",
        "mirrors[0].sizing.value",
        "mirrors[1].name",
        "mirrors[1].map",
    }
    assert len(found) == 9


def test_orders_over_websocket_are_refused_where_the_exchange_takes_none() -> None:
    by_socket = '[daemon]\norder_entry = "ws"\n'
    demo = HEAD.replace("paper", "demo") + by_socket + f"[main]\n{KEYS}"
    assert problems(demo) == (
        'daemon.order_entry: found "ws"; allowed: "http"; demo trading takes no orders over WebSocket',
    )
    addresses = '[endpoints]\nrest = "http://127.0.0.1:1"\nprivate_ws = "ws://127.0.0.1:1/v5/private"\n'
    assert paper(by_socket + addresses) == ('endpoints.trade_ws: missing; daemon.order_entry = "ws" needs it',)
    assert paper(by_socket + addresses + 'trade_ws = "ws://127.0.0.1:1/v5/trade"\n') == ()
    assert paper(by_socket) == ()
    for real in ("testnet", "mainnet"):
        assert problems(demo.replace('"demo"', f'"{real}"')) == ()


# Every key of the unbuilt table with a value it must refuse. A row without an example fails the test below.
REFUSED = {
    "category": '"inverse"',
    "settle_coin": '"USDC"',
}
NEUTRAL = {
    "category": '"linear"',
    "settle_coin": '"USDT"',
}
PLACES = (
    *(("", "", row) for row in unbuilt.TOP),
    *(("main.", "main.", row) for row in unbuilt.MAIN),
    *(("mirror_defaults.", "mirror_defaults.", row) for row in unbuilt.MIRROR),
    *(("mirrors", "mirrors[0].", row) for row in unbuilt.MIRROR),
)


def written(place: str, key: str, value: str) -> str:
    if place == "mirrors":
        return f'{HEAD}[[mirrors]]\nname = "one"\n{key} = {value}\n'
    return f"{HEAD}{place}{key} = {value}\n"


def test_the_table_and_its_examples_agree() -> None:
    """A row that goes because its key is built takes its example with it."""
    assert {row.path for _, _, row in PLACES} == set(REFUSED)
    assert {row.path for _, _, row in PLACES if row.neutral} == set(NEUTRAL)


@pytest.mark.proves("A83")
@pytest.mark.parametrize(("place", "path", "row"), PLACES, ids=lambda value: getattr(value, "path", value) or "top")
def test_a_key_that_is_not_built_is_refused(place: str, path: str, row: unbuilt.Unbuilt) -> None:
    found = problems(written(place, row.path, REFUSED[row.path]))
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}{row.path}")
    assert "not built yet" in found[0]
    if row.neutral:
        assert problems(written(place, row.path, NEUTRAL[row.path])) == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("entries = []", "mine.entries: found 0 entries; allowed: 1 to 10 of"),
        ('entries = ["limit", "market"]', 'mine.entries: found ["limit", "market"]; allowed: 1 to 10 of'),
        (f"entries = {['limit'] * 11}", "mine.entries: found 11 entries; allowed: 1 to 10 of"),
        ('entries = ["stop"]', 'mine.entries[0]: found "stop"; allowed: "limit" | "market"'),
        ('entries = "market"', 'mine.entries: found "market"; allowed: a list'),
        ("targets = []", "mine.targets: found 0 rungs; allowed: 1 to 10 percentages that sum to 100"),
        (f"targets = {[5] * 20}", "mine.targets: found 20 rungs; allowed: 1 to 10"),
        (
            "targets = [50, 49.9]",
            "mine.targets: found [50, 49.9], which sums to 99.9; allowed: percentages that sum to",
        ),
        ("targets = [100, 0]", "mine.targets[1]: found 0; allowed: a percentage above 0"),
        ("targets = [120, -20]", "mine.targets[0]: found 120; allowed: a percentage above 0"),
        ("targets = [33.3, 33.3, 33.3]", "which sums to 99.9"),
        ("breakeven_after = 2", "mine.breakeven_after: found 2; allowed: 0 to 1, the number of its targets (0: never)"),
        ("breakeven_after = -1", "mine.breakeven_after: found -1; allowed: a whole number"),
        ("cancel_entries_after = 3\ntargets = [50, 50]", "mine.cancel_entries_after: found 3; allowed: 0 to 2"),
        ("breakeven_margin_bps = -1", "mine.breakeven_margin_bps: found -1; allowed: basis points"),
        ("trailing = 1", "mine.trailing: found a key that does not exist; known here: entries"),
    ],
)
def test_a_fault_of_an_approach_is_named(text: str, line: str) -> None:
    found = paper(f"[approaches.mine]\n{text}")
    assert found, "it loads"
    assert all(problem.startswith("approaches.mine.") for problem in found)
    assert line in found[0]
    assert len({problem.partition(":")[0].partition("[")[0] for problem in found}) == 1, found


@pytest.mark.parametrize("name", ["main", "adopted", "followed", '"two words"', '""', "x" * 33])
def test_an_approach_has_a_name_that_nothing_else_has(name: str) -> None:
    (line,) = paper(f"[approaches.{name}]\ntargets = [100]")
    assert line.startswith("approaches.")
    assert "allowed: 1 to 32 letters" in line


def test_counts_are_checked_against_the_rungs_that_hold() -> None:
    """A built-in approach that is changed key by key keeps its other keys, and they must still fit."""
    assert paper("[approaches.conservative]\ntargets = [60, 40]\nbreakeven_after = 2") == ()
    (line,) = paper("[approaches.conservative]\nbreakeven_after = 5")
    assert (
        line
        == "approaches.conservative.breakeven_after: found 5; allowed: 0 to 4, the number of its targets (0: never)"
    )
    assert paper("[approaches.fast]\nbreakeven_after = 1\ncancel_entries_after = 1") == ()


def test_all_faults_of_all_approaches_are_reported_at_once() -> None:
    found = paper(
        '[approaches.a]\nentries = ["limit", "market"]\ntargets = [1]\nbreakeven_after = 9\n'
        '[approaches.b]\ntargets = "all"\nbreakeven_after = 2\n'
    )
    assert [line.partition(":")[0] for line in found] == [
        "approaches.b.targets",
        "approaches.a.entries",
        "approaches.a.targets",
        "approaches.a.breakeven_after",
    ]


def test_a_mirror_follows_by_an_approach_that_exists() -> None:
    assert mirror('[mirrors.follow]\napproach = "conservative"') == ()
    assert mirror('[mirrors.follow]\napproach = "mine"\n[approaches.mine]\ntargets = [60, 40]') == ()
    (line,) = mirror('[mirrors.follow]\napproach = "slow"')
    assert line == (
        'mirrors[0].follow.approach (mirror "one"): found "slow"; allowed: "main" | "fast" | "conservative"'
    )
    (line,) = paper('[mirror_defaults.follow]\napproach = "slow"\n[[mirrors]]\nname = "one"')
    assert line.startswith('mirrors[0].follow.approach (mirror "one"): found "slow"')
    assert any(
        'found "fast", and hedge = "net" follows no targets; allowed: "main"' in line
        for line in mirror('[mirrors.follow]\napproach = "fast"\nhedge = "net"')
    )


def test_a_file_for_a_newer_mirrorctl_gets_one_answer() -> None:
    found = problems('schema = 2\nenvironment = "moon"\n[future]\n')
    assert len(found) == 1
    assert "schema: found 2; allowed: 1" in found[0]
    assert "update mirrorctl" in found[0]


@pytest.mark.parametrize("raw", [b"a = ", b"\xff\xfe", b"a" * 1_000_001, b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_said(raw: bytes) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(raw, Path("p.toml"), {}, private_file=False)
    assert "p.toml" in caught.value.message
    assert caught.value.hint


# --- keys and endpoints -------------------------------------------------------------------------------------------


def live(main: str = KEYS, rest: str = "", **options: bool) -> tuple[str, ...]:
    return problems(f'schema = 1\nenvironment = "mainnet"\n[main]\n{main}{rest}', **options)  # type: ignore[arg-type]


def test_accounts_need_keys_outside_paper() -> None:
    found = live(main="", rest='[[mirrors]]\nname = "one"\napi_key_env = "K2"')
    assert [line.partition(":")[0] for line in found] == [
        "main.api_key_env",
        "main.api_secret_env",
        'mirrors[0].api_secret_env (mirror "one")',
    ]
    assert all("missing" in line for line in found)


def test_two_accounts_never_share_a_key() -> None:
    found = live(rest='[[mirrors]]\nname = "one"\napi_key_env = "KEY"\napi_secret_env = "OTHER"')
    assert found == (
        'mirrors[0].api_key_env (mirror "one"): the same as main.api_key_env; allowed: each account\'s own key',
    )
    assert len(live(main='api_key_env = "KEY"\napi_secret_env = "KEY"\n')) == 1


@pytest.mark.proves("A73")
def test_keys_in_the_file_need_a_private_file_and_are_never_shown() -> None:
    literal = 'api_key = "AbCdEf12345"\napi_secret = "SeCrEt67890"\n'
    found = live(main=literal)
    assert [line.partition(":")[0] for line in found] == ["main.api_key", "main.api_secret"]
    assert all("0600" in line for line in found)
    assert live(main=literal, private=True) == ()
    pasted = live(main='api_key_env = "AbCdEf12345"\napi_secret = 67890\napi_secrt = "SeCrEt67890"\n')
    assert len(pasted) == 3
    for line in (*found, *pasted):
        assert "AbCdEf12345" not in line
        assert "67890" not in line


def test_a_key_is_given_one_way() -> None:
    found = live(main=KEYS + 'api_key = "abc"\n', private=True)
    assert found == ("main.api_key: found beside api_key_env; allowed: one of the two",)


@pytest.mark.parametrize(
    ("key", "url", "fine"),
    [
        ("rest", "https://api.example.com", True),
        ("rest", "http://127.0.0.1:8790", True),
        ("rest", "http://localhost:8790/", True),
        ("rest", "http://[::1]:8790", True),
        ("rest", "http://api.example.com", False),
        ("rest", "http://127.0.0.1.example.com", False),
        ("rest", "http://127.0.0.1@example.com", False),
        ("rest", "https://user:word@example.com", False),
        ("rest", "ws://127.0.0.1:8790", False),
        ("rest", "127.0.0.1:8790", False),
        ("rest", "http://127.0.0.1:99999", False),
        ("private_ws", "ws://127.0.0.1:8790/v5/private", True),
        ("private_ws", "wss://stream.example.com/v5/private", True),
        ("private_ws", "ws://stream.example.com/v5/private", False),
        ("public_ws", "http://127.0.0.1", False),
    ],
)
def test_plain_connections_only_to_this_machine(key: str, url: str, fine: bool) -> None:
    other = 'private_ws = "wss://a.example"' if key == "rest" else 'rest = "https://a.example"'
    found = live(rest=f'[endpoints]\n{key} = "{url}"\n{other}')
    assert [line.partition(":")[0] for line in found] == ([] if fine else [f"endpoints.{key}"])


def test_a_url_with_a_password_is_not_repeated() -> None:
    assert "word" not in live(rest='[endpoints]\nrest = "https://user:word@example.com"')[0]


def test_paper_elsewhere_needs_both_addresses() -> None:
    found = paper('[endpoints]\nrest = "http://127.0.0.1:1"')
    assert [line.partition(":")[0] for line in found] == ["endpoints.private_ws"]


def test_a_misspelt_switch_in_the_environment_does_not_trade() -> None:
    found = problems(HEAD, environ={"ENABLE_MIRROR_TRADING": "flase"})
    assert found == ('ENABLE_MIRROR_TRADING: found "flase" in the environment; allowed: true | false',)


@pytest.mark.parametrize("name", ["locks", "", "a b", "../x"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    assert [line.partition(":")[0] for line in problems(HEAD.replace('"p"', f'"{name}"'))] == ["name"]


def test_without_a_name_the_file_s_own_must_do() -> None:
    with pytest.raises(ProfileError, match="name: missing"):
        parse_profile(b'schema = 1\nenvironment = "paper"', Path("my profile.toml"), {}, private_file=False)
