"""Payments that their payer's bank takes back."""
