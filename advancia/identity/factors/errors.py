"""Refusals of second factors, in words for the person."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.errors import DomainError, LimitReached, in_words


class TooManyCodes(LimitReached):
    """So many codes of one account were wrong that the next must wait."""

    def __init__(self, wait: timedelta | None) -> None:
        then = (
            f"Wait {in_words(wait)}, then try again, or use a passkey."
            if wait
            else "No more are taken. Use a passkey, or ask support to reset your second factor."
        )
        super().__init__(f"Too many wrong codes. {then}", wait)


class StaffNeedsFactor(DomainError):
    """Staff may not take away their last factor; another can be added first."""

    def __init__(self) -> None:
        super().__init__(
            "Your work here needs a second factor, and this is your only one. Add another first, then remove this."
        )


class PasswordTooShort(DomainError):
    """The password was chosen beside a second factor, and the last one may not go while it stands."""

    def __init__(self) -> None:
        super().__init__(
            "Your password is too short to guard the account alone, and this is your only second factor. Choose a "
            "password of at least 15 characters first."
        )


class NoWay(DomainError):
    """A second factor is asked for, and there is none that could be proved."""

    def __init__(self) -> None:
        super().__init__("There is no second factor left that could be used here. Ask support for help.")


class NotSetUp(DomainError):
    """There is no draft of an app here, or it is too old; setting up begins anew."""

    def __init__(self) -> None:
        super().__init__("This set-up has been open for too long. Begin again: you get a new code to scan.")


class PasskeyRefused(DomainError):
    """What the device sent does not prove what it should; the log says why."""

    def __init__(
        self, message: str = "That passkey was not accepted. Try again, or use another way."
    ) -> None:
        super().__init__(message)
