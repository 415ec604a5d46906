"""The lockdown, for owners: whether money moves, and the switch."""
