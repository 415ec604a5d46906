"""Calls to Cryptomus, signed with one of its keys, and what its answers mean before anything of them is read."""

from __future__ import annotations

import json
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx

from advancia.providers import authorities, php_json
from advancia.providers.breaker import Breaker
from advancia.providers.cryptomus_events import signature
from advancia.providers.errors import ProviderRefused, ProviderUnavailable

API = "https://api.cryptomus.com"
CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
# What reading an answer of another shape raises.
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)


class SignedCalls:
    """Calls to Cryptomus under one key, or to whatever speaks its API at `api_base`.

    Each raises `ProviderUnavailable` (ask again later) or `ProviderRefused` (an answer: no). Each key has a breaker of
    its own, so that one which is refused stops nothing that goes under another.
    """

    def __init__(
        self, *, merchant: str, key: str, name: str, api_base: str | None, timeouts: tuple[float, float]
    ) -> None:
        self.name = name
        self.breaker = Breaker(self.provider_words)
        self._merchant = merchant
        self._key = key
        connect, read = timeouts
        self._client = httpx.Client(
            base_url=api_base or API,
            timeout=httpx.Timeout(read, connect=connect),
            verify=authorities.known(),
            trust_env=api_base is None,  # the simulation runs on this machine, behind no proxy
        )

    @property
    def provider_words(self) -> str:
        """The provider in a sentence."""
        return "Cryptomus" if self.name == "cryptomus" else "the sandbox"

    def _call(self, path: str, asked: dict[str, Any], *, cursor: str | None = None) -> Any:
        text = php_json.encoded(asked)
        headers = {
            "merchant": self._merchant,
            "sign": signature(text, self._key),
            "Content-Type": "application/json",
        }
        with self.breaker.call():
            try:
                answer = self._client.post(
                    path,
                    content=text.encode(),
                    headers=headers,
                    params={"cursor": cursor} if cursor else None,
                )
            except httpx.HTTPError as error:
                raise self._unavailable(f"{type(error).__name__}: {error}") from error
            return self._result(answer)

    def _result(self, answer: httpx.Response) -> Any:
        status = answer.status_code
        # A refused key says nothing about the payment: it is ours to mend, and 429 passes by itself.
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (401, 403, 408, 429):
            raise self._unavailable(f"{status} {answer.text[:300]}")
        try:
            body = json.loads(answer.content, parse_float=Decimal)
            if body["state"] == 0 and status < HTTPStatus.BAD_REQUEST:
                return body.get("result")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._unavailable(f"{status}, and no answer that we can read: {error!r}") from error
        raise ProviderRefused(self.provider_words, detail=f"{status} {answer.text[:300]}")

    def _unavailable(self, detail: str) -> ProviderUnavailable:
        return ProviderUnavailable(self.provider_words, detail=detail)
