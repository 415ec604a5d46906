"""The arrows between the rooms go one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from advancia.config import ROOT


def test_the_import_contracts_hold():
    checker = Path(sys.executable).parent / "lint-imports"
    outcome = subprocess.run([checker], cwd=ROOT, capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stdout


def test_the_product_never_imports_the_worker():
    for path in (ROOT / "advancia").rglob("*.py"):
        assert "import worker" not in path.read_text().replace("from worker", "import worker"), path
