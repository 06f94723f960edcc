"""Every key a profile may hold, with its type and default: the contract's "Profile (TOML)", table by table.

Nothing here is required by type, so that a file with problems still becomes a value and every rule can look at it;
what must be there carries `required` in its kind. `None` means "not set". Which keys are not built yet is `unbuilt`'s.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

from mirrorctl.core.profile.kinds import (
    AlertWord,
    ApproachName,
    AtLeastOne,
    BasisPoints,
    ChatId,
    Coin,
    Count,
    CountFromOne,
    Factor,
    Glob,
    HttpUrl,
    MuteWindow,
    Name,
    NotNegative,
    Percent,
    Positive,
    ProfileName,
    Schema,
    SecondsOfADay,
    Secret,
    Share,
    SocketUrl,
    Symbol,
    Text,
    Variable,
    WeekWindow,
)

ModeWord = Literal["auto", "one-way", "hedge"]
SideWord = Literal["long", "short"]


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    """A TOML table; unknown keys are refused."""


class EndpointsTable(Table):
    rest: HttpUrl | None = None
    private_ws: SocketUrl | None = None
    trade_ws: SocketUrl | None = None
    public_ws: SocketUrl | None = None


class LimitsTable(Table):
    max_leverage: AtLeastOne = Decimal(20)
    max_position_notional: Positive = Decimal(50_000)
    max_total_notional: Positive = Decimal(200_000)
    max_open_positions: CountFromOne = 20
    max_daily_loss: Positive | None = None
    max_drawdown_pct: Percent = Decimal(0)
    max_orders_per_minute: CountFromOne = 120
    on_breach: Literal["warn", "pause", "flatten"] = "pause"


class SizingTable(Table):
    mode: Literal["proportion", "equity", "same-margin-percent", "fixed-notional", "fixed-qty", "risk"] = "proportion"
    value: Factor = Decimal(1)
    below_minimum: Literal["skip", "round-up", "accumulate"] = "skip"
    leverage_factor: Factor = Decimal(1)
    symbols: dict[Symbol, Factor] = {}


class FilterTable(Table):
    symbols: list[Glob] = []
    exclude: list[Glob] = []
    sides: list[SideWord] = field(default_factory=lambda: ["long", "short"])
    windows: list[WeekWindow] = []
    close_only: bool = False


class MappedSymbol(Table):
    symbol: Symbol | None = None
    multiplier: Positive = Decimal(1)


class FollowTable(Table):
    direction: Literal["same", "reverse"] = "same"
    hedge: Literal["refuse", "net", "long-only", "short-only"] = "refuse"
    delay_s: SecondsOfADay = Decimal(0)
    approach: Text = "main"
    breakeven: Literal["with-main", "own"] = "with-main"
    catch_up: Literal["market", "limit", "wait"] = "market"
    grace_s: NotNegative = Decimal(5)
    max_age_s: Positive = Decimal(60)
    max_slippage_bps: BasisPoints = Decimal(50)
    max_exit_slippage_bps: BasisPoints = Decimal(300)
    exit_deadline_s: NotNegative = Decimal(10)
    manual_edit: Literal["restore", "respect"] = "restore"
    foreign: Literal["park", "adopt"] = "park"


class ProtectionTable(Table):
    naked_bound_ms: CountFromOne = 2000
    on_unprotected: Literal["alert", "close"] = "alert"
    max_stop_bps: BasisPoints = Decimal(0)


class MainTable(Table):
    api_key_env: Variable | None = None
    api_secret_env: Variable | None = None
    api_key: Secret | None = None
    api_secret: Secret | None = None
    position_mode: ModeWord = "auto"
    manage: Literal["own", "all"] = "own"
    limits: LimitsTable = field(default_factory=LimitsTable)


class MirrorDefaultsTable(Table):
    """What `[mirror_defaults]` may set; each mirror overrides key by key. `adopt` None: by the environment."""

    enabled: bool = True
    position_mode: ModeWord = "auto"
    adopt: Literal["new-only", "all"] | None = None
    alerts: bool = False
    sizing: SizingTable = field(default_factory=SizingTable)
    filter: FilterTable = field(default_factory=FilterTable)
    map: dict[Symbol, MappedSymbol] = {}
    follow: FollowTable = field(default_factory=FollowTable)
    protection: ProtectionTable = field(default_factory=ProtectionTable)
    limits: LimitsTable = field(default_factory=LimitsTable)


class MirrorTable(MirrorDefaultsTable):
    name: Name = ""
    api_key_env: Variable | None = None
    api_secret_env: Variable | None = None
    api_key: Secret | None = None
    api_secret: Secret | None = None


KeysTable = MainTable | MirrorTable


class ApproachTable(Table):
    """What the profile says of one approach. None: as in the built-in one of that name, else as in `fast`."""

    entries: list[Literal["market", "limit"]] | None = None
    targets: list[Share] | None = None
    breakeven_after: Count | None = None
    breakeven_margin_bps: BasisPoints | None = None
    cancel_entries_after: Count | None = None


class DaemonTable(Table):
    relist_s: Positive = Decimal(20)
    tick_s: Positive = Decimal(1)
    order_entry: Literal["http", "ws"] = "http"
    max_closes_per_pass: Count = 3


class TelegramTable(Table):
    enabled: bool = False
    token_env: Variable = "TELEGRAM_BOT_TOKEN"
    chat_id: ChatId = 0
    allowed_chats: list[ChatId] = []
    mute: MuteWindow = ""
    api_base: HttpUrl = "https://api.telegram.org"
    alerts: dict[AlertWord, bool] = {}


class ProfileFile(Table):
    """One profile as written, `[mirror_defaults]` already merged into the mirrors."""

    schema: Schema = 0
    name: ProfileName | None = None
    environment: Literal["paper", "testnet", "demo", "mainnet"] | None = None
    category: Text = "linear"
    settle_coin: Coin = "USDT"
    endpoints: EndpointsTable = field(default_factory=EndpointsTable)
    main: MainTable = field(default_factory=MainTable)
    mirror_defaults: MirrorDefaultsTable = field(default_factory=MirrorDefaultsTable)
    mirrors: list[MirrorTable] = []
    approaches: dict[ApproachName, ApproachTable] = {}
    daemon: DaemonTable = field(default_factory=DaemonTable)
    telegram: TelegramTable = field(default_factory=TelegramTable)
