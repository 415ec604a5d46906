"""The entrance for web servers and for `flask --app wsgi …`."""

import sys

from advancia.app import create_app
from advancia.config import ConfigError

try:
    app = create_app()
except ConfigError as problem:
    sys.exit(str(problem))
