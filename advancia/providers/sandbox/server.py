"""The simulation as a server: for the process of its own, and in a thread for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict

from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from advancia.config import ROOT
from advancia.core.clock import utcnow
from advancia.core.log import logger
from advancia.providers.cryptomus import sandbox_payout_key
from advancia.providers.sandbox.api import api
from advancia.providers.sandbox.balance import Balance
from advancia.providers.sandbox.cards import Cards
from advancia.providers.sandbox.checkouts import SETTLE_SECONDS, Checkouts
from advancia.providers.sandbox.couriers import Couriers
from advancia.providers.sandbox.crypto_api import crypto_api, signer
from advancia.providers.sandbox.crypto_pages import crypto_pages
from advancia.providers.sandbox.disputes import Disputes
from advancia.providers.sandbox.faults import Fault, Faults
from advancia.providers.sandbox.invoices import KIND as INVOICE
from advancia.providers.sandbox.invoices import Invoices
from advancia.providers.sandbox.pages import content_security_policy, pages
from advancia.providers.sandbox.payments import Payments
from advancia.providers.sandbox.payouts import KIND as PAYOUT
from advancia.providers.sandbox.payouts import Payouts
from advancia.providers.sandbox.refunds import Refunds
from advancia.providers.sandbox.store import Delivery, Mischief, Store
from advancia.providers.stripe_events import ENABLED_EVENTS

_FINISH_SECONDS = 5.0
_LARGEST_BODY = 64 * 1024
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Simulation": "no real money moves here",
}

log = logger(__name__)


class Times(TypedDict):
    clock: Callable[[], datetime]
    settle_seconds: float


class SandboxServer:
    """The simulated providers, listening from construction and serving from `start` to `stop`.

    `secret` is both the APIs' key and what events are signed with; `events` are the kinds that our endpoint
    for cards is subscribed to. `port` 0 takes a free one. `clock` is passed in, so that tests let hours pass.
    Raises `OSError` when the port is taken, or the folder not ours.
    """

    def __init__(
        self,
        *,
        var: Path,
        webhook_url: str,
        secret: str,
        port: int = 0,
        public_url: str | None = None,
        clock: Callable[[], datetime] = utcnow,
        settle_seconds: float = SETTLE_SECONDS,
        silence_seconds: float = 30.0,
        events: Collection[str] = ENABLED_EVENTS,
        templates: Path = ROOT / "templates",
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.url = public_url or f"http://127.0.0.1:{self.port}"
        self._clock = clock
        self._store = Store(var / "sandbox" / "sandbox.sqlite3")
        self._store.subscribed = frozenset(events)
        self._faults = Faults(silence_seconds=silence_seconds)
        times: Times = {"clock": clock, "settle_seconds": settle_seconds}
        self.cards = Cards(
            checkouts=Checkouts(self._store, base_url=self.url, **times),
            payments=Payments(self._store, clock=clock),
            refunds=Refunds(self._store, **times),
            disputes=Disputes(self._store, clock=clock),
            balance=Balance(self._store, clock=clock),
        )
        self.invoices = Invoices(self._store, base_url=self.url, sign=signer(secret), **times)
        self.payouts = Payouts(self._store, sign=signer(sandbox_payout_key(secret)), **times)
        self._couriers = Couriers(
            self._store, advance=self._advance, webhook_url=webhook_url, secret=secret, clock=clock
        )
        self._under_way = _UnderWay()
        self._server = make_server(
            "127.0.0.1",
            self.port,
            self._flask_app(secret, templates),
            threaded=True,
            request_handler=_handler(self._under_way),
            fd=self._socket.fileno(),
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="sandbox", daemon=True
        )

    def start(self) -> None:
        self._couriers.start()
        self._thread.start()
        log.info("sandbox_ready", url=self.url)

    def stop(self) -> None:
        """Take no more calls, finish those under way, and keep the rest for the next start."""
        self._faults.stop()
        self._server.shutdown()
        self._thread.join()
        self._under_way.wait_for_none(_FINISH_SECONDS)
        self._couriers.stop()
        self._server.server_close()
        self._socket.close()
        self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def deliveries(self) -> list[Delivery]:
        """Every event so far, oldest first, with how its delivery stands."""
        return self._store.deliveries()

    def checkout_count(self) -> int:
        """How many checkouts were ever opened."""
        return self._store.object_count("cs_")

    def deliver_again(self, event_id: str) -> None:
        """Send an event once more, as Stripe may."""
        self._store.deliver_again(event_id, self._clock().timestamp())
        self._couriers.wake()

    def remember(self, things: Iterable[dict[str, Any]]) -> None:
        """Take over objects as they are, without any of what they would lead to: for histories that tests make up."""
        self._store.keep_all(things)

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        """Let the next API call fail, or the next `times` calls."""
        self._faults.fail_next(fault, times)

    def wake(self) -> None:
        """The clock was moved: look what is due."""
        self._couriers.wake()

    def deliver(self, *, copies: int = 1, late: float = 0.0, shuffled: bool = False) -> None:
        """Let the events to come arrive so often, so many seconds late, and in any order."""
        self._store.mischief = Mischief(copies=copies, late=late, shuffled=shuffled)

    def _advance(self) -> bool:
        """Let one thing happen whose time has come; false when there is none."""
        with self._store.transaction():
            due = self._store.due_timer(self._clock().timestamp())
            if due is None:
                return False
            object_id, what = due
            self._store.clear_timers(object_id)
            kind = (self._store.object(object_id) or {}).get("kind")
            if kind == INVOICE:
                self.invoices.happen(object_id, what)
            elif kind == PAYOUT:
                self.payouts.become(object_id, "paid")
            else:
                self.cards.happen(object_id, what)
        return True

    def _flask_app(self, secret: str, templates: Path) -> Flask:
        app = Flask(
            "advancia-sandbox", root_path=str(ROOT), template_folder=str(templates), static_folder="static"
        )
        app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
        # The shared macros name the product's filters for times, which no page here shows.
        app.jinja_env.filters.update(dict.fromkeys(("iso", "exact_time", "human_time"), str))
        app.register_blueprint(api(store=self._store, cards=self.cards, faults=self._faults, key=secret))
        app.register_blueprint(
            crypto_api(invoices=self.invoices, payouts=self.payouts, faults=self._faults, key=secret)
        )
        app.register_blueprint(pages(cards=self.cards))
        app.register_blueprint(crypto_pages(invoices=self.invoices))
        app.add_url_rule("/health", view_func=lambda: {"status": "ok", "simulation": True})
        app.after_request(self._finish)
        return app

    def _finish(self, answer: Response) -> Response:
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Content-Security-Policy", content_security_policy())
        self._couriers.wake()  # the request may have made an event
        return answer


class _UnderWay:
    """Counts the requests under way, so that stopping can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, seconds)


def _handler(under_way: _UnderWay) -> type[WSGIRequestHandler]:
    class Handler(WSGIRequestHandler):
        def run_wsgi(self) -> None:
            with under_way:
                super().run_wsgi()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing of each request; the product's own log tells what it asked for."""

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name is werkzeug's
            log.warning("sandbox_http", kind=type, line=message % args)

    return Handler
