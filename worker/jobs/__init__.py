"""The jobs, a module a feature."""
