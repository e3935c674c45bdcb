"""Helpers behind the chapters on perceptual image hashing.

The modules stand on floors and import only from those below:

===== =============================== =================================================
floor module                          owns
===== =============================== =================================================
3     ``__main__``                    the command line
3     ``plots``, ``checks``,          pictures with alt text; feedback on exercises;
      ``results``                     the numbers of a run beside those we keep
2     ``shelf``, ``evaluation``       the article's index; recall and false matches
1     ``search``, ``pairs``           near a query; near each other, and groups
1     ``datasets``                    get images
0     ``near_duplicates``,            make copies with known truth;
      ``fingerprints``, ``hamming``   pixels to bits; distances between bits
-1    ``images``, ``pixels``          open one picture honestly; a second look at two
-1    ``atomic``, ``parallel``        files that are whole or absent; work shared out
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
