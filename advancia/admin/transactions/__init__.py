"""Transactions, as staff see them."""
