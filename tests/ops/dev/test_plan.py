"""What is to run, by the settings: ours, or the servers that the environment names."""

import json
import socket

import pytest

from advancia.config import ConfigError
from advancia.ops.dev import home, ports
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.plan import heads, plan
from tests.support.servers import free_port


@pytest.fixture
def busy_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def decide(tmp_path):
    def decide_for(**environ):
        home.make(tmp_path)
        return plan({"PORT": str(free_port()), **environ}, tmp_path)

    return decide_for


def names(decided) -> list[str]:
    return [program.name for program in (*decided.foreground(), *decided.background())]


def test_by_default_both_servers_are_ours_and_payments_are_simulated(decide):
    decided = decide()

    assert decided.postgres is not None
    assert decided.valkey is not None
    assert names(decided) == ["web", "sandbox", "worker", "relay", "clock"]
    assert decided.settings.database_url.startswith("postgresql://advancia_app@/advancia?host=/")
    assert decided.settings.is_sandboxed


def test_servers_named_by_the_environment_are_used_instead(decide):
    decided = decide(
        DATABASE_URL="postgresql://app@db.example/a",
        DATABASE_OWNER_URL="postgresql://owner@db.example/a",
        REDIS_URL="redis://cache.example:6379/0",
    )

    assert decided.postgres is None
    assert decided.valkey is None
    assert decided.settings.database_url == "postgresql://app@db.example/a"
    assert decided.settings.redis_url == "redis://cache.example:6379/0"
    assert not {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"} & decided.embedded.keys()


def test_with_stripe_keys_there_is_no_sandbox(decide):
    decided = decide(STRIPE_SECRET_KEY="sk_test_1", STRIPE_WEBHOOK_SECRET="whsec_1")

    assert "sandbox" not in names(decided)
    assert "SANDBOX_URL" not in decided.embedded


def test_other_processes_find_the_servers_in_a_file_that_only_we_may_read(decide, tmp_path):
    decided = decide()

    decided.write_settings()

    written = tmp_path / "embedded.json"
    assert written.stat().st_mode & 0o777 == 0o600
    assert json.loads(written.read_text()) == decided.embedded
    assert decided.embedded.keys() == {
        *("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SECRET_KEY", "SEAL_KEYS", "FIELD_KEYS"),
        *("SANDBOX_URL", "SANDBOX_SECRET", "PORT", "PUBLIC_URL", "BACKUP_RECIPIENTS"),
    }
    decided.remove_settings()
    assert not written.exists()


def test_secrets_and_the_sandboxs_port_stay_the_same_over_restarts(decide):
    port = str(free_port())

    assert decide(PORT=port).embedded == decide(PORT=port).embedded


def test_the_children_are_told_the_folder_and_live_in_utc(decide, tmp_path):
    told = decide(EXTRA="kept").environ

    assert told["ADVANCIA_VAR"] == str(tmp_path)
    assert told["TZ"] == "UTC"
    assert told["EXTRA"] == "kept"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"DATABASE_URL": "postgresql://app@db.example/a"},
            "DATABASE_OWNER_URL is missing though DATABASE_URL is set",
        ),
        (
            {"DATABASE_OWNER_URL": "postgresql://o@db.example/a"},
            "DATABASE_URL is missing though DATABASE_OWNER_URL",
        ),
        ({"ADVANCIA_ENV": "production"}, "./run is for development and trying out"),
        ({"PORT": "eighty"}, "PORT is 'eighty'"),
        ({"HOST": "192.0.2.1"}, "192.0.2.1 cannot be listened on"),
    ],
)
def test_a_setting_that_cannot_work_is_named_before_anything_starts(decide, environ, sentence):
    with pytest.raises((StartError, ConfigError), match=sentence):
        decide(**environ)


def test_a_busy_port_is_named_with_the_way_out(decide, busy_port):
    with pytest.raises(
        StartError, match=rf"Port {busy_port} is in use.*: set PORT to another, like PORT={busy_port + 1}"
    ):
        decide(PORT=str(busy_port))


def test_the_remembered_port_is_left_for_another_when_somebody_has_it(tmp_path, busy_port):
    remembered = tmp_path / "port"
    remembered.write_text(f"{busy_port}\n")

    chosen = ports.own_port(remembered)

    assert chosen != busy_port
    assert remembered.read_text() == f"{chosen}\n"


def test_the_newest_migration_is_the_one_that_none_follows(tmp_path):
    (tmp_path / "a.py").write_text('revision = "first"\ndown_revision = None\n')
    (tmp_path / "b.py").write_text('revision: str = "second"\ndown_revision: str | None = "first"\n')

    assert heads(tmp_path) == {"second"}

    (tmp_path / "c.py").write_text("revision = 'side'\ndown_revision = 'first'\n")
    assert heads(tmp_path) == {"second", "side"}
    (tmp_path / "d.py").write_text("revision = 'both'\ndown_revision = ('second', 'side')\n")
    assert heads(tmp_path) == {"both"}


def test_backups_are_for_a_key_that_is_made_once_and_lies_where_only_we_may_read(decide, tmp_path):
    first, second = decide(), decide()

    identity = tmp_path / "secrets" / home.BACKUP_IDENTITY
    (recipient,) = first.settings.backups.recipients
    assert second.settings.backups.recipients == (recipient,)
    assert recipient in identity.read_text()
    assert identity.stat().st_mode & 0o077 == 0
    assert first.settings.backups.target == str(tmp_path / "backups")
