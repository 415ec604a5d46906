"""Refusals of identity, in words for the person."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.errors import DomainError, LimitReached, in_words


class TooManyTries(LimitReached):
    """So many tries have failed that the next must wait, for the account or for the address."""

    def __init__(self, wait: timedelta | None) -> None:
        super().__init__(
            f"Too many tries. Wait {in_words(wait)}, then try again." if wait else "Too many tries in a row.",
            wait,
        )


class TooManyCodes(LimitReached):
    """The limit on codes sent to one address is reached."""

    def __init__(self, wait: timedelta | None) -> None:
        then = f"Wait {in_words(wait)}, then ask for a new one." if wait else "Ask support for help."
        super().__init__(f"We have sent several codes already. {then}", wait)


class SignInLocked(LimitReached):
    """So many passwords in a row were wrong that none is looked at any more. The same for addresses nobody has."""

    def __init__(self, wait: timedelta | None = None) -> None:
        super().__init__(
            "Many wrong passwords in a row were tried for this address. To sign in here, set a new password first.",
            wait,
        )


class TooManyMails(LimitReached):
    """The limit on mails of one kind is reached, for the address that gets them or for the one that asks."""

    def __init__(self, wait: timedelta | None) -> None:
        then = f" Wait {in_words(wait)}, then ask again." if wait else ""
        super().__init__(f"We have been asked for this several times already.{then}", wait)


class LinkIsDead(DomainError):
    """A link by mail that was used, has run out, was overtaken by a newer one, or never was."""

    def __init__(self) -> None:
        super().__init__("This link no longer works.")


class SessionEnded(DomainError):
    """Between the beginning of a request and what it was to change, somebody ended the session that it came by."""

    def __init__(self) -> None:
        super().__init__("You were signed out meanwhile, so nothing was changed. Sign in again.")


class SameAddress(DomainError):
    """Somebody wants to change their address to the one they have."""

    def __init__(self) -> None:
        super().__init__("That is your address already.")


class AddressTaken(DomainError):
    """While a change of address waited, somebody else got the new one."""

    def __init__(self) -> None:
        super().__init__("This address cannot be used any more. Your address stays as it is.")


class ResetRefused(DomainError):
    """The reset of a second factor cannot be begun; the text says why."""


class AlreadySo(DomainError):
    """What was asked for is the case already; the text says what."""


class RoleRefused(DomainError):
    """Somebody may not have that role, or not be given it by that person; the text says why."""


class FactorGone(DomainError):
    """A password was to be set that is only good enough beside a second factor, which is not there any more."""

    def __init__(self) -> None:
        super().__init__(
            "Your second factor was removed meanwhile, so the password has to stand alone. Choose a longer one."
        )


class WrongPassword(DomainError):
    """Somebody was asked for the password that they have, and typed another one."""

    def __init__(self) -> None:
        super().__init__("That is not your password.")
