# Needs Python 3.11 or newer with pip and venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Python writes bytecode at the first import (`pip` need not do it for all there is), also
# where that is switched off: without it each process would take 5 s to begin.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: reproduce reproduce-all test test-slow test-newest test-wheel lint bench figures lock clean

# The theorems of the paper and its six figures.
reproduce: $(INSTALLED)
	$(BIN)/pattern-selection reproduce

# All statements and figures.
reproduce-all: $(INSTALLED)
	$(BIN)/pattern-selection reproduce --all
	$(BIN)/pattern-selection gallery

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

# On Debian 13 with the newest packages there are; needs root and `debootstrap`.
test-newest:
	tests/newest.sh

# What users install, away from this folder.
test-wheel:
	tests/wheel.sh $(PYTHON) requirements.lock

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/hitting_time.py
	$(BIN)/python benchmarks/penalised.py
	$(BIN)/python benchmarks/rollouts.py
	$(BIN)/python benchmarks/sweeps.py
	$(BIN)/python benchmarks/trace.py

figures: $(INSTALLED)
	$(BIN)/pattern-selection figures

$(INSTALLED): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Needs `uv` on the path; only for maintainers who change the dependencies.
lock:
	uv pip compile --universal --generate-hashes --extra test --extra bench --python-version 3.11 \
		--no-annotate --no-header pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV)
