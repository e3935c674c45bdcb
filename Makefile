# Two commands do everything, set-up included:  make tutorial  and  make test
# Others: make lab, make notebooks, make lint, make clean.
# Settings: DATASET=caltech-101 | sample | path/to/images     PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN = $(VENV)/Scripts
else
BIN = $(VENV)/bin
endif
READY = $(VENV)/ready
DATASET ?= caltech-101
export DATASET
# Jupyter would lose an upload of more than 10 MB without a word; a photograph may have more.
UPLOADS = "--ServerApp.tornado_settings={'websocket_max_message_size': 104857600}"

tutorial: $(READY)  ## run all chapters, one page each, from pages/index.html
	$(BIN)/python notebooks/run.py $(RUN_FLAGS)

test: $(READY)  ## unit tests, and every notebook against its saved outputs
	$(BIN)/python -m pytest

lab: $(READY)  ## open the chapters in JupyterLab
	DATASET="$(if $(wildcard $(DATASET)/.),$(abspath $(DATASET)),$(DATASET))" $(BIN)/python -m jupyterlab --notebook-dir notebooks $(UPLOADS)

notebooks: $(READY)  ## run the chapters on the sample and save them, normalised
	$(BIN)/python notebooks/run.py --save

lint: $(READY)  ## lint and format
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

clean:  ## remove the environment and the pages, not data/
	rm -rf $(VENV) pages

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[notebooks,test]"
	@echo ready > $(READY)

.PHONY: tutorial test lab notebooks lint clean
