"""Telegram delivery of alerts. Nothing is built here yet: profiles that enable it are refused."""
