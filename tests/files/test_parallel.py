"""Work shared out among processes."""

import os
from pathlib import Path

import pytest

from helpers.files import parallel
from helpers.files.parallel import share_out, share_out_as_done


def touched(name):
    Path(name).touch()
    return str(Path.cwd())


def test_processes_that_began_elsewhere_work_where_this_one_is_now(tmp_path, monkeypatch):
    for place in ("before", "now"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        places = share_out(touched, ["a", "b"], workers=2, title="touching")
        assert places == [str(tmp_path / place)] * 2
        assert {path.name for path in Path().iterdir()} == {"a", "b"}


def test_without_jobs_no_bar_is_shown(capfd):
    assert share_out(abs, [], workers=2, title="signs") == []
    assert capfd.readouterr() == ("", "")


def fails_at_last(number):
    if number == 9:
        raise KeyboardInterrupt
    return number


def test_what_was_done_is_there_before_the_rest():
    done = []
    with pytest.raises(KeyboardInterrupt):
        for number in share_out_as_done(fails_at_last, [*range(10)], workers=1, title="counting"):
            done.append(number)
    assert done == [*range(9)]


def process_of(number):
    return os.getpid()


def test_in_a_browser_which_has_no_processes_this_one_does_it_all(monkeypatch, capfd):
    monkeypatch.setattr(parallel, "IN_BROWSER", True)
    monkeypatch.delenv("TQDM_DISABLE")
    jobs = [*range(100)]
    for workers in (None, 2):
        assert share_out(process_of, jobs, workers=workers, title="") == [os.getpid()] * 100
        assert share_out(str, jobs, workers=workers, title="writing") == [*map(str, jobs)]
    assert capfd.readouterr() == ("", ""), "a bar needs a thread"
