# Everything one does here. Needs make and Python 3.11 to 3.14; the rest is installed into .venv.
# PYTHON=/path/to/python3.12 picks the interpreter that makes .venv.

VENV := .venv
RUN := $(VENV)/bin/python
REQUIREMENTS := requirements.txt requirements-dev.txt
.DEFAULT_GOAL := help
.PHONY: help dev test check chaos storm bench bench-queue clean environment

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

dev: environment ## Run Recado on this machine with a demo company (FRESH=1 starts from an empty database)
	@trap : INT; $(RUN) -m local dev $(if $(FRESH),--fresh) || { code=$$?; [ $$code -eq 130 ] || exit $$code; }

test: environment ## Run the tests (ARGS="-k campaigns" for some of them)
	@$(RUN) -m pytest $(ARGS)

check: environment ## Check style, types and the migrations
	@failed=0; \
	$(RUN) -m ruff check --quiet . || failed=1; \
	$(RUN) -m mypy --no-error-summary || failed=1; \
	$(VENV)/bin/squawk --config .squawk.toml supabase/migrations/*.sql || failed=1; \
	$(RUN) -m local.lint || failed=1; \
	exit $$failed

chaos: environment ## Kill workers and Postgres under load for a minute (SECONDS=300 SEED=7; OF=sending: providers too)
	@SECONDS="$(SECONDS)" SEED="$(SEED)" $(RUN) -m tests.faults.$(if $(OF),$(OF)_)chaos

storm: environment ## Follow a company through losses, cuts and a restore (SECONDS=60 SEED="1 2 3" for others)
	@SECONDS="$(SECONDS)" SEED="$(SEED)" $(RUN) -m tests.realtime.storm

bench: environment ## Measure the numbers the README quotes
	@$(RUN) -m bench $(ARGS)

bench-queue: environment ## Measure the queue beside its peers, about ten minutes (ARGS=--quick: two)
	@$(RUN) -m bench queue $(ARGS)

clean: ## Remove the environment, the local database and every cache
	@rm -rf $(VENV) .recado .mypy_cache .ruff_cache .pytest_cache .hypothesis .vercel
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installs when the requirement files differ from the ones installed last, by content: a checkout that only
# touches them costs nothing. The copy is written last, so an interrupted installation is repeated.
environment:
	@if cat $(REQUIREMENTS) | cmp -s - $(VENV)/installed && $(RUN) -c '' 2>/dev/null; then exit 0; fi; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Recado needs Python 3.11, 3.12, 3.13 or 3.14; none is on the PATH (python3 here: $$(python3 --version 2>&1))." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$($$found --version) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi; \
	echo "Installing into $(VENV) with $$($$found --version); about a minute, only when the requirements change."; \
	$(RUN) -c '' 2>/dev/null || $$found -m venv --clear $(VENV) || exit 1; \
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || exit 1; \
	cat $(REQUIREMENTS) > $(VENV)/installed
