"""No secret stands in the repository: what looks like one is known, and why it is none is written down here."""

from __future__ import annotations

import json
import shutil
import subprocess
from fnmatch import fnmatch

import pytest
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

from advancia.config import ROOT

BASELINE = ROOT / ".secrets.baseline"
KEYWORDS = "Secret Keyword"  # the detector of lines like `password = "…"`

# Requirements are full of hashes. In tests and benchmarks the detector of keywords sees nothing but made-up
# passwords; keys of known forms, and whatever looks drawn by lot, are looked for there too.
LEFT_OUT = ("requirements*.txt", ".secrets.baseline", "*.png", "*.gz", "*.ico")
MADE_UP = ("tests/*", "bench/*")

WHY = {
    (
        "*.env.example",
        "Basic Auth Credentials",
    ): "an address to be filled in, whose password is the word for one",
    ("advancia/config/servers.py", "Basic Auth Credentials"): "an example in the text of an error",
    ("migrations/env.py", "Basic Auth Credentials"): "an example in the text of an error",
    ("advancia/providers/mail.py", "Basic Auth Credentials"): "an example in a docstring",
    ("advancia/core/jobs.py", KEYWORDS): "the name of a job",
    (
        "advancia/identity/blocklist/*",
        "Base64 High Entropy String",
    ): "a run along the keyboard, which is refused",
    (
        "advancia/identity/factors/services/recovery_codes.py",
        "Base64 High Entropy String",
    ): "the letters of codes",
    (
        "advancia/core/coin_addresses/*",
        "Base64 High Entropy String",
    ): "the letters that addresses are written in",
    ("advancia/identity/factors/*", KEYWORDS): "words for the person",
    ("advancia/identity/notices.py", KEYWORDS): "subjects of mails",
    (
        "advancia/ops/demo.py",
        KEYWORDS,
    ): "the demo's password, which is printed at every start, in development alone",
    ("advancia/ops/dev/announce.py", KEYWORDS): "the demo's password, as above",
    ("advancia/ops/secrets/cli.py", KEYWORDS): "the text of a docstring",
    ("advancia/web/well_known.py", KEYWORDS): "the name of a page",
    ("static/js/passkeys.js", KEYWORDS): "words for the person",
    ("tests/*", "Hex High Entropy String"): "vectors and keys that were made for the test and open nothing",
    ("tests/*", "Base64 High Entropy String"): "addresses and texts that were made for the test",
    ("tests/*", "Basic Auth Credentials"): "addresses that lead nowhere",
    ("tests/*", "Private Key"): "the first line of a key, without the key",
}

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"), reason="no repository here"
)


def looks_like_secrets():
    """What looks like a secret in the files that the repository holds: file, kind, and the hash of the text."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in told.stdout.split("\0") if name and not matches(name, LEFT_OUT)]
    with transient_settings(json.loads(BASELINE.read_text())):
        return {
            (name, secret.type, secret.secret_hash)
            for name in names
            if (ROOT / name).is_file()
            for secret in scan_file(str(ROOT / name))
            if not (secret.type == KEYWORDS and matches(name, MADE_UP))
        }


def known():
    entries = json.loads(BASELINE.read_text())["results"]
    return {
        (name, each["type"], each["hashed_secret"]) for name, several in entries.items() for each in several
    }


def matches(name, patterns):
    return any(fnmatch(name, pattern) for pattern in patterns)


def reason(name, kind):
    return next(
        (why for (pattern, of_kind), why in WHY.items() if of_kind == kind and fnmatch(name, pattern)), None
    )


@pytest.mark.slow
def test_nothing_looks_like_a_secret_that_is_not_known_to_be_none():
    """If this fails, look at the line. If it holds no secret: `python -m tests.architecture.test_secrets`."""
    assert {(name, kind) for name, kind, _ in looks_like_secrets() - known()} == set()


def test_every_entry_of_the_baseline_is_explained():
    assert {(name, kind) for name, kind, _ in known() if reason(name, kind) is None} == set()


def test_every_explanation_is_needed():
    kinds = {(name, kind) for name, kind, _ in known()}
    unused = [key for key in WHY if not any(key[1] == kind and fnmatch(name, key[0]) for name, kind in kinds)]

    assert unused == []


def test_a_secret_would_be_found(tmp_path):
    leak = tmp_path / "settings.py"
    leak.write_text(f'STRIPE_SECRET_KEY = "{"sk_live_" + "51H8q2K3mN4pR5tV6wX7yZ8a"}"\n')
    with transient_settings(json.loads(BASELINE.read_text())):
        assert {secret.type for secret in scan_file(str(leak))} & {"Stripe Access Key", KEYWORDS}


def renew():
    """Write the baseline anew. `WHY` has to explain what came to it."""
    baseline = json.loads(BASELINE.read_text())
    results: dict[str, list[dict[str, object]]] = {}
    for name, kind, digest in sorted(looks_like_secrets()):
        results.setdefault(name, []).append({"type": kind, "hashed_secret": digest, "is_secret": False})
    BASELINE.write_text(json.dumps({**baseline, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    renew()
