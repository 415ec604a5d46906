"""The settings: read once, checked at the start, and passed on as one frozen object.

This package is the only reader of the environment. In development and tests, what the environment does not say is
taken from `<ADVANCIA_VAR>/embedded.json`, which the supervisor writes for the servers it has started; so every process
and command with the same `ADVANCIA_VAR` finds the same servers.

`settings` is what they are, `given` reads one of them, `reading` puts them together, and the other modules know how
settings of one kind have to be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advancia.config import given, reading
from advancia.config.given import Given
from advancia.config.settings import (
    EMBEDDED_FILE,
    NAMES,
    ROOT,
    BackupSettings,
    ConfigError,
    Environment,
    Keys,
    Settings,
)

__all__ = [
    "EMBEDDED_FILE",
    "NAMES",
    "ROOT",
    "BackupSettings",
    "ConfigError",
    "Environment",
    "Keys",
    "Problem",
    "Settings",
    "load_settings",
    "passphrase",
    "problems_in_production",
    "sqlalchemy_url",
    "var_folder",
]

UNLOCKS_BUNDLES = "ADVANCIA_PASSPHRASE"  # no setting: it must not stand in the file that it encrypts
_VALUE = re.compile(r"^([A-Z0-9_]+) (?:is|names) (['\"]).*\2: ", re.DOTALL)  # as a problem quotes it


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting.

    Raises `ConfigError`, whose text names each wrong setting and says how to mend it.
    """
    return reading.settings_of(Given(os.environ if environ is None else environ))


@dataclass(frozen=True)
class Problem:
    """What would stop a start: which setting, and how to mend it, without its value."""

    name: str
    words: str


def problems_in_production(environ: Mapping[str, str] | None = None) -> list[Problem]:
    """What production would say to the present settings, those of embedded servers included."""
    present = Given(os.environ if environ is None else environ)
    asked = Given({**present.embedded, **present.environ, "ADVANCIA_ENV": Environment.PRODUCTION.value})
    try:
        reading.settings_of(asked)
    except ConfigError:
        return [Problem(each.split(" ", 1)[0], _VALUE.sub(r"\1 is wrong: ", each)) for each in asked.problems]
    return []


def var_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the embedded servers and of local mail; settable before anything else can be read."""
    return given.var_folder(os.environ if environ is None else environ)


def passphrase(environ: Mapping[str, str] | None = None) -> str | None:
    """What encrypts a bundle of settings, where the environment holds it instead of somebody typing it."""
    return (os.environ if environ is None else environ).get(UNLOCKS_BUNDLES) or None


def sqlalchemy_url(url: str) -> str:
    """Name the driver in a plain libpq address, as SQLAlchemy wants it."""
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)
