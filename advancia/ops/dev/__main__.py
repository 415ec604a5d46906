"""`python -m advancia.ops.dev`: run the whole product on this machine, for `./run`."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from advancia import config
from advancia.ops.dev import home, ports
from advancia.ops.dev.announce import Terminal
from advancia.ops.dev.child import Child, Program
from advancia.ops.dev.errors import StartError, not_writable
from advancia.ops.dev.plan import Plan, plan
from advancia.ops.dev.supervisor import Parts, Server, Supervisor

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


def main(environ: Mapping[str, str]) -> int:
    """Run until stopped; return the exit code."""
    terminal = Terminal(plain="NO_COLOR" in environ)
    var = config.var_folder(environ)
    try:
        home.make(var)
        with home.held(var):
            for name in home.end_leftovers(var):
                terminal.say(f"Ended {name}, left over from a run that was killed.")
            (var / config.EMBEDDED_FILE).unlink(missing_ok=True)
            return _supervise(plan(environ, var), terminal)
    except (StartError, config.ConfigError) as failure:
        terminal.refuse(str(failure))
        return 1
    except OSError as failure:  # such as a disk that is full
        terminal.refuse(str(not_writable(var, failure)))
        return 1
    except KeyboardInterrupt:
        return 130


def _supervise(decided: Plan, terminal: Terminal) -> int:
    try:
        return Supervisor(_parts(decided, terminal), terminal).run()
    finally:
        decided.remove_settings()


def _parts(decided: Plan, terminal: Terminal) -> Parts:
    def child(program: Program) -> Child:
        return Child(
            program,
            environ=decided.environ,
            cwd=config.ROOT,
            var=decided.var,
            show=lambda words: terminal.worry(program.name, words),
        )

    def when_servers_are_up() -> None:
        if decided.postgres is not None:
            decided.postgres.ensure_roles()
        decided.write_settings()

    servers: dict[str, Server | None] = {"database": decided.postgres, "cache": decided.valkey}
    return Parts(
        servers={name: server for name, server in servers.items() if server is not None},
        preparation=child(decided.preparation()),
        is_prepared=decided.schema_is_current,
        foreground=[child(program) for program in decided.foreground()],
        background=[child(program) for program in decided.background()],
        is_healthy=lambda: _is_up(decided.settings),
        when_servers_are_up=when_servers_are_up,
        when_all_is_up=lambda: terminal.greet(decided.settings),
    )


def _is_up(settings: config.Settings) -> bool:
    """Whether the web process says that it is well, and the sandbox, if it is used, answers."""
    if settings.is_sandboxed and not ports.answers(urlsplit(settings.sandbox_url or "").port or 0):
        return False
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit("./run takes no arguments: it is told everything by the environment (see .env.example).")
    # The children get our environment, and what they are to know comes on top: the one place besides
    # `config` where it is touched, and nothing is read from it here.
    exit_code = main(os.environ)
    with suppress(OSError):
        sys.stdout.flush()
    sys.exit(exit_code)
