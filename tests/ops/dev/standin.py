"""A supervisor over stand-ins, for its tests: `python standin.py VAR JSON`.

The JSON names children (name → Python code; `web` is the foreground) and, optionally, `longest_stop` in
seconds, `healthy` (a file whose existence means that the product is up), `preparation` (Python code) and
`prepared` (whether the pages may come before that is over). Each child finds the folder `seen` in
its working folder, VAR, to leave marks in. `VAR/events` lists what the supervisor did with its one server.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

from advancia.ops.dev import home
from advancia.ops.dev.announce import Terminal
from advancia.ops.dev.child import Child, Program
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.supervisor import Parts, Supervisor

MARKS = """
import os, signal, sys, time, pathlib
def mark(name, text=''):
    path = pathlib.Path('seen', name)
    path.with_suffix('.new').write_text(text or str(os.getpid()))
    path.with_suffix('.new').rename(path)
def wait():
    while True:
        signal.pause()
"""


class StandInServer:
    """It runs until the file `seen/server-dies` is there."""

    def __init__(self, var: Path) -> None:
        self.events = var / "events"
        self.end = var / "seen" / "server-dies"
        self.was_started = False

    @property
    def is_running(self) -> bool:
        return self.was_started and not self.end.exists()

    @property
    def is_ready(self) -> bool:
        return self.is_running

    def note(self, event: str) -> None:
        with self.events.open("a") as file:
            file.write(event + "\n")

    def launch(self) -> None:
        self.end.unlink(missing_ok=True)
        self.was_started = True
        self.note("server started")

    def failure(self) -> StartError:
        return StartError("The server did not start.")

    def stop(self) -> None:
        self.note("server stopped")

    def kill_now(self) -> None:
        self.note("server killed")


def main(var: Path, wanted: dict) -> int:
    terminal = Terminal()

    def child(name: str, code: str) -> Child:
        return Child(
            Program(name, (sys.executable, "-c", MARKS + code)),
            environ=os.environ | {"ADVANCIA_VAR": str(var)},
            cwd=var,
            var=var,
            show=lambda words: terminal.worry(name, words),
        )

    try:
        home.make(var)
        (var / "seen").mkdir(exist_ok=True)
        with home.held(var):
            for name in home.end_leftovers(var, seconds=1):
                terminal.say(f"ended {name}")
            server = StandInServer(var)
            parts = Parts(
                servers={"server": server},
                preparation=child("prepare", wanted["preparation"]) if "preparation" in wanted else None,
                is_prepared=lambda: wanted.get("prepared", False),
                foreground=[child(name, code) for name, code in wanted["children"].items() if name == "web"],
                background=[child(name, code) for name, code in wanted["children"].items() if name != "web"],
                is_healthy=(var / wanted.get("healthy", "seen")).exists,
                when_servers_are_up=lambda: server.note("servers are up"),
                when_all_is_up=partial(terminal.say, "all is up"),
            )
            return Supervisor(parts, terminal, longest_stop=wanted.get("longest_stop", 10)).run()
    except StartError as failure:
        terminal.refuse(str(failure))
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
