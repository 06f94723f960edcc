"""The Bybit edge: REST and the private stream through pybit, a pure codec, the retCode table, the only retry policy."""
