"""Backups, for owners: what there is, how it stands, and one more."""
