"""The audit: what stands on every account, judged against what should. Pure; `judge.judge` is its one function."""
