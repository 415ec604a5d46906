"""Backups of the database: made, kept, pruned, proven, and restored."""
