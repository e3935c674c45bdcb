"""Hide resized copies in a dataset, and write down the truth."""

import argparse

from helpers import Problem
from helpers.commands.terminal import one_line
from helpers.files.guard import check_output
from helpers.files.places import counted


def _gather(arguments: argparse.Namespace) -> int:
    """Copy a dataset and hide resized copies of some of its images in it.

    Ends with 0, or with 1 if an image was not copied. A needle may get no copies: a sentence
    names it then.
    """
    from helpers.images.folders import find_images, look_into, not_looked_at
    from helpers.truth import near_duplicates

    check_output(arguments.output, "haystack", folders=[arguments.input])
    check_output(arguments.csv, "truth", folders=[arguments.input, arguments.output])
    found = look_into(arguments.input)
    images = found.images
    if arguments.article:
        try:
            needles = near_duplicates.article_needles(images, others=False)
        except Problem as problem:
            raise Problem(f"{arguments.input}: {problem}") from problem
    else:
        needles = near_duplicates.random_needles(images, arguments.needles, seed=arguments.seed)
    names = ("seed", "format", "quality", "replace")
    options = {name: getattr(arguments, name) for name in names}
    options |= {"factors": tuple(arguments.factors), "images": images}
    truth = near_duplicates.gather(arguments.input, arguments.output, needles, **options)
    near_duplicates.write_truth(arguments.csv, truth)
    for sentence in not_looked_at(found):
        print(one_line(sentence))
    copied = len(find_images(arguments.output)) - len(truth)
    copies = f"{counted(len(truth), 'copy', 'copies')} of {truth['needle'].nunique():,} of them."
    print(f"{one_line(arguments.output)} holds {counted(copied, 'image')} and {copies}")
    print(f"The truth is in {one_line(arguments.csv)}.")
    return int(copied < len(images))


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Copy a dataset and hide resized copies of some of its images in it."
    command = commands.add_parser("gather", help=summary, description=_gather.__doc__)
    command.set_defaults(run=_gather)
    option = command.add_argument
    dataset = "the dataset; nothing in it is changed"
    option("-i", "--input", required=True, metavar="DIR", help=dataset)
    haystack = "the haystack to make; one made in the same way is used as it is"
    option("-o", "--output", required=True, metavar="DIR", help=haystack)
    truth = "the file to write the truth about the copies to"
    option("-c", "--csv", required=True, metavar="FILE", help=truth)
    option("--seed", type=int, default=0, metavar="N", help="same seed, same copies (default: 0)")
    article = "take the article's 17 needles, with its numbers of copies"
    option("--article", action="store_true", help=article)
    needles = "how many images are copied, 1 to 8 times each (default: 17)"
    option("--needles", type=int, default=17, metavar="N", help=needles)
    factors = "resize each copy by a factor between these two (default: 0.95 1.05)"
    two = {"type": float, "nargs": 2, "default": (0.95, 1.05), "metavar": ("LOW", "HIGH")}
    option("--factors", **two, help=factors)
    saved = "how the copies are saved (default: jpeg)"
    option("--format", default="jpeg", metavar="jpeg|png", help=saved)
    quality = "JPEG quality of the copies, 1 to 95 (default: 75)"
    option("--quality", type=int, default=75, metavar="Q", help=quality)
    replace = "make it anew, if a haystack made otherwise is there"
    option("--replace", action="store_true", help=replace)
