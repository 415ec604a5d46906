"""WebAuthn: what a browser is asked to make or sign, and whether its answer holds. Knows no database.

Every passkey is kept by the device under our name (discoverable) and asks for the person's finger, face or PIN (user
verification), so that it proves two things at once: what they have, and who they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fido2.cose import ES256, RS256, EdDSA
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    CollectedClientData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from advancia.core import log
from advancia.identity.factors.errors import PasskeyRefused

NAME = "Advancia"
CHALLENGE_BYTES = 32
LONGEST_ANSWER = 20_000  # characters; real ones have about a thousand
ALGORITHMS = (ES256.ALGORITHM, EdDSA.ALGORITHM, RS256.ALGORITHM)

T = TypeVar("T")

_log = log.logger(__name__)


@dataclass(frozen=True)
class Site:
    """Who we are to a browser: the one origin that answers may come from, and the name that passkeys are kept under."""

    origin: str
    rp_id: str

    @classmethod
    def of(cls, public_url: str) -> Site:
        parts = urlsplit(public_url)
        return cls(origin=f"{parts.scheme}://{parts.netloc}", rp_id=parts.hostname or "")


@dataclass(frozen=True)
class Registered:
    """A new passkey as its device describes it."""

    credential_id: bytes
    credential: bytes
    sign_count: int
    synced: bool


@dataclass(frozen=True)
class Signed:
    """A challenge that was signed by a passkey."""

    sign_count: int
    synced: bool


def creation_options(
    site: Site, *, challenge: bytes, user_handle: bytes, email: str, name: str, known: Sequence[bytes]
) -> dict[str, Any]:
    """What a browser is asked to make; a device that keeps one of `known` already makes no second one."""
    options, _state = _server(site).register_begin(
        PublicKeyCredentialUserEntity(id=user_handle, name=email, display_name=name),
        credentials=_descriptors(known),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=challenge,
    )
    return dict(options)


def request_options(site: Site, *, challenge: bytes, known: Sequence[bytes]) -> dict[str, Any]:
    """What a browser is asked to sign, by one of `known`; by any passkey that it keeps for us, if there are none."""
    options, _state = _server(site).authenticate_begin(
        credentials=_descriptors(known) if known else None,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=challenge,
    )
    return dict(options)


def challenge_in(answer: str) -> bytes:
    """The challenge that the browser's answer is about. Nothing is checked yet. Raises `PasskeyRefused`."""
    return _read(lambda: bytes(_client_data(answer).challenge))


def credential_id_in(answer: str) -> bytes:
    """Which passkey says that it has signed. Nothing is checked yet. Raises `PasskeyRefused`."""
    return _read(lambda: bytes(_assertion(answer).raw_id))


def user_handle_in(answer: str) -> bytes | None:
    """Whom the device says that the passkey belongs to. Raises `PasskeyRefused`."""
    return _read(lambda: _assertion(answer).response.user_handle)


def registered(site: Site, *, answer: str, challenge: bytes) -> Registered:
    """The new passkey, if the answer comes from our origin and is about that challenge. Raises `PasskeyRefused`."""

    def check() -> AuthenticatorData:
        response = RegistrationResponse.from_dict(json.loads(answer))
        _server(site).register_complete(_state(challenge), response)
        found: AuthenticatorData = response.response.attestation_object.auth_data
        return found

    found = _read(check)
    made = found.credential_data
    if made is None or made.public_key.get(3) not in ALGORITHMS:
        raise PasskeyRefused
    return Registered(made.credential_id, bytes(made), found.counter, _is_synced(found))


def signed(site: Site, *, answer: str, challenge: bytes, credential: bytes) -> Signed:
    """What the passkey has signed, if the answer comes from our origin and is about that challenge.

    Raises `PasskeyRefused`.
    """

    def check() -> AuthenticatorData:
        response = _assertion(answer)
        _server(site).authenticate_complete(_state(challenge), [AttestedCredentialData(credential)], response)
        return response.response.authenticator_data

    found = _read(check)
    return Signed(found.counter, _is_synced(found))


def _server(site: Site) -> Fido2Server:
    server = Fido2Server(
        PublicKeyCredentialRpEntity(name=NAME, id=site.rp_id),
        attestation=AttestationConveyancePreference.NONE,
        verify_origin=lambda origin: origin == site.origin,
    )
    server.allowed_algorithms = [each for each in server.allowed_algorithms if each.alg in ALGORITHMS]
    return server


def _descriptors(known: Sequence[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=each) for each in known]


def _client_data(answer: str) -> CollectedClientData:
    if len(answer) > LONGEST_ANSWER:
        raise ValueError("The answer is too long.")
    return CollectedClientData(websafe_decode(json.loads(answer)["response"]["clientDataJSON"]))


def _assertion(answer: str) -> AuthenticationResponse:
    read: AuthenticationResponse = AuthenticationResponse.from_dict(json.loads(answer))
    return read


def _state(challenge: bytes) -> dict[str, Any]:
    return {
        "challenge": websafe_encode(challenge),
        "user_verification": UserVerificationRequirement.REQUIRED,
    }


def _is_synced(found: AuthenticatorData) -> bool:
    """Whether the passkey is kept beyond the device, such as in a password manager."""
    return bool(found.flags & AuthenticatorData.FLAG.BS)


def _read(step: Callable[[], T]) -> T:
    """Do `step` with what a stranger has sent; whatever the library makes of it, it is a refusal."""
    try:
        return step()
    except Exception as trouble:  # noqa: BLE001 - each of its decoders raises something else
        _log.info("passkey_refused", why=f"{type(trouble).__name__}: {trouble}"[:200])
        raise PasskeyRefused from None
