"""Ask pip-audit whether a library that the product runs on has a known hole, and do not take silence for a no.

pip-audit says "no known vulnerabilities" also of packages that it could not ask about. Ends with 0 if every package
was asked about and none has a hole, with 1 if one has, and with 3 if some could not be asked about from here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HOLES, UNANSWERED = 1, 3
PATIENCE_SECONDS = 300


def main() -> int:
    packages = asked_about("requirements.txt")
    if packages is None:
        print("Not checked: no service that knows of holes can be reached from here.")
        return UNANSWERED
    holes = [package for package in packages if package.get("vulns")]
    unanswered = [package["name"] for package in packages if "skip_reason" in package]
    for package in holes:
        ids = ", ".join(each["id"] for each in package["vulns"])
        print(f"{package['name']} {package['version']}: {ids}")
    if unanswered:
        print(
            f"Not checked, since the index here knows no holes: {len(unanswered)} of {len(packages)} packages."
        )
    return HOLES if holes else UNANSWERED if unanswered else 0


def asked_about(requirements: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; `None` if it reached nobody."""
    tool = Path(sys.executable).parent / "pip-audit"
    command = [
        tool,
        "-r",
        requirements,
        "--require-hashes",
        "--disable-pip",
        "-f",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
        packages: list[dict[str, Any]] = json.loads(told.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return packages


if __name__ == "__main__":
    sys.exit(main())
