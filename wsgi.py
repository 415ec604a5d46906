"""The entrance for web servers and for `flask --app wsgi …`."""

from advancia.app import create_app, create_app_of_commands
from advancia.config import ConfigError

try:
    app = create_app()
except ConfigError as problem:
    app = create_app_of_commands(problem)
