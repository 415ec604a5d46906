"""The commands `flask secrets encrypt` and `decrypt`: they need neither a database nor valid settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from advancia import config
from advancia.ops.secrets import bundles, files
from advancia.ops.secrets.bundles import BundleError

LARGEST_FILE = 1024 * 1024
Command = TypeVar("Command", bound=Callable[..., Any])


def _with_files(command: Command) -> Command:
    """The arguments and options that both commands take."""
    a_file = click.Path(dir_okay=False, path_type=Path)
    for decorate in (
        click.option(
            "--overwrite", is_flag=True, help="Replace TARGET where it exists. Else: it is refused."
        ),
        click.option(
            "--passphrase-file",
            type=a_file,
            help=f"A file whose first line is the passphrase. Else: {config.UNLOCKS_BUNDLES}, or asked for.",
        ),
        click.argument("target", type=a_file),
        click.argument("source", type=a_file),
    ):
        command = decorate(command)
    return command


@click.command("encrypt")
@_with_files
def encrypt_command(source: Path, target: Path, passphrase_file: Path | None, *, overwrite: bool) -> None:
    """Encrypt the settings in SOURCE, an .env file, into TARGET, a text file that may lie beside the code.

    Nothing of SOURCE is printed but how many settings it has and which of them are unknown. SOURCE is left where it
    is: remove it yourself once TARGET is safe.
    """
    settings = _read(source)
    _refuse_existing(source, target, overwrite=overwrite)
    try:
        names = bundles.names_in(settings)
        bundle = bundles.encrypt(settings, _passphrase(passphrase_file, is_new=True))
    except BundleError as refusal:
        raise click.ClickException(str(refusal)) from None
    _write(target, bundle, overwrite=overwrite)
    click.echo(f"Encrypted into {target}: {_count(names)}.")
    if unknown := [name for name in names if name not in config.NAMES]:
        click.echo(f"Not settings of this version: {', '.join(unknown)}.", err=True)


@click.command("decrypt")
@_with_files
def decrypt_command(source: Path, target: Path, passphrase_file: Path | None, *, overwrite: bool) -> None:
    """Decrypt SOURCE, as `encrypt` wrote it, into TARGET, an .env file that its owner alone may read."""
    bundle = _read(source)
    _refuse_existing(source, target, overwrite=overwrite)
    try:
        settings = bundles.decrypt(bundle, _passphrase(passphrase_file, is_new=False))
        names = bundles.names_in(settings)
    except BundleError as refusal:
        raise click.ClickException(f"{source}: {refusal}") from None
    _write(target, settings, overwrite=overwrite)
    click.echo(f"Decrypted into {target}: {_count(names)}. Keep that file out of the code and the backups.")


def _passphrase(file: Path | None, *, is_new: bool) -> str:
    if file is not None:
        return (_read(file).splitlines() or [""])[0]
    given = config.passphrase()
    if given is not None:
        return given
    asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)
    return asked


def _read(path: Path) -> str:
    try:
        return files.read_text(path, at_most=LARGEST_FILE)
    except OSError as failure:
        raise click.ClickException(f"{path} cannot be read: {failure.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{path} is no text file.") from None
    except ValueError:
        raise click.ClickException(f"{path} is larger than any file of settings.") from None


def _refuse_existing(source: Path, target: Path, *, overwrite: bool) -> None:
    """Before anybody is asked for a passphrase; the writing itself refuses once more."""
    if target.exists() and target.samefile(source):
        raise click.ClickException("SOURCE and TARGET are the same file.")
    if target.exists() and not overwrite:
        raise click.ClickException(
            f"{target} exists and is left as it is: name another file, or add --overwrite."
        )


def _write(target: Path, text: str, *, overwrite: bool) -> None:
    try:
        files.write_private(target, text, overwrite=overwrite)
    except files.Exists:
        raise click.ClickException(f"{target} exists and is left as it is: name another file.") from None
    except OSError as failure:
        raise click.ClickException(f"{target} cannot be written: {failure.strerror}.") from None


def _count(names: list[str]) -> str:
    return f"{len(names)} settings" if len(names) > 1 else "1 setting"
