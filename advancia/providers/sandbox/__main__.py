"""Run the simulated provider until it is told to stop: `python -m advancia.providers.sandbox`."""

from __future__ import annotations

import signal
import sys
import threading
from urllib.parse import urlsplit

from advancia.config import ConfigError, Settings, load_settings
from advancia.core import log
from advancia.core.priority import step_back
from advancia.providers.sandbox.server import SandboxServer

# It stands for another's machine: where the processors of this one are short, the product goes first.
NICENESS = 10


def main() -> int:
    """Serve on the port of SANDBOX_URL. Ends with 0 on SIGTERM or SIGINT, with 1 and a sentence otherwise."""
    step_back(NICENESS)
    try:
        settings = load_settings()
        log.configure(settings.log_level)
        server = _server_from(settings)
    except ConfigError as error:
        return _give_up(str(error))
    except OSError as error:
        return _give_up(f"The payment simulation could not start: {error}. Set SANDBOX_URL to a free port.")
    told_to_stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda _number, _frame: told_to_stop.set())
    with server:
        told_to_stop.wait()
    return 0


def _server_from(settings: Settings) -> SandboxServer:
    if not settings.sandbox_url or not settings.sandbox_secret:
        raise ConfigError(
            "The payment simulation needs SANDBOX_URL (like http://127.0.0.1:8001) and SANDBOX_SECRET, "
            "and runs only where ADVANCIA_ENV is dev or test."
        )
    port = urlsplit(settings.sandbox_url).port
    if port is None:
        raise ConfigError("SANDBOX_URL must name a port, like http://127.0.0.1:8001.")
    return SandboxServer(
        var=settings.var,
        webhook_url=f"{settings.public_url}/webhooks/stripe",
        secret=settings.sandbox_secret,
        port=port,
        public_url=settings.sandbox_url.rstrip("/"),
    )


def _give_up(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
