"""What is shown of the children's logs, and what the terminal makes of it."""

import io

import pytest

from advancia.ops.dev.announce import QUIET_FOR, Terminal
from advancia.ops.dev.logs import LARGEST, ChildLog, worry_in


class Screen(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"event": "paid", "level": "info"}', None),
        ('{"event": "mail_failed", "level": "warning"}', "mail_failed"),
        (
            '{"event": "x", "level": "error", "exception": "Traceback\\n  in y\\nKeyError: 1"}',
            "x · KeyError: 1",
        ),
        ("[ERROR] Unexpected exit from worker-1", "[ERROR] Unexpected exit from worker-1"),
        ("plain words", None),
        ("42", None),
    ],
)
def test_only_warnings_and_worse_are_shown_and_of_them_only_the_gist(line, shown):
    assert worry_in(line) == shown


def test_the_same_worry_is_shown_once_in_a_while_only():
    screen, clock = Screen(is_terminal=False), [0.0]
    terminal = Terminal(screen, now=lambda: clock[0])
    for _ in range(3):
        terminal.worry("worker", "mail_failed")
    assert screen.getvalue().count("mail_failed") == 1

    clock[0] += QUIET_FOR
    terminal.worry("worker", "mail_failed")

    assert screen.getvalue().count("mail_failed") == 2


def test_a_screen_that_went_away_is_no_reason_to_stop():
    screen = Screen(is_terminal=True)
    screen.close()

    Terminal(screen).say("Hello")


def test_colours_and_passing_steps_are_for_terminals_alone():
    file, screen, plain = Screen(is_terminal=False), Screen(is_terminal=True), Screen(is_terminal=True)
    for terminal in (Terminal(file), Terminal(screen), Terminal(plain, plain=True)):
        terminal.step("Starting")
        terminal.say("Done")

    assert file.getvalue() == plain.getvalue() == "  Done\n"
    assert "Starting" in screen.getvalue()


def test_a_large_log_is_put_aside_and_begun_anew(tmp_path):
    path = tmp_path / "web.log"
    path.write_bytes(b"x" * (LARGEST + 1))
    log = ChildLog(path, show=lambda words: None)

    log.take(b"fresh\n")
    log.close()

    assert path.read_text() == "fresh\n"
    assert (tmp_path / "web.log.1").stat().st_size == LARGEST + 1
