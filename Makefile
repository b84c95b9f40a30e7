# Needs Python 3.11 or newer and make. Everything else is in requirements.lock and goes into .venv.
#
#   make run     console, API, worker and a demo receiver on 127.0.0.1; PORT and CAVRA_HOME move them
#   make test    every test this machine can run; says which it could not, and why
#   make lint    what CI asks of the code beside the tests
#   make chaos   kills and freezes workers in the middle of runs, on SQLite and PostgreSQL; minutes
#   make bench   measures, and writes the tables of docs/benchmarks.md; about 20 minutes

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed

ifdef PORT
export CAVRA_PORT := $(PORT)
endif

.PHONY: help setup run test lint chaos bench format lock
help:
	@sed -n '3,7s/^#  //p' Makefile

setup: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; name one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@# The editable package leads to our packages only; `pytest` wants `tests` too, from any folder.
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/cavra-checkout.pth"
	@touch $@

run: $(INSTALLED)
	@exec $(BIN)/cavra demo

test: $(INSTALLED)
	@$(BIN)/python -m tests.everything

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.production

chaos: $(INSTALLED)
	@$(BIN)/python -m tests.everything chaos chaos-postgresql

bench: $(INSTALLED)
	@$(BIN)/python -m tests.benchmarks

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED)
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --upgrade pyproject.toml
