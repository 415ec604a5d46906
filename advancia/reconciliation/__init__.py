"""Reconciliation: each night the books are held against themselves, and against those of the payment providers."""
