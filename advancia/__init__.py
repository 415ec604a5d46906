"""Advancia Pay Ledger: a wallet and pay ledger whose books prove themselves."""
