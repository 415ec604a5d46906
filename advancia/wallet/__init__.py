"""Balances, history and transfers between customers."""
