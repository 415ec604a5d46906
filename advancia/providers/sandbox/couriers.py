"""The threads that carry events to the product, again and again, and let time pass for the checkouts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import httpx
import stripe

from advancia.core.log import logger
from advancia.providers import authorities
from advancia.providers.sandbox.store import Delivery, Store, is_accepted
from advancia.providers.stripe_events import SIGNATURE_HEADER

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
GIVE_UP_AFTER = 3 * 24 * 60 * 60.0
ANSWER_SECONDS = 10.0
_LEASE = 3 * ANSWER_SECONDS
_LONGEST_NAP = 1.0

log = logger(__name__)


def pause_after(tries: int) -> float:
    """Seconds until the next try: 0.5, 1, 2, 4 … and at most 30."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 16))


class Couriers:
    """Delivers each event until the product answers 2xx, or for three days. `advance` lets time pass, a step a call."""

    def __init__(
        self,
        store: Store,
        *,
        advance: Callable[[], bool],
        webhook_url: str,
        secret: str,
        clock: Callable[[], datetime],
        hands: int = 2,
    ) -> None:
        self._store = store
        self._advance = advance
        self._webhook_url = webhook_url
        self._secret = secret
        self._clock = clock
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"courier-{number}", daemon=True)
            for number in range(hands)
        ]

    def start(self) -> None:
        self._store.release_deliveries(self._now())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the deliveries under way; what is pending stays for the next start."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 1)

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        with self._news:
            self._news.notify_all()

    def _work(self) -> None:
        # The environment's proxy settings are for the world outside, not for this machine.
        with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, verify=authorities.known()) as client:
            while not self._stopping.is_set():
                try:
                    self._step(client)
                except Exception:  # a courier that dies would silently keep every event after it
                    log.exception("sandbox_courier_stumbled")
                    self._stopping.wait(_LONGEST_NAP)

    def _step(self, client: httpx.Client) -> None:
        if self._advance():
            return
        delivery = self._store.claim_delivery(self._now(), _LEASE)
        if delivery is None:
            self._nap()
        else:
            self._deliver(client, delivery)

    def _deliver(self, client: httpx.Client, delivery: Delivery) -> None:
        answer, problem = None, None
        try:
            answer = self._post(client, delivery)
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        if is_accepted(answer):
            self._store.arrived(delivery.event_id)
        self._store.record_delivery(
            delivery.event_id, due=self._next_try(delivery, answer), answer=answer, problem=problem
        )
        log.info(
            "sandbox_delivery",
            event_id=delivery.event_id,
            type=delivery.type,
            tries=delivery.tries,
            answer=answer,
        )

    def _post(self, client: httpx.Client, delivery: Delivery) -> int:
        if delivery.url is not None:
            headers = {"Content-Type": "application/json", "User-Agent": "Cryptomus/1.0 (simulation)"}
            return client.post(delivery.url, content=delivery.body.encode(), headers=headers).status_code
        # Signed anew for each try, as signatures grow stale; by Stripe's own code, not the code that checks.
        signature = stripe.WebhookSignature.generate_signature_header(
            delivery.body, self._secret, int(self._now())
        )
        headers = {
            SIGNATURE_HEADER: signature,
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (simulation)",
        }
        return client.post(self._webhook_url, content=delivery.body.encode(), headers=headers).status_code

    def _next_try(self, delivery: Delivery, answer: int | None) -> float | None:
        now = self._now()
        if is_accepted(answer) and delivery.copies > 1:
            return now
        if is_accepted(answer) or now - delivery.made > GIVE_UP_AFTER:
            return None
        return now + pause_after(delivery.tries)

    def _nap(self) -> None:
        with self._news:
            due = self._store.next_due()
            nap = _LONGEST_NAP if due is None else min(max(due - self._now(), 0.01), _LONGEST_NAP)
            if not self._stopping.is_set():
                self._news.wait(nap)

    def _now(self) -> float:
        return self._clock().timestamp()
