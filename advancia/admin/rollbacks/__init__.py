"""Rolling back: a transaction is undone by posting its mirror, once, after a look at what that would do."""
