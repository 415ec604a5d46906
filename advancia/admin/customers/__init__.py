"""Customers, as staff see them and act on them."""
