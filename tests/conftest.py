"""What has to be settled before any test is imported, and what several of them need."""

import os
import sys
import threading
from html.parser import HTMLParser

import pytest

# SciPy reads it once, when it is imported; without it scikit-learn skips some of its checks.
os.environ["SCIPY_ARRAY_API"] = "1"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty directory to work in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """The shell's command: gives its exit code, stdout and stderr."""
    from gradtape import cli

    def ran(*argv):
        try:
            code = cli.main(list(argv))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return ran


@pytest.fixture
def many_switches():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="session")
def together():
    """Runs functions in a thread each, started together; the first error is raised."""

    def ran(*works):
        barrier, errors = threading.Barrier(len(works)), []

        def guarded(work):
            barrier.wait()
            try:
                work()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    return ran


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, sorted(name for name, _ in attributes)))


@pytest.fixture(scope="session")
def tags():
    """The tags of a page, each with the names of its attributes."""

    def read(page):
        parser = _Tags()
        parser.feed(page)
        return parser.found

    return read


@pytest.fixture(scope="session")
def recorded():
    """Records a function: steps, guards without their places, outputs and parameters."""
    from gradtape import _core

    def read(call, *point):
        before = _core.tape_size()
        (inputs, steps, guards, outputs, places), parameters = _core._record(call, point)
        assert inputs == len(point)
        assert _core.tape_size() == before, "the tape is left as it was"
        assert all(0 <= guard[4] < len(places) for guard in guards)
        return steps, [guard[:4] for guard in guards], outputs, parameters

    return read
