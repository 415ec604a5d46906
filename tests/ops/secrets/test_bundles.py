"""Settings as a text file beside the code: unreadable without the passphrase, unchangeable, and never in the way."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from advancia.config import NAMES, ROOT, load_settings
from advancia.ops.secrets import bundles
from advancia.ops.secrets.bundle_cli import decrypt_command, encrypt_command
from advancia.ops.secrets.bundles import (
    BundleError,
    Cost,
    Damaged,
    NoBundle,
    WeakPassphrase,
    WrongPassphrase,
)

bundle_commands = click.Group("secrets", {"encrypt": encrypt_command, "decrypt": decrypt_command})

PASSPHRASE = "lantern orbit velvet gr\u00fcn harbour"
SETTINGS = """\
# production
ADVANCIA_ENV=production
SECRET_KEY=0f1e2d3c4b5a69788796a5b4c3d2e1f0
MAIL_FROM="Advancia <no-reply@pay.example.com>"

export STRIPE_SECRET_KEY=sk_live_51Habcdefgh
"""
SECRETS = ("0f1e2d3c4b5a6978", "sk_live_51Habc", "lantern orbit")


@pytest.fixture(scope="module")
def bundle():
    return bundles.encrypt(SETTINGS, PASSPHRASE)


def with_mended_checksum(text):
    """As somebody would leave it who changes the file on purpose."""
    lines = text.rstrip().split("\n")
    body = "\n".join(lines[4:-2])
    lines[-1] = "sha256 " + hashlib.sha256(f"{chr(10).join(lines[:3])}\n\n{body}".encode()).hexdigest()
    return "\n".join(lines) + "\n"


def test_what_was_encrypted_comes_back_to_the_byte(bundle):
    assert bundles.decrypt(bundle, PASSPHRASE) == SETTINGS


def test_a_bundle_shows_nothing_of_the_settings_and_says_how_it_was_made(bundle):
    lines = bundle.split("\n")

    assert lines[0] == "advancia-settings 1"
    assert re.fullmatch(r"scrypt n=131072 r=8 p=1 salt=\S{24}", lines[1])
    assert re.fullmatch(r"aes-256-gcm nonce=\S{16}", lines[2])
    assert all(len(line) <= 76 for line in lines)
    assert not [secret for secret in (*SECRETS, "STRIPE", "production") if secret in bundle]


def test_two_bundles_of_the_same_settings_have_nothing_in_common(bundle):
    other = bundles.encrypt(SETTINGS, PASSPHRASE)

    assert not set(other.split("\n")[1:]) & set(bundle.split("\n")[1:]) - {""}


def test_a_wrong_passphrase_is_told_as_such(bundle):
    with pytest.raises(WrongPassphrase, match="The passphrase does not open this file"):
        bundles.decrypt(bundle, PASSPHRASE + ".")


def test_the_passphrase_is_the_same_however_its_letters_are_composed(bundle):
    assert bundles.decrypt(bundle, PASSPHRASE.replace("\u00fc", "u\u0308")) == SETTINGS


def test_every_changed_character_and_every_cut_is_told_as_damage(bundle):
    for place, letter in enumerate(bundle.rstrip()):
        if letter == "\n":
            continue
        changed = bundle[:place] + ("A" if letter != "A" else "B") + bundle[place + 1 :]
        with pytest.raises((Damaged, NoBundle)):
            bundles.decrypt(changed, PASSPHRASE)
    for length in range(len(bundle.rstrip())):
        with pytest.raises((Damaged, NoBundle)):
            bundles.decrypt(bundle[:length], PASSPHRASE)


@pytest.mark.parametrize("line", [1, 2, 4, 5])
def test_whoever_changes_a_line_and_mends_the_checksum_still_cannot_make_it_open(bundle, line):
    lines = bundle.split("\n")
    place = len(lines[line]) - 6
    lines[line] = lines[line][:place] + ("A" if lines[line][place] != "A" else "B") + lines[line][place + 1 :]

    with pytest.raises(WrongPassphrase, match="somebody has changed the file"):
        bundles.decrypt(with_mended_checksum("\n".join(lines)), PASSPHRASE)


@pytest.mark.parametrize(
    "cost",
    ["n=2 r=8 p=1", "n=131071 r=8 p=1", "n=536870912 r=8 p=1", "n=131072 r=999 p=1", "n=131072 r=8 p=99"],
)
def test_a_file_cannot_make_its_reader_pay_any_price_or_none(bundle, cost):
    with pytest.raises(NoBundle, match="asks for a cost"):
        bundles.decrypt(with_mended_checksum(bundle.replace("n=131072 r=8 p=1", cost)), PASSPHRASE)


def test_a_higher_cost_is_remembered_by_the_file():
    dear = bundles.encrypt(SETTINGS, PASSPHRASE, cost=Cost(n=2**18))

    assert "n=262144" in dear
    assert bundles.decrypt(dear, PASSPHRASE) == SETTINGS


@pytest.mark.parametrize(
    "travelled",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "\n\n" + text.replace("\n", "  \n") + "\n",
    ],
)
def test_line_ends_that_an_editor_or_git_changed_do_no_harm(bundle, travelled):
    assert bundles.decrypt(travelled(bundle), PASSPHRASE) == SETTINGS


@pytest.mark.parametrize("text", ["", "\n", "A=b\n", "advancia-settings 2\nx\n\ny\n\nsha256 z\n", SETTINGS])
def test_another_file_is_told_to_be_no_bundle(text):
    with pytest.raises(NoBundle):
        bundles.decrypt(text, PASSPHRASE)


@pytest.mark.parametrize("passphrase", ["", "fourteen chars"])
def test_a_short_passphrase_is_refused(passphrase):
    with pytest.raises(WeakPassphrase, match="use 15 characters or more"):
        bundles.encrypt(SETTINGS, passphrase)


def test_the_names_of_the_settings_are_read_and_nothing_else():
    assert bundles.names_in(SETTINGS) == ["ADVANCIA_ENV", "SECRET_KEY", "MAIL_FROM", "STRIPE_SECRET_KEY"]
    assert set(bundles.names_in((ROOT / ".env.example").read_text())) == set(NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A=1\nsk_live_secret\n", "Line 2 is neither"),
        ("-----BEGIN PRIVATE KEY-----\n", "Line 1 is neither"),
        ("# nothing\n\n", "no setting"),
        ("", "no setting"),
    ],
)
def test_a_file_that_is_none_of_settings_is_refused_without_showing_it(text, says):
    with pytest.raises(BundleError, match=says) as refusal:
        bundles.names_in(text)

    assert "sk_live" not in str(refusal.value)


class Desk:
    """A folder with a file of settings, and the commands run in it: without a database and without settings."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.env = folder / "production.env"
        self.env.write_text(SETTINGS)
        self.bundle = folder / "production.env.sealed"
        self.back = folder / "back.env"
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE + "\n")

    def run(self, *words, **environ):
        """Run a command in this process, which is quick; return its exit code and all that it said."""
        ran = CliRunner(env={"ADVANCIA_PASSPHRASE": None, **environ}).invoke(
            bundle_commands, list(map(str, words))
        )
        return ran.exit_code, checked(ran.output)

    def run_for_real(self, *words):
        """Run it as an operator does, where neither a setting nor a database is."""
        ran = subprocess.run(
            [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "secrets", *map(str, words)],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "ADVANCIA_ENV": "production"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.returncode, checked(ran.stdout + ran.stderr)

    def encrypt(self, *options, **environ):
        return self.run(
            "encrypt", self.env, self.bundle, "--passphrase-file", self.passphrase, *options, **environ
        )

    def decrypt(self, *options, **environ):
        return self.run(
            "decrypt", self.bundle, self.back, "--passphrase-file", self.passphrase, *options, **environ
        )


def checked(said):
    assert "Traceback" not in said
    assert not [secret for secret in SECRETS if secret in said]
    return said


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_there_and_back_without_a_database_and_without_valid_settings(desk):
    options = ("--passphrase-file", desk.passphrase)
    code, said = desk.run_for_real("encrypt", desk.env, desk.bundle, *options)
    assert (code, said) == (0, f"Encrypted into {desk.bundle}: 4 settings.\n")

    code, said = desk.run_for_real("decrypt", desk.bundle, desk.back, *options)
    assert code == 0
    assert said.startswith(f"Decrypted into {desk.back}: 4 settings.")
    assert desk.back.read_text() == SETTINGS
    assert desk.env.read_text() == SETTINGS


def test_both_files_are_readable_to_their_owner_alone(desk):
    desk.encrypt()
    desk.decrypt()

    assert desk.bundle.stat().st_mode & 0o777 == 0o600
    assert desk.back.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in desk.folder.iterdir()} == {
        *("production.env", "production.env.sealed", "back.env", "passphrase")
    }


def test_the_passphrase_may_come_from_the_environment(desk):
    code, _ = desk.run("encrypt", desk.env, desk.bundle, ADVANCIA_PASSPHRASE=PASSPHRASE)
    assert code == 0

    code, _ = desk.run("decrypt", desk.bundle, desk.back, ADVANCIA_PASSPHRASE=PASSPHRASE)
    assert code == 0
    assert desk.back.read_text() == SETTINGS


def test_nothing_that_exists_is_overwritten_unless_it_is_asked_for(desk):
    desk.bundle.write_text("of value")
    code, said = desk.encrypt()
    assert (code, "exists and is left as it is" in said) == (1, True)
    assert desk.bundle.read_text() == "of value"

    assert desk.encrypt("--overwrite")[0] == 0
    desk.back.write_text("of value too")
    assert desk.decrypt()[0] == 1
    assert desk.back.read_text() == "of value too"

    assert desk.decrypt("--overwrite")[0] == 0
    assert desk.back.read_text() == SETTINGS
    assert desk.back.stat().st_mode & 0o777 == 0o600


def test_a_link_that_leads_elsewhere_is_not_followed(desk):
    elsewhere = desk.folder / "elsewhere"
    desk.bundle.symlink_to(elsewhere)

    code, said = desk.encrypt()

    assert (code, "exists and is left as it is" in said) == (1, True)
    assert not elsewhere.exists()


def test_a_file_is_never_encrypted_onto_itself(desk):
    code, said = desk.run("encrypt", desk.env, desk.env, "--overwrite", "--passphrase-file", desk.passphrase)

    assert (code, "are the same file" in said) == (1, True)
    assert desk.env.read_text() == SETTINGS


def test_a_wrong_passphrase_and_a_damaged_file_are_told_apart_and_leave_nothing_behind(desk):
    desk.encrypt()
    desk.passphrase.write_text("quite another passphrase")
    code, said = desk.decrypt()
    assert (code, "The passphrase does not open this file" in said) == (1, True)

    head, _, body = desk.bundle.read_text().partition("\n\n")
    desk.bundle.write_text(f"{head}\n\n{body.swapcase()}")
    code, said = desk.decrypt()
    assert (code, "The file is damaged" in said) == (1, True)
    assert not desk.back.exists()


def test_without_a_passphrase_it_is_asked_for_twice_and_not_shown(desk):
    def typed(*lines):
        return CliRunner(env={"ADVANCIA_PASSPHRASE": None}).invoke(
            bundle_commands,
            ["encrypt", str(desk.env), str(desk.bundle)],
            input="".join(f"{each}\n" for each in lines),
        )

    ran = typed(PASSPHRASE, "another one than that", "")
    assert ran.exit_code == 1
    assert "do not match" in checked(ran.output)
    assert not desk.bundle.exists()

    ran = typed(PASSPHRASE, PASSPHRASE)
    assert ran.exit_code == 0
    checked(ran.output)
    assert desk.decrypt()[0] == 0


def test_without_a_terminal_and_without_a_passphrase_nothing_is_done(desk):
    code, _ = desk.run_for_real("encrypt", desk.env, desk.bundle)

    assert code == 1
    assert not desk.bundle.exists()


def test_a_setting_that_this_version_does_not_know_is_named_without_its_value(desk):
    desk.env.write_text(SETTINGS + "STRIPE_SECRET_KEI=sk_live_51Habcdefgh\n")
    code, said = desk.encrypt()

    assert code == 0
    assert "Not settings of this version: STRIPE_SECRET_KEI." in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00", "is no text file"),
        (b"A=1\n" * 300_000, "is larger than any file of settings"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_a_file_of_settings_is_refused_in_words(desk, content, says):
    desk.env.unlink()
    if content is not None:
        desk.env.write_bytes(content)

    code, said = desk.encrypt()

    assert code == 1
    assert says in said
    assert not desk.bundle.exists()


def test_a_folder_that_is_not_there_is_told(desk):
    code, said = desk.run("encrypt", desk.env, desk.folder / "no" / "x", "--passphrase-file", desk.passphrase)

    assert (code, "cannot be written: No such file" in said) == (1, True)


def test_the_settings_of_a_bundle_start_the_product(desk, environ):
    """What comes back is what a container's env_file takes: the names and values of the settings."""
    desk.env.write_text("".join(f"{name}={value}\n" for name, value in environ.items()))
    desk.encrypt()
    desk.decrypt()

    told = dict(line.split("=", 1) for line in desk.back.read_text().splitlines())
    assert load_settings(told) == load_settings(environ)
