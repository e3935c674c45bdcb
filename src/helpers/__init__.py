"""Helpers behind the chapters: the code that would get in the way of reading a notebook.

Each folder is a wing; its ``__init__`` explains its words. A wing imports only from lines below
it, and a contract in ``pyproject.toml`` holds that. From the top:

============================= ==================================================================
``commands``                  one file a command of ``python -m helpers``
``explore``                   pages with controls
``experiments``               recall and false matches, against known truth
``gate``, ``library``,        the bank of banned pictures; copies in a photo library;
``shelf``, ``cluster``        the article's index; more than one machine holds
``datasets``, ``quarantine``, where images come from; files moved so that none is lost;
``truth``, ``classroom``,     copies with known truth; plots, checks and results;
``decisions``                 a page on which a person decides about pictures
``search``                    near a query, near each other, groups
``fingerprints``              pictures to bits: every hash, one table
``images``, ``hamming``       one picture: opened, changed, looked at twice; distances
``files``                     whole or absent files; tables; places; work shared out
============================= ==================================================================
"""

__version__ = "0.2.0"


class Problem(Exception):
    """Something the reader can mend, in one sentence: what, why and the remedy.

    The command line prints the sentence and exits with 2; a notebook shows it without a traceback.

    Examples
    --------
    >>> raise Problem("photos/: no such folder; check the spelling")
    Traceback (most recent call last):
    ...
    helpers.Problem: photos/: no such folder; check the spelling
    """

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines in place of a traceback.
        return [f"Problem: {self}"]
