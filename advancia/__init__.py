"""Advancia Pay Ledger: a wallet and pay ledger whose books prove themselves."""

VERSION = "0.1.0"
