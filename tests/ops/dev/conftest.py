import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ops.dev.support import Running


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path, which users other than ours can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="adv-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Running]]:
    """Start commands which are ended after the test, come what may."""
    started: list[Running] = []

    def start_one(words, **environ) -> Running:
        started.append(Running(words, output=tmp_path / f"output-{len(started)}", environ=environ))
        return started[-1]

    yield start_one
    for running in started:
        running.clean_up()
