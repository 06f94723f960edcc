"""The perpetuals that the paper exchange lists, and how `instruments-info` describes them.

Source of the shape and of BTCUSDT's limits: docs v5/market/instrument. Prices to start from are made up.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.decimals import fixed, places


@dataclass(frozen=True, slots=True)
class Instrument:
    """Trading rules of one USDT linear perpetual. Quantities are in base coin, prices in USDT."""

    symbol: str
    symbol_id: int
    base: str
    start_price: Decimal
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    step: Decimal
    max_qty: Decimal
    max_market_qty: Decimal
    price_scale: int
    max_leverage: Decimal
    maintenance_rate: Decimal
    band_x: Decimal
    band_y: Decimal
    risk_limit: Decimal
    launched_ms: int
    min_notional: Decimal = Decimal(5)
    funding_minutes: int = 480

    @property
    def min_qty(self) -> Decimal:
        """Smallest order, which on these contracts is one step."""
        return self.step

    @property
    def qty_places(self) -> int:
        """Decimals of a quantity."""
        return places(self.step)

    def price(self, value: Decimal) -> str:
        """A price as the API writes it."""
        return fixed(value, self.price_scale)

    def qty(self, value: Decimal) -> str:
        """A quantity as the API writes it."""
        return fixed(value, self.qty_places)


def _listing(row: str) -> Instrument:
    symbol, number, base, start, tick, top, step, most, market, lev, mmr, band, risk, launched = row.split()
    return Instrument(
        symbol=symbol,
        symbol_id=int(number),
        base=base,
        start_price=Decimal(start),
        tick=Decimal(tick),
        min_price=Decimal(tick),
        max_price=Decimal(top),
        step=Decimal(step),
        max_qty=Decimal(most),
        max_market_qty=Decimal(market),
        price_scale=places(Decimal(tick)),
        max_leverage=Decimal(lev),
        maintenance_rate=Decimal(mmr),
        band_x=Decimal(band),
        band_y=Decimal(band) * 2,
        risk_limit=Decimal(risk),
        launched_ms=int(launched),
    )


# symbol id base start tick max-price step max-qty max-market-qty leverage mm-rate band-x risk-limit launched
_TABLE = """
BTCUSDT 5 BTC 60000 0.10 1999999.80 0.001 1190 500 100 0.005 0.01 2000000 1585526400000
ETHUSDT 6 ETH 3000 0.01 199999.98 0.01 7240 1500 100 0.005 0.01 1500000 1603152000000
SOLUSDT 7 SOL 150 0.010 19999.980 0.1 79770 14120 100 0.005 0.025 1000000 1623715200000
XRPUSDT 8 XRP 0.5200 0.0001 19.9998 0.1 9000000 1750000 75 0.01 0.025 750000 1610668800000
DOGEUSDT 9 DOGE 0.16500 0.00001 1.99998 1 30000000 8000000 75 0.01 0.025 750000 1622592000000
ADAUSDT 10 ADA 0.4500 0.0001 19.9998 1 4410000 1160000 75 0.01 0.025 500000 1612915200000
LINKUSDT 11 LINK 14.500 0.001 1999.998 0.1 268900 59200 50 0.01 0.025 500000 1614556800000
LTCUSDT 12 LTC 80.00 0.01 19999.98 0.1 90240 20410 50 0.01 0.025 500000 1611100800000
BNBUSDT 13 BNB 600.00 0.10 199999.80 0.01 6000 2500 75 0.01 0.025 500000 1624924800000
AVAXUSDT 14 AVAX 28.000 0.001 1999.998 0.1 251300 71000 50 0.01 0.025 500000 1632182400000
1000PEPEUSDT 15 1000PEPE 0.0123000 0.0000001 0.1999998 100 160000000 35000000 50 0.01 0.05 250000 1683244800000
SHIB1000USDT 16 SHIB1000 0.018000 0.000001 1.999998 10 60000000 11000000 50 0.01 0.05 250000 1623628800000
"""

CATALOGUE: tuple[Instrument, ...] = tuple(_listing(row) for row in _TABLE.split("\n") if row)


def info_row(item: Instrument) -> dict[str, Any]:
    """One entry of `GET /v5/market/instruments-info`."""
    most, market = item.qty(item.max_qty), item.qty(item.max_market_qty)
    return {
        "symbol": item.symbol,
        "symbolId": item.symbol_id,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": item.base,
        "quoteCoin": "USDT",
        "launchTime": str(item.launched_ms),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(item.price_scale),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": fixed(item.max_leverage, 2),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": item.price(item.min_price),
            "maxPrice": item.price(item.max_price),
            "tickSize": item.price(item.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": most,
            "minOrderQty": item.qty(item.min_qty),
            "qtyStep": item.qty(item.step),
            "postOnlyMaxOrderQty": most,
            "maxMktOrderQty": market,
            "minNotionalValue": str(item.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": item.funding_minutes,
        "settleCoin": "USDT",
        "copyTrading": "both",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": format(item.band_x, "f"),
            "priceLimitRatioY": format(item.band_y, "f"),
        },
        "displayName": "",
        "forbidUplWithdrawal": False,
        "symbolType": "",
    }
