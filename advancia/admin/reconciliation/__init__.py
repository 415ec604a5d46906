"""Reconciliation, for staff: runs, what differs, how it is resolved, and the second person's word."""
