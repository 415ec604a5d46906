"""A device that keeps passkeys, in software: what a browser would send for it, right or bent as a test wants."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

FLAG = AuthenticatorData.FLAG
NOTHING_MORE = FLAG(0)
ORIGIN = "http://localhost"


@dataclass
class Authenticator:
    """One device with one passkey. Its fields may be bent before it answers."""

    origin: str = ORIGIN
    rp_id: str = "localhost"
    verifies_user: bool = True
    synced: bool = False
    sign_count: int = 0
    counts: bool = True
    user_handle: bytes = b""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> str:
        """Answer what a browser is asked to make."""
        asked = options["publicKey"]
        self.user_handle = websafe_decode(asked["user"]["id"])
        public_key = ES256.from_cryptography_key(self.key.public_key())
        made = AttestedCredentialData.create(bytes(16), self.credential_id, public_key)
        attested = AttestationObject.create("none", self._auth_data(FLAG.AT, made), {})
        client_data = self._client_data(CollectedClientData.TYPE.CREATE, asked["challenge"])
        return self._told({"clientDataJSON": client_data, "attestationObject": bytes(attested)})

    def sign(self, options: dict[str, Any]) -> str:
        """Answer what a browser is asked to sign."""
        client_data = self._client_data(CollectedClientData.TYPE.GET, options["publicKey"]["challenge"])
        if self.counts:
            self.sign_count += 1
        auth_data = self._auth_data()
        signed = bytes(auth_data) + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._told(
            {
                "clientDataJSON": client_data,
                "authenticatorData": bytes(auth_data),
                "signature": signature,
                "userHandle": self.user_handle,
            }
        )

    def _auth_data(
        self, more: FLAG = NOTHING_MORE, credential: AttestedCredentialData | None = None
    ) -> AuthenticatorData:
        flags = FLAG.UP | more
        if self.verifies_user:
            flags |= FLAG.UV
        if self.synced:
            flags |= FLAG.BE | FLAG.BS
        rp_id_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return AuthenticatorData.create(rp_id_hash, flags, self.sign_count, credential or b"")

    def _client_data(self, kind: Any, challenge: str) -> bytes:
        return bytes(CollectedClientData.create(type=kind, challenge=challenge, origin=self.origin))

    def _told(self, response: dict[str, bytes]) -> str:
        name = websafe_encode(self.credential_id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": {part: websafe_encode(value) for part, value in response.items() if value},
                "clientExtensionResults": {},
            }
        )
