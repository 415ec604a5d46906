"""The queue in Valkey/Redis: only the doorbell, see `advancia.core.outbox`."""

from __future__ import annotations

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from advancia.config import Settings
from advancia.core.jobs import Job

NAME = "advancia"
WORK_OFF = "worker.crew.work_off"
JOB_TIMEOUT_SECONDS = 300
# The full proof reads every entry there ever was: some minutes for each hundred million.
LONGER_SECONDS = {
    Job.PROVE_LEDGER.value: 6 * 3600,
    Job.RECONCILE.value: 6 * 3600,
    Job.PROVE_BACKUP.value: 6 * 3600,
    Job.BACK_UP.value: 6 * 3600,
    Job.PRUNE_BACKUPS.value: 3600,
}


def connection(settings: Settings) -> Redis:
    """A connection which notices within seconds that the other side is gone, or hangs; RQ's worker gives it longer."""
    return Redis.from_url(
        settings.redis_url, socket_connect_timeout=3, socket_timeout=5, health_check_interval=15
    )


def queue(redis: Redis) -> Queue:
    return Queue(NAME, connection=redis, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT_SECONDS)


def longest(kind: str) -> int:
    """For how many seconds a job of that kind may run before it is broken off."""
    return LONGER_SECONDS.get(kind, JOB_TIMEOUT_SECONDS)


def ring(doorbell: Queue) -> None:
    """Have a worker look for what is due."""
    doorbell.enqueue(WORK_OFF, result_ttl=0, failure_ttl=60)
