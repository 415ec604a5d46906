"""Bundles: the settings of one environment, encrypted under a passphrase into a text file that may lie beside the code.

    advancia-settings 1
    scrypt n=131072 r=8 p=1 salt=…
    aes-256-gcm nonce=…

    …base64…

    sha256 …

The three lines at the top are authenticated together with the content. The checksum at the end tells a file that was
damaged on its way from a wrong passphrase. It is good against accidents only: whoever changes the file and mends the
checksum still cannot make it open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from textwrap import wrap

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TITLE = "advancia-settings 1"
WIDTH = 76
SALT_BYTES = 16
NONCE_BYTES = 12
KEY_BYTES = 32
SHORTEST_PASSPHRASE = 15
FEWEST_LINES = 7

_SCRYPT = re.compile(r"scrypt n=(\d{1,9}) r=(\d{1,4}) p=(\d{1,4}) salt=([A-Za-z0-9+/=]{24})")
_CIPHER = re.compile(r"aes-256-gcm nonce=([A-Za-z0-9+/=]{16})")
_CHECKSUM = re.compile(r"sha256 ([0-9a-f]{64})")
_LINE = re.compile(r"(?:export +)?([A-Za-z_][A-Za-z0-9_]*)=.*")


class BundleError(Exception):
    """A bundle or its settings are not as they must be; the text says what is wrong and shows no secret."""


class NoBundle(BundleError):
    """The file is no bundle of settings, or one of a version that is unknown here."""


class Damaged(BundleError):
    """The file is not as it was written."""


class WrongPassphrase(BundleError):
    """The passphrase does not open this file."""


class WeakPassphrase(BundleError):
    """The passphrase is too short to guard anything."""


@dataclass(frozen=True)
class Cost:
    """What it costs to try one passphrase. The default is the least that OWASP allows: 128 MiB and 0.4 s a try."""

    n: int = 2**17
    r: int = 8
    p: int = 1

    def key(self, passphrase: str, salt: bytes) -> bytes:
        return hashlib.scrypt(
            unicodedata.normalize("NFKC", passphrase).encode(),
            salt=salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=2 * 128 * self.n * self.r,
            dklen=KEY_BYTES,
        )

    @property
    def is_sane(self) -> bool:
        """Whether it is between OWASP's minimum and what a small machine can bear: a file may not fell its reader."""
        is_power = self.n & (self.n - 1) == 0
        return is_power and 2**17 <= self.n <= 2**20 and self.r == 8 and 1 <= self.p <= 4  # noqa: PLR2004


def encrypt(settings: str, passphrase: str, *, cost: Cost | None = None) -> str:
    """Give the text of a bundle. Raises `WeakPassphrase`."""
    if len(unicodedata.normalize("NFKC", passphrase)) < SHORTEST_PASSPHRASE:
        raise WeakPassphrase(
            f"The passphrase is too short: use {SHORTEST_PASSPHRASE} characters or more, like five words drawn by lot."
        )
    cost, salt, nonce = cost or Cost(), secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    head = "\n".join(
        (
            TITLE,
            f"scrypt n={cost.n} r={cost.r} p={cost.p} salt={_text(salt)}",
            f"aes-256-gcm nonce={_text(nonce)}",
        )
    )
    sealed = AESGCM(cost.key(passphrase, salt)).encrypt(nonce, settings.encode(), head.encode())
    body = "\n".join(wrap(_text(sealed), WIDTH))
    return f"{head}\n\n{body}\n\nsha256 {_checksum(head, body)}\n"


def decrypt(bundle: str, passphrase: str) -> str:
    """Give back the settings. Raises `NoBundle`, `Damaged`, `WrongPassphrase`."""
    head, body = _intact(bundle)
    cost, salt, nonce = _parameters(head)
    try:
        sealed = base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        raise Damaged("The file is damaged: its content cannot be read.") from None
    try:
        return AESGCM(cost.key(passphrase, salt)).decrypt(nonce, sealed, head.encode()).decode()
    except InvalidTag:
        raise WrongPassphrase(
            "The passphrase does not open this file. If it is certainly the right one, somebody has changed the file."
        ) from None


def names_in(settings: str) -> list[str]:
    """The names that a file of settings sets, in its order. Raises `BundleError` for a line that sets nothing."""
    names = []
    for number, line in enumerate(settings.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise BundleError(
                f"Line {number} is neither NAME=value nor a comment: this is no file of settings."
            )
        names.append(found[1])
    if not names:
        raise BundleError("There is no setting in the file.")
    return names


def _intact(bundle: str) -> tuple[str, str]:
    """The head and the body of a bundle that is as it was written. Line ends may have been changed on the way."""
    lines = [line.rstrip() for line in bundle.removeprefix("\ufeff").strip().splitlines()]
    if not lines or not lines[0].startswith(TITLE.partition(" ")[0]):
        raise NoBundle("This is no bundle of settings.")
    if lines[0] != TITLE:
        raise NoBundle(f"This bundle is of a kind that is unknown here: {lines[0][:40]!r}.")
    if len(lines) < FEWEST_LINES:
        raise Damaged("The file is damaged: it was cut short. Fetch it again.")
    checksum = _CHECKSUM.fullmatch(lines[-1])
    head, body = "\n".join(lines[:3]), "\n".join(lines[4:-2])
    if checksum is None or checksum[1] != _checksum(head, body):
        raise Damaged("The file is damaged: it is not as it was written. Fetch it again.")
    return head, body


def _parameters(head: str) -> tuple[Cost, bytes, bytes]:
    _, derivation, cipher = head.split("\n")
    scrypt, aes = _SCRYPT.fullmatch(derivation), _CIPHER.fullmatch(cipher)
    if scrypt is None or aes is None:
        raise NoBundle("This bundle does not say how it was made, or in a way that is unknown here.")
    cost = Cost(int(scrypt[1]), int(scrypt[2]), int(scrypt[3]))
    if not cost.is_sane:
        raise NoBundle("This bundle asks for a cost that none of ours has; it is not opened.")
    try:
        return cost, base64.b64decode(scrypt[4], validate=True), base64.b64decode(aes[1], validate=True)
    except binascii.Error:
        raise NoBundle("This bundle's salt or nonce cannot be read.") from None


def _checksum(head: str, body: str) -> str:
    return hashlib.sha256(f"{head}\n\n{body}".encode()).hexdigest()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
