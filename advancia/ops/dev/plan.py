"""What is to run, from the settings: which servers are ours, which processes, and what they are told."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advancia import config
from advancia.ops.dev import home, ports
from advancia.ops.dev.child import Program
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.postgres import APP, DATABASE, OWNER, PostgresCluster
from advancia.ops.dev.valkey import ValkeyServer

DEFAULT_PORT = "8000"
# Each further web process costs seconds of start, and one person needs but one.
FOR_ONE_PERSON = {"WEB_WORKERS": "1"}
GRACE = 30  # seconds for requests and jobs to end in


@dataclass(frozen=True)
class Plan:
    """All that the supervisor needs to know; `embedded` is what other processes find in the settings file."""

    settings: config.Settings
    embedded: Mapping[str, str]
    environ: Mapping[str, str]
    postgres: PostgresCluster | None
    valkey: ValkeyServer | None

    @property
    def var(self) -> Path:
        return self.settings.var

    def foreground(self) -> list[Program]:
        """The processes that people talk to; our pages first."""
        web = Program("web", self._web())
        if not self.settings.is_sandboxed:
            return [web]
        return [web, Program("sandbox", _module("advancia.providers.sandbox"))]

    def background(self) -> list[Program]:
        """The processes that work unseen."""
        named = {"worker": "worker", "relay": "worker.relay", "clock": "worker.schedule"}
        return [Program(name, _module(module)) for name, module in named.items()]

    def preparation(self) -> Program:
        return Program("prepare", _module("advancia.ops.dev.prepare"))

    def schema_is_current(self) -> bool:
        """Whether the embedded database is at the newest migration; False also where we cannot tell."""
        if self.postgres is None:
            return False
        try:
            at = self.postgres.sql("SELECT version_num FROM alembic_version", database=DATABASE)
        except StartError:
            return False
        return set(at.split()) == heads(config.ROOT / "migrations" / "versions")

    def write_settings(self) -> None:
        """Let every process and command with the same `ADVANCIA_VAR` find our servers."""
        home.write_private(self.var / config.EMBEDDED_FILE, json.dumps(self.embedded, indent=2) + "\n")

    def remove_settings(self) -> None:
        (self.var / config.EMBEDDED_FILE).unlink(missing_ok=True)

    def _web(self) -> tuple[str, ...]:
        settings = self.settings
        return (
            *_module("granian"),
            *("--interface", "wsgi", "--host", settings.host, "--port", str(settings.port)),
            *("--workers", str(settings.web_workers), "--blocking-threads", str(settings.web_threads)),
            *("--no-ws", "--log-level", "error", "--respawn-failed-workers"),
            *("--workers-kill-timeout", str(GRACE), "wsgi:app"),
        )


def plan(environ: Mapping[str, str], var: Path) -> Plan:
    """Decide what runs in `var`, a folder that is ours by now.

    Raises `StartError`, or `config.ConfigError` with a sentence for each wrong setting.
    """
    given = {name: value for name, value in environ.items() if value}
    _check_environment(given)
    postgres = (
        None
        if "DATABASE_URL" in given
        else PostgresCluster(var / "postgres", log=var / "log" / "postgres.log")
    )
    valkey = None if "REDIS_URL" in given else ValkeyServer(var / "valkey", log=var / "log" / "valkey.log")
    embedded = _made_by_us(given, var, postgres, valkey)
    told = {**given, "ADVANCIA_VAR": str(var), "PYTHONUNBUFFERED": "1", "TZ": "UTC"}
    settings = config.load_settings({**FOR_ONE_PERSON, **embedded, **told})
    ports.check_free(settings.host, settings.port)
    return Plan(settings=settings, embedded=embedded, environ=told, postgres=postgres, valkey=valkey)


def heads(versions: Path) -> set[str]:
    """The newest of the revisions in a folder of migrations, read without the cost of loading Alembic."""
    text = "\n".join(path.read_text() for path in versions.glob("*.py"))
    made = re.findall(r"^revision\b[^=]*=\s*[\"'](.+?)[\"']", text, re.MULTILINE)
    followed = " ".join(re.findall(r"^down_revision\b[^=]*=(.*)$", text, re.MULTILINE))
    return set(made) - set(re.findall(r"[\"'](.+?)[\"']", followed))


def _check_environment(given: Mapping[str, str]) -> None:
    if given.get("ADVANCIA_ENV", "dev") not in ("dev", "test"):
        raise StartError(
            "./run is for development and trying out: in staging and production start the "
            "processes of the Procfile, or docker compose up."
        )
    if "DATABASE_URL" in given and "DATABASE_OWNER_URL" not in given:
        raise StartError(
            "DATABASE_OWNER_URL is missing though DATABASE_URL is set: set it to the address of the same "
            "database for the role that owns it, which runs the migrations."
        )
    if "DATABASE_OWNER_URL" in given and "DATABASE_URL" not in given:
        raise StartError("DATABASE_URL is missing though DATABASE_OWNER_URL is set: set both, or neither.")


def _made_by_us(
    given: Mapping[str, str], var: Path, postgres: PostgresCluster | None, valkey: ValkeyServer | None
) -> dict[str, str]:
    """The settings that the environment leaves to us."""
    port = given.get("PORT", DEFAULT_PORT)
    made = {
        "PORT": port,
        "PUBLIC_URL": f"http://localhost:{port}",
        "SECRET_KEY": home.secret(var, "secret-key"),
        "SEAL_KEYS": f"dev:{home.secret(var, 'seal-key')}",
        "FIELD_KEYS": f"dev:{home.secret(var, 'field-key')}",
        "BACKUP_RECIPIENTS": home.backup_recipient(var),
    }
    if postgres is not None:
        made["DATABASE_URL"] = postgres.url(APP, DATABASE)
        made["DATABASE_OWNER_URL"] = postgres.url(OWNER, DATABASE)
    if valkey is not None:
        made["REDIS_URL"] = valkey.url
    if "STRIPE_SECRET_KEY" not in given:
        made["SANDBOX_SECRET"] = home.secret(var, "sandbox")
        # By number, not as localhost: cookies know no ports, and the checkout must not see ours.
        made["SANDBOX_URL"] = f"http://127.0.0.1:{ports.own_port(var / 'run' / 'sandbox.port')}"
    return {name: given.get(name, value) for name, value in made.items()}


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)
