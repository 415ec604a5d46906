"""People: sign-up, sign-in, sessions and who may do what."""
