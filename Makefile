# Two commands do everything: `make demo` and `make test`. Both need only Python 3.11 or later and PyPI.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# More than the two cores: half of the tests' time is waiting for processes and sockets.
WORKERS ?= 4
# Compiled code is kept, whatever the environment says: every worker and process of the suite would compile it all again.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/compiled

.PHONY: demo test check compiled format docs picture audit-deps simulate mutants soak bench clean

demo: $(VENV)/.installed
	$(BIN)/mirrorctl demo

test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory --jobs=2 check compiled
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

# All tests, compiled once beside the linters and not by each worker; what is wrong with one the run itself will tell.
compiled: $(VENV)/.installed-dev
	-@$(BIN)/pytest --collect-only -qq > /dev/null

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed
	$(BIN)/python -m tools.reference

# The picture of the dashboard in the README, of a real run on paper.
picture: $(VENV)/.installed
	$(BIN)/python -m tools.picture

# Random fault schedules for SECONDS, from SEED on where it is given.
SECONDS ?= 60
simulate: $(VENV)/.installed
	$(BIN)/python -m tools.simulate --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# Takes each safety rule out of a copy of the code and sees the simulation fail.
mutants: $(VENV)/.installed
	$(BIN)/python -m tools.mutants --workers $(WORKERS)

# Known vulnerabilities of what mirrorctl installs, by PyPI's advisories; one that cannot be looked up fails too.
audit-deps: $(VENV)/audit/bin/pip-audit
	$(VENV)/audit/bin/pip-audit --strict --progress-spinner off .

# A day of trading on the virtual clock, 10,000 trades: twenty minutes of CPU, to see that memory and store stay bounded.
HOURS ?= 24
TRADES ?= 10000
soak: $(VENV)/.installed
	$(BIN)/python -m tools.soak --hours $(HOURS) --trades $(TRADES)

# Speed beside a floor and stock copiers, minutes on a machine that does nothing else; QUICK=1: under a minute of it.
# ONLY=reaction,fan-out measures parts; DOCS=1 writes the tables into docs/performance.md.
bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(DOCS),--docs) $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/audit/bin/pip-audit: | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@
