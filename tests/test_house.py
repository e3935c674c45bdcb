"""Rules of the house, which CONTRIBUTING tells: sizes, names, imports and docstrings."""

import ast
import inspect
import io
import json
import re
import subprocess
import sys
import tokenize
from importlib import import_module
from pathlib import Path

import course
import pytest
from numpydoc.validate import validate

import helpers

SOURCE = Path(helpers.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
#: Their functions run in worker processes, which import them first.
OF_WORKERS = (
    "experiments.measuring",
    *("fingerprints.catalogue", "images.opening", "library.inventory", "library.second_look"),
    *("decisions", "truth.mess", "truth.near_duplicates"),
)
#: What numpydoc looks for: all parameters named, no other, each explained; what is returned.
CODES = {"PR01", "PR02", "PR03", "PR07", "RT01", "RT03"}

every_file = pytest.mark.parametrize(
    "path", FILES, ids=[path.relative_to(SOURCE).as_posix() for path in FILES]
)


def nodes(path, *kinds):
    return [node for node in ast.walk(TREES[path]) if isinstance(node, kinds)]


def lines_of_code(path):
    """The numbers of the lines that hold code: neither comments nor docstrings nor nothing."""
    text = path.read_text(encoding="utf-8")
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in empty:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in nodes(path, ast.Module, ast.ClassDef, ast.FunctionDef):
        if ast.get_docstring(node) is not None:
            found -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return found


@every_file
def test_modules_classes_functions_and_lines_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 500
    assert not [number for number, line in enumerate(lines, 1) if len(line) > 100]
    for node in nodes(path, ast.ClassDef):
        assert node.end_lineno - node.lineno < 300, node.name
    code = lines_of_code(path)
    for node in nodes(path, ast.FunctionDef):
        assert len(code & set(range(node.lineno, node.end_lineno + 1))) <= 50, node.name


def test_there_are_few_modules_none_of_them_tiny():
    found = [path for path in FILES if path.name not in ("__init__.py", "__main__.py")]
    others = [path for path in found if path.parent.name != "commands"]  # a kind, a file a member
    assert len(others) <= 77
    for path in others:
        assert len(path.read_text(encoding="utf-8").splitlines()) >= 60, path.name


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*/__init__.py")), ids=lambda p: p.parent.name)
def test_a_wing_has_its_words_and_imports_nothing(path):
    assert not nodes(path, ast.Import, ast.ImportFrom)
    about, _, words = ast.get_docstring(TREES[path]).partition("\n\n")
    assert about.endswith(".")
    assert len(words.splitlines()) >= 2


@every_file
def test_no_name_with_an_underscore_leaves_its_module(path):
    modules = {}
    for node in nodes(path, ast.ImportFrom):
        if node.module.split(".")[0] == "helpers":
            names = [alias.name for alias in node.names]
            assert not [name for name in names if re.match(r"_(?!_)", name)]
            modules |= {alias.asname or alias.name: node.module for alias in node.names}
    for node in nodes(path, ast.Attribute):
        private = re.match(r"_(?!_)", node.attr)
        assert not (private and isinstance(node.value, ast.Name) and node.value.id in modules)


@pytest.mark.parametrize("path", course.notebooks(), ids=lambda path: path.stem)
def test_chapters_touch_nothing_private(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            assert not re.search(r"\._[a-z]|import _[a-z]|patch\.object|patch\(.helpers", text)


def loaded_after(line):
    """The modules that a fresh interpreter has loaded after a line of code."""
    code = f"import sys\ntry:\n    {line}\nexcept SystemExit:\n    pass\nprint(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


@pytest.mark.parametrize("words", [["--help"], ["cluster", "search", "--help"]])
def test_help_loads_nothing_slow(words):
    loaded = loaded_after(f"from helpers.__main__ import main; main({words})")
    assert not loaded & {"numpy", "PIL", "pandas", "matplotlib", "scipy", "pooch", "joblib"}
    assert not loaded & {"dask", "distributed", "pyarrow", "fsspec", "bokeh"}


@pytest.mark.parametrize("name", OF_WORKERS)
def test_a_worker_loads_no_pandas_to_begin(name):
    loaded = loaded_after(f"import helpers.{name}")
    assert not loaded & {"pandas", "scipy", "matplotlib", "pooch"}


def public():
    """Names of all public functions, classes and methods, as numpydoc finds them."""
    for path in FILES:
        name = ".".join(["helpers", *path.relative_to(SOURCE).with_suffix("").parts])
        name = name.removesuffix(".__init__")
        try:
            module = import_module(name)
        except ImportError:  # the compiled scan without numba, the cluster without Dask
            continue
        for key, value in vars(module).items():
            if key.startswith("_") or getattr(value, "__module__", None) != name:
                continue
            if inspect.isfunction(value):
                yield f"{name}.{key}"
            elif inspect.isclass(value):
                yield f"{name}.{key}"
                for method in vars(value):
                    if not method.startswith("_") and inspect.isroutine(getattr(value, method)):
                        yield f"{name}.{key}.{method}"


def test_every_public_docstring_explains_parameters_and_what_is_returned():
    wrong = [
        f"{name}: {code} {text}"
        for name in public()
        for code, text in validate(name)["errors"]
        if code in CODES
    ]
    assert not wrong, "\n".join(["", *wrong])
