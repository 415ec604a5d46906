"""The ledger against its peers, and against what the same machine could do without it."""
