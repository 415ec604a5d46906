"""The entrance for web servers and for `flask --app wsgi …`."""

import sys

from advancia.app import create_app, create_app_of_commands
from advancia.config import ConfigError

# A page asks the database many times, and after each answer waits for the interpreter until a busy thread has had its
# interval: by default five milliseconds, which made pages several times as slow beside a crowd.
sys.setswitchinterval(0.001)

try:
    app = create_app()
except ConfigError as problem:
    app = create_app_of_commands(problem)
