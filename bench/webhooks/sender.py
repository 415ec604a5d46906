"""The provider's side of a storm: sends signed events over connections that stay open, as fast as answers come."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench.webhooks.orders import Answer, serve, told

PATH = "/webhooks/stripe"


class Sender:
    def __init__(self, *, url: str, secret: str, file: str) -> None:
        self.at = urlsplit(url).netloc
        self.secret = secret.encode()
        with Path(file).open(encoding="utf-8") as lines:
            self.bodies = [json.loads(line)["body"].encode() for line in lines]

    def send(self, *, first: int, count: int, connections: int, seconds: float | None = None) -> Answer:
        """Send so many events from `first` on: as fast as answers come, or spread evenly over `seconds`.

        Gives the statuses and how long each answer took, in the order of the events, and when the first was sent.
        """
        statuses, latencies = [0] * count, [0.0] * count
        numbers = iter(range(count))  # next() of it is one step, so threads may share it
        begun, pause = time.time(), seconds / count if seconds else 0.0

        def work() -> None:
            connection = http.client.HTTPConnection(self.at, timeout=60)
            connection.connect()
            for number in _paced(numbers, begun, pause):
                asked = time.perf_counter()
                statuses[number] = self._post(connection, self.bodies[first + number])
                latencies[number] = time.perf_counter() - asked
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"begun": begun, "ended": time.time(), "statuses": statuses, "latencies": latencies}

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> int:
        at = str(int(time.time()))
        signed = hmac.new(self.secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "Stripe-Signature": f"t={at},v1={signed}",
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (bench)",
        }
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def _paced(numbers: Iterator[int], begun: float, pause: float) -> Iterator[int]:
    for number in numbers:
        if pause:
            time.sleep(max(0.0, begun + number * pause - time.time()))
        yield number


def main() -> None:
    serve(Sender(**told()).send)


if __name__ == "__main__":
    main()
