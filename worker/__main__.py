"""The worker: hears rings from the queue, and runs the jobs that are due in this process, several at once.

Jobs are shallow and repeatable, so a process of its own for each, with its cold database connections, would cost more
than it protects: a job that takes its worker down is counted, tried again, alone, and in the end parked.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from redis.exceptions import ConnectionError as QueueGone
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from advancia.app import create_app
from advancia.core import log
from advancia.core.priority import step_back
from worker import crew, tasks
from worker import queue as bell

# Short, so that what a killed worker leaves behind is noticed within seconds.
WORKER_TTL = 30
MAINTENANCE_SECONDS = 10
MONITORING_SECONDS = 5
# Where processors are short, people at their pages go first.
NICENESS = 15

_log = log.logger(__name__)


class Worker(SimpleWorker):
    """RQ's, which says that it lives to us as well: while it waits for a ring, and after each."""

    def heartbeat(self, *words: Any, **more: Any) -> None:
        super().heartbeat(*words, **more)
        crew.PULSE.beat()


def main() -> None:
    app = create_app()
    step_back(NICENESS)
    tasks.functions()
    redis = bell.connection(app.extensions["settings"])
    with app.app_context():
        worker = Worker(
            [bell.queue(redis)],
            name=f"{socket.gethostname()}-{os.getpid()}",
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            maintenance_interval=MAINTENANCE_SECONDS,
            job_monitoring_interval=MONITORING_SECONDS,
            log_job_description=False,
        )
        _log.info("worker_started")
        try:
            worker.work(logging_level="WARNING")
        except QueueGone as trouble:
            raise SystemExit(
                f"The queue is gone ({trouble}); the worker starts anew once it is back."
            ) from None
        finally:
            crew.finish()
            crew.PULSE.stop()


if __name__ == "__main__":
    main()
