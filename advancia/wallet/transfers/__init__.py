"""Sending money from one customer to another."""
