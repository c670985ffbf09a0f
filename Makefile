# The two commands of the README are `make demo` and `make test`; everything installs itself into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY := passive

.PHONY: help install demo test test-fast test-slow test-browser conformance conformance-full lint docs bench bars-int8 bars-promptable bars-tiled clean

help:
	@echo "make demo          train, export, verify and bench a small model; writes demo/report.html"
	@echo "make test          everything that can run on this machine; says what was skipped and why"
	@echo "make test-fast     unit tests only (no conversions, no browser)"
	@echo "make test-slow     training, conversions and real models"
	@echo "make test-browser  the HTML report in headless Chromium"
	@echo "make conformance   a sample of coremltools' own tests, answered by our Core ML runner"
	@echo "make lint          ruff and mypy"
	@echo "make docs          regenerate the generated pages and build the site"
	@echo "make bench         ratios against peers, in one alternating run"
	@echo "make bars-promptable  promptable training on three seeds, from the truth and from a teacher"
	@echo "make bars-tiled  tiles against whole pictures on cameras never seen, and plants that must be found"
	@echo "make bars-int8     what 8 bits cost on real models, beside what peers' 8 bits cost"

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock requirements-bootstrap.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found; install Python 3.11, 3.12 or 3.13."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--config-settings editable_mode=compat -e .
	@touch $@

demo: install
	$(BIN)/deploy demo --out demo

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: install
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser"

test-slow: install
	$(BIN)/python -m pytest -m "slow or real"

test-browser: install
	$(BIN)/python -m pytest -m browser

conformance: install
	$(BIN)/python -m tests.conformance

conformance-full: install
	$(BIN)/python -m tests.conformance --fraction 1 --keep

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install
	$(BIN)/python -m docs.generate
	$(BIN)/mkdocs build --strict

bench: install
	$(BIN)/python -m tests.bench

bars-int8: install
	$(BIN)/python -m tests.bars

bars-promptable: install
	$(BIN)/python -m tests.training.distill.bars results/bars-promptable

bars-tiled: install
	$(BIN)/python -m tests.bars.tiled results/bars-tiled

clean:
	rm -rf demo artifacts results runs site .pytest_cache .mypy_cache .ruff_cache .hypothesis
