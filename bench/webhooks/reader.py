"""Customers who look at their wallet, so many times a second, whatever else goes on."""

from __future__ import annotations

import http.client
import itertools
import time
from urllib.parse import urlsplit

from bench.webhooks.orders import Answer, serve, told

PATH = "/wallet"
FOUND = 200


class Reader:
    def __init__(self, *, url: str, cookies: list[str], reads: int) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.cookies = itertools.cycle(cookies)
        self.pause = 1 / reads

    def read(self, *, seconds: float) -> Answer:
        """Look so long. Gives how long each page took."""
        self.connection.close()  # the server may have closed it since the last turn
        self.connection.connect()
        begun, latencies = time.perf_counter(), []
        due = begun
        while due < begun + seconds:
            time.sleep(max(0.0, due - time.perf_counter()))
            latencies.append(self._once())
            due += self.pause
        return {"latencies": latencies}

    def _once(self) -> float:
        asked = time.perf_counter()
        self.connection.request("GET", PATH, headers={"Cookie": next(self.cookies)})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != FOUND:
            raise RuntimeError(f"The wallet was answered by {answer.status}.")
        return time.perf_counter() - asked


def main() -> None:
    serve(Reader(**told()).read)


if __name__ == "__main__":
    main()
