"""What can keep the product from starting."""

from pathlib import Path


class StartError(Exception):
    """The product cannot start; the text is one sentence that says why and how to mend it."""


def not_writable(path: Path, failure: OSError) -> StartError:
    """The sentence for a folder in which we may not work."""
    return StartError(
        f"{failure.filename or path} cannot be written to ({failure.strerror}): "
        "set ADVANCIA_VAR to a folder of your own."
    )
