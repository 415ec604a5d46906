"""The supervisor over stand-in children: what it starts, mends and ends."""

import json
import os
import signal
import sys
import time

import pytest

from advancia.ops.dev.processes import birth_of
from tests.ops.dev.support import STANDIN
from tests.support.servers import eventually

STAYS = "mark('{0}'); wait()"
ENDS_ON_TERM = """
def end(*_):
    mark('{0}-asked', str(time.monotonic()))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
mark('{0}')
wait()
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); mark('{0}'); wait()"
# A job, as RQ runs it: a process group of its own in the worker's session, deaf to polite signals.
WITH_A_JOB = """
if os.fork() == 0:
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark('job')
    wait()
mark('{0}')
wait()
"""


@pytest.fixture
def supervise(start, place):
    """Start the supervisor over the named children, each given as Python code, in `place`."""

    def supervise_these(children, *, where=place, **wanted):
        named = {name: code.format(name) for name, code in children.items()}
        return start([sys.executable, STANDIN, where, json.dumps({"children": named, **wanted})])

    return supervise_these


@pytest.fixture
def seen(place):
    """What a child left as its mark, once it has; its process id unless it says otherwise."""

    def seen_mark(name, *, where=place):
        path = where / "seen" / name
        eventually(path.exists, f"{name} leaves its mark")
        return path.read_text()

    return seen_mark


def is_alive(pid) -> bool:
    return birth_of(int(pid)) is not None


def test_the_servers_come_first_then_the_preparation_then_the_children(supervise, seen, place):
    running = supervise(
        {"web": "mark('web', str(os.path.exists('seen/prepared'))); wait()"},
        preparation="mark('prepared', pathlib.Path('events').read_text())",
    )
    running.says("all is up")

    assert seen("prepared") == "server started\nservers are up\n"
    assert seen("web") == "True"


def test_a_child_that_dies_is_started_again_and_it_is_said(supervise, seen, place):
    running = supervise({"web": STAYS, "worker": STAYS})
    running.says("all is up")
    first = seen("worker")

    os.kill(int(first), signal.SIGKILL)

    running.says("worker    ended (killed by SIGKILL); it is started again")
    eventually(lambda: seen("worker") != first, "a second worker runs")
    assert is_alive(seen("worker"))


def test_a_server_that_dies_is_started_again(supervise, place):
    running = supervise({"web": STAYS})
    running.says("all is up")

    (place / "seen" / "server-dies").touch()

    running.says("server    ended; it is started again.")
    eventually(lambda: (place / "events").read_text().count("server started") == 2, "a second server runs")


def test_what_a_dead_child_leaves_of_its_session_is_ended(supervise, seen):
    running = supervise({"web": STAYS, "worker": WITH_A_JOB})
    running.says("all is up")
    job = seen("job")

    os.kill(int(seen("worker")), signal.SIGKILL)

    eventually(lambda: not is_alive(job), "the job ends")


def test_pages_that_die_again_and_again_at_the_start_end_it_all_with_one_sentence(supervise, place):
    running = supervise({"web": "sys.exit('No module named flask')"}, healthy="never")

    assert running.ends() == 1
    sentence = f"web ended 3 times as it started: No module named flask (more in {place}/log/web.log)."
    assert sentence in running.words
    assert (place / "events").read_text().endswith("server stopped\n")


def test_a_worker_that_dies_again_and_again_at_the_start_ends_it_all_too(supervise, seen):
    running = supervise({"web": STAYS, "worker": "sys.exit('No queue.')"}, healthy="seen/web")

    assert running.ends() == 1
    assert "worker ended 3 times as it started: No queue. (more in" in running.words
    assert not is_alive(seen("web"))


def test_pages_do_not_wait_for_a_preparation_that_has_next_to_nothing_to_do(supervise, seen, place):
    running = supervise(
        {"web": STAYS},
        prepared=True,
        healthy="seen/web",
        preparation="mark('prepared', str(os.path.exists('seen/web')))",
    )
    running.says("all is up")

    assert seen("prepared") == "True"
    eventually(lambda: not (place / "run" / "prepare.pid").exists(), "the preparation ends")
    assert running.process.poll() is None


def test_a_failed_preparation_ends_it_all_with_one_sentence(supervise, place):
    running = supervise({"web": STAYS}, preparation="sys.exit('There are two heads.')")

    assert running.ends() == 1
    assert "The database could not be prepared: There are two heads. (more in" in running.words
    assert not (place / "seen" / "web").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_web_first_and_the_servers_last(supervise, seen, place, number):
    running = supervise({"web": ENDS_ON_TERM, "worker": ENDS_ON_TERM, "relay": ENDS_ON_TERM})
    running.says("all is up")
    pids = [seen(name) for name in ("web", "worker", "relay")]

    running.send(number)

    assert running.ends(seconds=10) == 0
    assert not any(is_alive(pid) for pid in pids)
    assert float(seen("web-asked")) < min(float(seen("worker-asked")), float(seen("relay-asked")))
    assert (place / "events").read_text().splitlines()[-1] == "server stopped"
    assert list((place / "run").glob("*.pid")) == []


def test_whole_sessions_end_even_where_a_job_made_itself_a_group_of_its_own(supervise, seen):
    running = supervise({"web": STAYS, "worker": WITH_A_JOB})
    running.says("all is up")
    job = seen("job")

    running.send(signal.SIGTERM)

    assert running.ends(seconds=10) == 0
    assert not is_alive(job)


def test_a_child_that_does_not_listen_is_ended_when_its_time_is_over(supervise, seen):
    running = supervise({"web": STUBBORN}, longest_stop=0.5)
    running.says("all is up")
    web = seen("web")

    running.send(signal.SIGTERM)

    assert running.ends(seconds=10) == 0
    assert not is_alive(web)


def test_a_second_signal_ends_everything_at_once(supervise, seen, place):
    running = supervise({"web": STUBBORN, "worker": STUBBORN}, longest_stop=60)
    running.says("all is up")
    web, worker = seen("web"), seen("worker")

    running.send(signal.SIGINT)
    running.says("Stopping.")
    asked_again = time.monotonic()
    running.send(signal.SIGINT)

    running.ends(seconds=10)
    assert time.monotonic() - asked_again < 5
    assert not is_alive(web)
    assert not is_alive(worker)
    assert "server killed" in (place / "events").read_text()


def test_a_signal_while_it_is_still_starting_is_heard(supervise, seen):
    running = supervise({"web": STAYS}, healthy="never")
    web = seen("web")

    running.send(signal.SIGTERM)

    assert running.ends(seconds=10) == 0
    assert not is_alive(web)


def test_a_second_supervisor_in_the_same_folder_is_refused_with_the_first_ones_name(supervise, place):
    first = supervise({"web": STAYS})
    first.says("all is up")

    second = supervise({"web": STAYS})

    assert second.ends() == 1
    assert f"Another copy (process {first.process.pid}) is running in {place}: stop it" in second.words
    assert first.process.poll() is None


def test_two_run_side_by_side_in_folders_of_their_own(supervise, seen, place):
    one, two = place / "one", place / "two"
    first, second = supervise({"web": STAYS}, where=one), supervise({"web": STAYS}, where=two)
    first.says("all is up")
    second.says("all is up")

    first.send(signal.SIGTERM)

    assert first.ends(seconds=10) == 0
    assert is_alive(seen("web", where=two))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_the_children_end_when_the_supervisor_is_killed(supervise, seen):
    running = supervise({"web": STAYS})
    running.says("all is up")
    web = seen("web")

    running.send(signal.SIGKILL)

    eventually(lambda: not is_alive(web), "the child ends")


def test_the_next_start_ends_what_a_killed_supervisor_left(supervise, seen, place):
    running = supervise({"web": STUBBORN})
    running.says("all is up")
    web = seen("web")
    running.send(signal.SIGKILL)
    running.ends()
    assert is_alive(web)

    following = supervise({"web": STAYS})
    following.says("all is up")

    assert "ended web" in following.words
    assert not is_alive(web)


def test_a_process_that_merely_has_the_number_of_an_old_child_is_left_alone(supervise, start, place):
    stranger = start([sys.executable, "-c", "import time; time.sleep(60)"]).process.pid
    (place / "run").mkdir()
    (place / "run" / "web.pid").write_text(json.dumps({"pid": stranger, "birth": "another boot 1"}))

    running = supervise({"web": STAYS})
    running.says("all is up")

    assert is_alive(stranger)


def test_a_childs_words_are_kept_and_only_what_worries_is_shown(supervise, place):
    running = supervise(
        {
            "web": """
print('{{"event": "all quiet", "level": "info"}}')
print('{{"event": "mail_failed", "level": "error", "exception": "a\\\\nb\\\\nTimeoutError: no answer"}}')
print('Traceback (most recent call last):')
print('  File "x.py", line 1')
print('ValueError: three')
sys.stdout.flush()
mark('web'); wait()
"""
        },
        healthy="seen/web",
    )
    running.says("web       ValueError: three")

    assert "web       mail_failed · TimeoutError: no answer" in running.words
    assert "all quiet" not in running.words
    assert "all quiet" in (place / "log" / "web.log").read_text()
