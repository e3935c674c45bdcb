"""What made fingerprints, and whether they may be compared with those of another recipe."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from helpers import Problem
from helpers.fingerprints.hashes import DHASH, hash_of
from helpers.images.opening import READING, RULES, complete_reading, complete_rules


@dataclass(frozen=True)
class Recipe:
    """What made fingerprints.

    Parameters
    ----------
    hash : str
        The name of the hash, as in `helpers.fingerprints.hashes.HASHES`.
    bits : int
        How many bits a fingerprint has.
    reading : dict
        How files were read: the options of `helpers.images.opening.open_image`.
    versions : dict
        The version of each package that the bits depend on.
    rules : dict
        By which rule of reading each subject of `helpers.images.opening.RULES` was treated.

    Examples
    --------
    >>> here(fast=True).reading["fast"]
    True
    """

    hash: str
    bits: int
    reading: dict[str, object]
    versions: dict[str, str]
    rules: dict[str, int]

    def as_dict(self) -> dict:
        """The recipe in the form in which files keep it.

        Returns
        -------
        dict
            What `json` can write: ``algorithm``, ``reading``, ``versions``, for dHash
            ``hash_size``, and unless it is dHash read by the rules of version 0.1 also ``bits``
            and ``rules``. So version 0.1 opens a file if it knows all that is in it, and refuses
            any other.

        Examples
        --------
        >>> sorted(here().as_dict())
        ['algorithm', 'bits', 'hash_size', 'reading', 'rules', 'versions']
        """
        about = {"algorithm": self.hash, "reading": self.reading, "versions": self.versions}
        if self.hash == DHASH:
            about["hash_size"] = isqrt(self.bits)
        if self.hash != DHASH or self.rules != complete_rules({}):
            about |= {"bits": self.bits, "rules": self.rules}
        return about


def here(hash: str = DHASH, *, rules: dict[str, int] | None = None, **reading: object) -> Recipe:
    """The recipe of fingerprints that are made here and now.

    Parameters
    ----------
    hash : str
        The name of the hash.
    rules : dict, optional
        Rules of reading, as another recipe has them; today's if left out.
    **reading
        Options of `helpers.images.opening.open_image`; those that are left out have their
        usual values.

    Returns
    -------
    Recipe
        Complete: with every option, rule and version.

    Raises
    ------
    Problem
        If there is no such hash, colour or rule, or if the hash needs colours and `reading`
        leaves them out.

    Examples
    --------
    >>> here(background="black").reading
    {'rotate': True, 'background': 'black', 'fast': False}
    """
    kind = hash_of(hash)
    if kind.needs_colour and reading.get("fast"):
        raise Problem(f"{hash} compares colours, and fast reads greys; leave fast out")
    packages = ("imagehash", "pillow", *kind.packages)
    return Recipe(
        hash=hash,
        bits=kind.bits,
        reading=complete_reading(reading),
        versions={package: version(package) for package in packages},
        rules=complete_rules(RULES if rules is None else rules),
    )


def version(package: str) -> str:
    """The version of an installed package.

    Parameters
    ----------
    package : str
        Its name.

    Returns
    -------
    str
        Such as ``"13.0.0"``.

    Examples
    --------
    >>> int(version("pillow").split(".")[0]) >= 13
    True
    """
    from importlib import metadata  # late: workers never ask, and it would delay their start

    return metadata.version(package)


def from_dict(about: dict) -> Recipe:
    """The recipe that a file keeps; other keys, which belong to the file, are passed over.

    Parameters
    ----------
    about : dict
        In the form of `Recipe.as_dict`. If it names no rules, those of version 0.1 were meant.

    Returns
    -------
    Recipe
        Complete, as from `here`.

    Raises
    ------
    Problem
        If the form is unknown, or if a rule is. The text goes on after the name of the file.

    Examples
    --------
    >>> from_dict(here(fast=True).as_dict()) == here(fast=True)
    True
    >>> from_dict({"algorithm": "dhash"})
    Traceback (most recent call last):
    ...
    helpers.Problem: says in a way not known here what made it
    """
    try:
        bits = about["hash_size"] ** 2 if "hash_size" in about else about["bits"]
        name, reading, versions = about["algorithm"], about["reading"], about["versions"]
        known = isinstance(name, str) and type(bits) is int and reading.keys() == READING.keys()
        complete_reading(reading)
        _first_numbers(versions)
        rules = dict(about.get("rules", {}))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, Problem):
        known = False
    if not known:
        raise Problem("says in a way not known here what made it")
    return Recipe(name, bits, dict(reading), dict(versions), complete_rules(rules))


def why_not(one: Recipe, other: Recipe) -> str:
    """Why fingerprints of two recipes may not be compared.

    Parameters
    ----------
    one : Recipe
        What made the fingerprints that are there.
    other : Recipe
        What makes fingerprints here.

    Returns
    -------
    str
        Empty if they may be compared. Otherwise a clause that goes on after "was made", such as
        ``"with fast=False, and here is fast=True"``.

    Notes
    -----
    The bits are those of one hash, read in one way. Versions count by their first number:
    imagehash changed its bits between 3 and 4. Pillow changed them with 2.7 and hardly since 10:
    of 3,048 pictures of CALTECH-101 (every third) 3 have another fingerprint under Pillow 10.4,
    11.3 and 12.0 than under 13.0, by one bit. So 10 and later may be compared with each other.

    Examples
    --------
    >>> why_not(here(), here(fast=True))
    'with fast=False, and here is fast=True'
    """
    there, now = _parts(one), _parts(other)
    for part in {**there, **now}:
        if there.get(part) != now.get(part):
            return (
                f"with {there.get(part, f'no {part}')}, and here is {now.get(part, f'no {part}')}"
            )
    return ""


def _parts(recipe: Recipe) -> dict[str, str]:
    """All that has to be equal, each part in words."""
    parts = {"hash": f"{recipe.hash} of {recipe.bits} bits"}
    for name, value in recipe.reading.items():
        parts[name] = f"{name}={value!r}"
    for subject, number in recipe.rules.items():
        parts[subject] = f"rule {number} for {subject}"
    for package, number in _first_numbers(recipe.versions).items():
        parts[package] = f"{package} {number}"
    if int(_first_numbers(recipe.versions).get("pillow", 0)) >= 10:
        parts["pillow"] = "pillow 10 or later"
    return parts


def _first_numbers(versions: dict[str, str]) -> dict[str, int]:
    return {package: int(number.split(".")[0]) for package, number in versions.items()}
