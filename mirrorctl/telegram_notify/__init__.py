"""Telegram: alerts that go out, questions and commands that come in. What goes wrong here never reaches the engine."""
