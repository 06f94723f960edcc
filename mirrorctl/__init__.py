"""mirrorctl: mirror accounts kept provably in step with a main Bybit account."""

__version__ = "0.1.0"
