# Every target does its own set-up in $(VENV); versions come from constraints.txt.
#   make test | quickstart | results | lint | types | docs | test-scatter | clean

VENV ?= .venv
VENV_SCATTER ?= .venv-scatter
JOBS ?= 2
PYTEST_ARGS ?=
ONLY ?=

# The first interpreter that is recent enough; `make PYTHON=/path/to/python test` to choose.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

BIN := $(VENV)/bin
PIP_INSTALL := -m pip install -qq -c constraints.txt
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
SOURCES := cgsim tests benchmarks docs $(wildcard examples)

.NOTPARALLEL:
.PHONY: help test quickstart results lint types docs test-scatter clean

help:
	@echo "make test          run the tests"
	@echo "make quickstart    train a simulator, roll it out, write its report (about 6 minutes)"
	@echo "make results       list the stored figures: age, cost, command; ONLY=\"NAME NAME\" remakes them"
	@echo "make lint          ruff: rules and format"
	@echo "make types         mypy"
	@echo "make docs          build the documentation into site/"
	@echo "make test-scatter  compile torch-scatter (10 minutes), check that results agree with it"
	@echo "make clean         remove caches and built files; the environments stay"

test: $(VENV)/.stamp-test
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

quickstart: $(VENV)/.stamp
	$(BIN)/cgsim quickstart

results: $(VENV)/.stamp
	@$(BIN)/python -m benchmarks.results $(if $(ONLY),--only $(ONLY))

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.stamp-dev
	$(BIN)/mypy

docs: $(VENV)/.stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test-scatter: $(VENV_SCATTER)/.stamp
	$(ONE_THREAD) $(VENV_SCATTER)/bin/python -m pytest -m scatter $(PYTEST_ARGS)

clean:
	rm -rf site build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find cgsim tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up ---

%/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "cgsim needs Python 3.11 or newer, and none is on PATH." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	$(PYTHON) -m venv $*

$(VENV)/.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing cgsim and torch into $(VENV); this takes some minutes the first time ..."
	$(BIN)/python $(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.stamp-%: $(VENV)/.stamp
	$(BIN)/python $(PIP_INSTALL) -e ".[$*]"
	@touch $@

# torch-scatter compiles against the installed torch, so torch goes first and nothing is isolated.
$(VENV_SCATTER)/.stamp: pyproject.toml constraints.txt | $(VENV_SCATTER)/bin/python
	$(VENV_SCATTER)/bin/python $(PIP_INSTALL) setuptools wheel torch
	$(VENV_SCATTER)/bin/python $(PIP_INSTALL) --no-build-isolation -e ".[scatter,test]"
	@touch $@
