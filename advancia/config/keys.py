"""The keys that sign and encrypt."""

from __future__ import annotations

import re

from advancia.config.given import HOW_KEYS, Given
from advancia.config.settings import Keys

SECRET_KEY_BYTES = 32
DIFFERENT_CHARACTERS = 10  # fewer, and the key was typed by hand
SEAL_KEY = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")
FIELD_KEY = re.compile(r"[0-9a-fA-F]{64}")


def secret_key(given: Given) -> str:
    key = given.get("SECRET_KEY")
    how = "set it to the output of: python3 -c 'import secrets; print(secrets.token_hex(32))'"
    if key is None:
        given.wrong(f"SECRET_KEY is missing: {how}")
        return ""
    if not given.is_dev and (len(key) < SECRET_KEY_BYTES or len(set(key)) < DIFFERENT_CHARACTERS):
        given.wrong(f"SECRET_KEY is too weak to sign sessions with: {how}")
    return key


def seal_keys(given: Given) -> Keys:
    keys = given.keys("SEAL_KEYS", SEAL_KEY, "secrets of 32 bytes or more")
    if keys is None and not given.is_dev:
        given.wrong(f"SEAL_KEYS is missing, without which the books cannot be sealed: {HOW_KEYS}")
    return keys or ()


def field_keys(given: Given) -> Keys:
    keys = given.keys("FIELD_KEYS", FIELD_KEY, "secrets of exactly 32 bytes")
    if keys is None:
        if not given.is_dev:
            given.wrong(f"FIELD_KEYS is missing, without which no secret can be stored: {HOW_KEYS}")
        return ()
    if len({key for _, key in keys}) < len(keys):
        given.wrong("FIELD_KEYS holds the same secret under two ids: to rotate, give the new id a new one.")
    elif not given.is_dev and any(len(set(key.hex())) < DIFFERENT_CHARACTERS for _, key in keys):
        given.wrong(f"FIELD_KEYS holds a secret that nobody drew by lot: {HOW_KEYS}")
    return keys
