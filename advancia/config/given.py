"""One setting: what the environment gives for it, and what is wrong with that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from advancia.config.settings import EMBEDDED_FILE, ROOT, Environment, Keys

KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
HOW_KEYS = (
    "set it to an id and a secret, like 2026a:SECRET, where SECRET is the output of: "
    "python3 -c 'import secrets; print(secrets.token_hex(32))'"
)


def var_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the embedded servers and of local mail; settable before anything else can be read."""
    return Path(environ.get("ADVANCIA_VAR") or ROOT / "var").expanduser().resolve()


class Given:
    """Collects what is wrong instead of stopping at the first, so that one start tells everything."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.var = var_folder(environ)
        self.env = self._environment()
        self.embedded = self._embedded() if self.is_dev else {}

    @property
    def is_dev(self) -> bool:
        return self.env in (Environment.DEV, Environment.TEST)

    def get(self, name: str) -> str | None:
        return self.environ.get(name) or self.embedded.get(name) or None

    def wrong(self, sentence: str) -> None:
        self.problems.append(sentence)

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        text = self.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and lowest <= int(text) <= highest:
            return int(text)
        self.wrong(f"{name} is {text!r}: set it to a whole number from {lowest} to {highest}.")
        return default

    def keys(self, name: str, form: re.Pattern[str], told: str) -> Keys | None:
        """The ids and secrets of that setting, the newest first; `None` when it is missing."""
        text = self.get(name)
        if text is None:
            return None
        keys = [each.strip().partition(":") for each in text.split(",")]
        if not all(KEY_ID.fullmatch(key_id) and form.fullmatch(key) for key_id, _, key in keys):
            self.wrong(f"{name} is not a list of ids and {told} in hexadecimal: {HOW_KEYS}")
            return ()
        if len({key_id for key_id, _, _ in keys}) < len(keys):
            self.wrong(f"{name} names two keys alike: give each an id of its own, the newest first.")
        return tuple((key_id, bytes.fromhex(key)) for key_id, _, key in keys)

    def _environment(self) -> Environment:
        named = self.environ.get("ADVANCIA_ENV") or "dev"
        try:
            return Environment(named)
        except ValueError:
            self.wrong(f"ADVANCIA_ENV is {named!r}: set it to dev, test, staging or production.")
            return Environment.PRODUCTION

    def _embedded(self) -> dict[str, str]:
        try:
            text = (self.var / EMBEDDED_FILE).read_text()
        except OSError:
            return {}
        try:
            return {str(name): str(value) for name, value in json.loads(text).items()}
        except (ValueError, AttributeError):
            self.wrong(f"{self.var / EMBEDDED_FILE} cannot be read: delete it and start ./run again.")
            return {}
