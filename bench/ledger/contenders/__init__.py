"""Everybody who is measured."""
