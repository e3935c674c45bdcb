"""One process at a time, and what is said meanwhile."""

import io
import sys
import threading

import pytest

from helpers.files import atomic


class Screen(io.StringIO):
    """Tells when something is shown."""

    def __init__(self):
        super().__init__()
        self.shown = threading.Event()

    def write(self, text):
        super().write(text)
        self.shown.set()


def test_who_waits_for_another_process_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    monkeypatch.setattr(atomic, "_SILENCE", 0.01)  # it is a second, which is long for a test
    path, done = tmp_path / "two\nlines", threading.Event()

    def work():
        with atomic.exclusive(path):
            done.set()

    waiting = threading.Thread(target=work)
    with atomic.exclusive(path):
        waiting.start()
        assert screen.shown.wait(60)
        assert not done.is_set()
    waiting.join()
    assert done.is_set()
    shown = str(path).replace("\n", r"\n")
    assert screen.getvalue() == f"Another process works on {shown}; waiting for it\n"


def test_nothing_is_said_where_nobody_waits(tmp_path, capsys):
    with (
        atomic.exclusive(tmp_path / "a"),
        pytest.raises(TimeoutError),
        atomic.exclusive(tmp_path / "a", wait=False),
    ):
        raise AssertionError("the lock was given twice")
    assert capsys.readouterr().err == ""
