"""Pages to get back in, and to change the address, the password and the name."""

from __future__ import annotations

# Importing them adds their routes.
from advancia.identity.recovery import email_views, factor_views, password_views, profile_views, terms_views
from advancia.identity.recovery.blueprint import bp

__all__ = ["bp", "email_views", "factor_views", "password_views", "profile_views", "terms_views"]
