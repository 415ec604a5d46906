"""The inbox of what providers tell us: verify, store, hand over."""
