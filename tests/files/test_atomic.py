"""One process at a time, and what is said meanwhile."""

import io
import os
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


def test_without_hard_links_a_file_gets_its_new_name_and_nothing_is_overwritten(
    tmp_path, monkeypatch
):
    monkeypatch.delattr(os, "link")  # as in a browser
    file, name = tmp_path / "old", tmp_path / "new"
    file.write_text("ours", encoding="utf-8")
    assert not atomic.give_name(file, name)
    assert not file.exists()
    assert name.read_text(encoding="utf-8") == "ours"
    file.write_text("other", encoding="utf-8")
    with pytest.raises(FileExistsError):
        atomic.give_name(file, name)
    assert name.read_text(encoding="utf-8") == "ours"
