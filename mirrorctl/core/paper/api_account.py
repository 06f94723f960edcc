"""Account and key endpoints (docs v5/account, v5/user)."""

from datetime import UTC, datetime
from typing import Any

from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.margin import wallet_row
from mirrorctl.core.paper.paging import day_window, newest
from mirrorctl.core.paper.params import instrument, linear, text
from mirrorctl.core.paper.refusals import bad
from mirrorctl.core.paper.rows import transfer_row, transfer_type

Result = dict[str, Any]


def wallet_balance(call: Call) -> Result:
    """The unified account; only USDT is ever held."""
    if text(call.params, "accountType") != "UNIFIED":
        raise bad("accountType only support UNIFIED.")
    row = wallet_row(call.state, call.account.uid)
    if coins := text(call.params, "coin"):
        wanted = coins.split(",")
        row["coin"] = [coin for coin in row["coin"] if coin["coin"] in wanted]
    return {"list": [row]}


def info(call: Call) -> Result:
    """A UTA 2.0 account in cross margin."""
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": str(call.account.created_ms),
        "unifiedMarginStatus": 5,
        "dcpStatus": "OFF",
        "timeWindow": 10,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def fee_rate(call: Call) -> Result:
    """Maker and taker rates of one symbol or of all."""
    linear(call.params)
    symbols = list(call.state.instruments)
    if text(call.params, "symbol"):
        symbols = [instrument(call.state.instruments, call.params).symbol]
    taker, maker = format(call.account.taker_rate, "f"), format(call.account.maker_rate, "f")
    return {"list": [{"symbol": s, "takerFeeRate": taker, "makerFeeRate": maker} for s in symbols]}


def transaction_log(call: Call) -> Result:
    """Transfers, newest first; trades and settlements are in execution/list (docs v5/account/transaction-log)."""
    wanted, currency = text(call.params, "type"), text(call.params, "currency")
    start, end = day_window(call.params, call.floor.now)
    rows = [
        row
        for row in call.state.history[call.account.uid].transfers
        if start <= row.time_ms <= end and wanted in ("", transfer_type(row)) and currency in ("", "USDT")
    ]
    page, cursor = newest(rows, call.params, 20, 50)
    return {"list": [transfer_row(row) for row in page], "nextPageCursor": cursor}


def query_api(call: Call) -> Result:
    """The key: read-write, bound to loopback, orders and positions only."""
    account = call.account
    created = datetime.fromtimestamp(account.created_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": str(account.uid),
        "note": account.name,
        "apiKey": call.state.api_keys.get(account.uid, ""),
        "readOnly": 0,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": [],
            "Wallet": [],
            "Options": [],
            "Derivatives": ["DerivativesTrade"],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
            "Earn": [],
        },
        "ips": ["127.0.0.1"],
        "type": 1,
        "deadlineDay": -2,
        "expiredAt": "1970-01-01T00:00:00Z",
        "createdAt": created,
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "",
        "userIDInt64": "0",
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    }


def coin_info(call: Call) -> Result:
    """Coins with their chains: USDT, on no chain, since nothing can be moved (docs v5/asset/coin-info)."""
    wanted = text(call.params, "coin")
    row = {"name": "USDT", "coin": "USDT", "remainAmount": "0", "chains": []}
    return {"rows": [row] if wanted in ("", "USDT") else []}
