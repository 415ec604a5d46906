"""The embedded Valkey."""

import pytest
import redis

from advancia.ops.dev.errors import StartError
from advancia.ops.dev.valkey import ValkeyServer


@pytest.fixture
def valkey(tmp_path):
    server = ValkeyServer(tmp_path / "with a space")
    server.start()
    yield server
    server.stop()


def client_of(server) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_answers_at_its_address(valkey):
    assert client_of(valkey).ping()
    assert valkey.is_ready


def test_what_was_queued_survives_a_restart(valkey):
    client_of(valkey).rpush("queue", "job")

    valkey.restart()

    assert client_of(valkey).lrange("queue", 0, -1) == ["job"]


def test_it_starts_again_after_kill_9(valkey):
    valkey.kill()
    assert not valkey.is_running

    valkey.start()

    assert client_of(valkey).ping()


def test_a_long_path_gets_a_short_socket(tmp_path):
    server = ValkeyServer(tmp_path / ("long" * 30))
    try:
        server.start()
        assert client_of(server).ping()
    finally:
        server.stop()


def test_a_file_it_cannot_read_is_told_in_one_sentence(tmp_path):
    damaged = tmp_path / "data" / "appendonlydir"
    damaged.mkdir(parents=True)
    (damaged / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(StartError, match=r"Valkey did not start: .*(more in .*valkey\.log\)\.)"):
        ValkeyServer(tmp_path).start()
