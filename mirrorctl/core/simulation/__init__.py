"""The whole system in one process on a virtual clock: the unmodified engine and codec against the paper exchange."""
