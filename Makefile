# Two commands do everything, set-up included:  make tutorial  and  make test
# Each target is one call of Python; the README shows how to do the same without make.
# Settings: DATASET=caltech-101 | sample | path/to/images     PYTHON=python3.12
#           without DATASET it is caltech-101; for the lesson of 45 minutes sample
#           BUNDLE="linux macos 3.12": the systems and Pythons of `make bundle`; else all

PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
IN = Scripts
else
IN = bin
endif
BIN = $(VENV)/$(IN)
READY = $(VENV)/ready
# what makes books and sites wants other versions of some packages
MAKER = $(VENV)-editions
# a kit from a stick brings its packages; else they are fetched, those that are known to work together
FROM = $(if $(wildcard wheels/*),--no-index --find-links wheels,--constraint constraints.txt)
export DATASET  # run.py reads it, so that a name may hold spaces and quotes

tutorial: $(READY)  ## run all chapters, one page each, from pages/index.html
	$(BIN)/python notebooks/run.py $(RUN_FLAGS)

lab: $(READY)  ## open a copy of the chapters in JupyterLab; AGAIN=02: chapter 2 anew; EDITION=short or teacher
	$(BIN)/python notebooks/run.py --lab $(if $(AGAIN),--again $(AGAIN)) $(if $(EDITION),--edition $(EDITION))

teacher short: $(READY)  ## the chapters with answers and outputs; the lesson of 45 minutes; in editions/
	$(BIN)/python notebooks/run.py --edition $@

book lite bundle: $(MAKER)/ready  ## a book; a site that runs in a browser; a zip a system for a stick; in editions/
	$(MAKER)/$(IN)/python notebooks/run.py --edition $@

notebooks: $(READY)  ## run the chapters on the sample and save them, normalised
	$(BIN)/python notebooks/run.py --save

test: $(READY)  ## unit tests, and every notebook against its saved outputs
	$(BIN)/python -m pytest -n auto

test-editions: export EDITIONS = 1
test-editions: $(READY) $(MAKER)/ready  ## make the book and the browser edition, and test all editions
	$(MAKER)/$(IN)/python notebooks/run.py --edition book
	-$(MAKER)/$(IN)/python notebooks/run.py --edition lite
	$(BIN)/python -m pytest -n auto -rs tests/editions

quick: $(READY)  ## the unit tests that fail most likely, in about a minute
	$(BIN)/python -m pytest -n auto -m "not slow and not campaign" tests

lint: $(READY)  ## style, format, and which wing imports which
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports

clean:  ## remove the environments and the pages, not data/ and editions/
	$(PYTHON) -c "import shutil; [shutil.rmtree(name, True) for name in ('$(VENV)', '$(MAKER)', 'pages')]"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(FROM) --editable ".[notebooks,test]"
	@echo ready > $(READY)

$(MAKER)/ready: pyproject.toml notebooks/editions/constraints.txt
	$(PYTHON) -m venv $(MAKER)
	$(MAKER)/$(IN)/python -m pip install --quiet --disable-pip-version-check --constraint notebooks/editions/constraints.txt --editable ".[notebooks,editions]"
	@echo ready > $(MAKER)/ready

.PHONY: tutorial lab teacher short book lite bundle notebooks test test-editions quick lint clean
