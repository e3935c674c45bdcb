"""Helpers behind the chapters on perceptual image hashing: the code that would get in the way of reading a notebook.

Each folder is a wing, with words of its own in its ``__init__``. From the top; each imports only from lines below it, and a
contract in ``pyproject.toml`` holds that:

====================================== ==================================================================
``commands``                           one file a command of ``python -m helpers``
``explore``                            pages with controls
``experiments``                        recall and false matches, against known truth
``gate``, ``library``, ``shelf``       the bank of banned pictures, copies in a photo library, the article's index
``datasets``, ``quarantine``           where images come from, files moved so that none is lost
``truth``, ``classroom``               copies with known truth, plots with checks and results
``search``                             near a query, near each other, groups
``fingerprints``                       pictures to bits: every hash, one table
``images``, ``hamming``                open one picture honestly, distances between bits
``files``                              whole or absent; tables; places; work shared out
====================================== ==================================================================
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
