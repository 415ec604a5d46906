"""Giving money back to whoever paid it in."""
