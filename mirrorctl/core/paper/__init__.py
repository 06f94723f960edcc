"""The embedded paper exchange: pure matching and ledger, Bybit V5 on top, a loopback server around it.

Nothing here is shared with the client side: the exchange has its own numbers, rules and codec, so that one
mistake cannot hide on both sides. Start reading at `api` (one call in, one envelope out), then `matching`,
`fills` and `protection`; `server` puts it on sockets.
"""
