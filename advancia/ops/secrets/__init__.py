"""Secrets in operation: bringing stored values under a new key, and bundles of settings."""
