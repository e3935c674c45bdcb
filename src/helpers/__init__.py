"""Helpers behind the chapters on perceptual image hashing.

The modules stand on floors and import only from those below:

===== =============================== =================================================
floor module                          owns
===== =============================== =================================================
4     ``__main__``, ``explore``       the command line; pages with controls
3     ``plots``, ``checks``,          pictures with alt text; feedback on exercises;
      ``results``                     a run's numbers beside ours
2     ``shelf``, ``bank``,            the article's index; the gate's memory;
      ``library``, ``evaluation``,    copies in a photo library; recall and false matches;
      ``pictures``                    what one searches among by hand
1     ``search``, ``pairs``           near a query; near each other, and groups
1     ``datasets``, ``quarantine``    get images; files moved so that none is lost
0     ``near_duplicates``, ``mess``   make copies with known truth
0     ``fingerprints``, ``hamming``   pixels to bits; distances between bits
0     ``plans``                       what may go, as a table and as a page
-1    ``images``, ``changes``,        open one picture honestly; what happens to pictures;
      ``pixels``, ``steps``           a second look at two; dHash step by step
-2    ``atomic``, ``parallel``,       files that are whole or absent; work shared out;
      ``compiled``                    counting bits by a compiler, where there is one
===== =============================== =================================================
"""

__version__ = "0.1.0"


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
