"""What can go wrong with a provider, sorted by what the caller should do about it."""

from __future__ import annotations

from advancia.core.errors import DomainError


class ProviderError(DomainError):
    """The provider did not do what was asked. The text is for the customer; `detail` is for the log alone."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ProviderUnavailable(ProviderError):
    """No answer about the payment: network, time-out, 5xx, 429, or a key that is refused. Try again later.

    After a call that was to change something the outcome is unknown: ask again with the same id.
    """

    def __init__(self, provider: str, *, detail: str = "") -> None:
        super().__init__(
            f"We could not reach {provider}. Nothing was charged. Try again in a few minutes.", detail=detail
        )


class ProviderRefused(ProviderError):
    """The provider understood and said no. The same call again gets the same answer."""

    def __init__(self, provider: str, *, detail: str = "") -> None:
        super().__init__(
            f"{_capital(provider)} did not accept the request. Nothing was charged. "
            "Start again, or tell us if it stays so.",
            detail=detail,
        )


class ProviderNotSetUp(ProviderError):
    """No keys are set and no simulation runs."""

    def __init__(self) -> None:
        super().__init__("Paying by card is not set up here yet. Nothing was charged.")


class BadSignature(DomainError):
    """A webhook that the provider did not sign for us, or not lately. Keep no trace of it but a count."""


class MalformedEvent(DomainError):
    """A webhook with a right signature that is not an event as we know them."""


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
