# The commands of this repository. `make help` lists them; `make run` and `make test` need nothing else first.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:

# The first Python that is new enough.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
NODE := tests/node/node_modules
GAPS := $(CURDIR)/.state/gaps
export TEST_GAPS = $(GAPS)
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

# What `make test` runs, in this order: the cheap and the telling first.
STATIC := format-check lint types contracts
SUITES := unit property contract integration conformance faults containers zoo-fast
# Most tests spend their time waiting for processes, so files run side by side. Tests of one file share processes, so they
# run one after another.
PARALLEL_unit := -n auto --dist loadfile
PARALLEL_property := -n auto --dist loadfile
PARALLEL_contract := -n auto --dist loadfile
PARALLEL_integration := -n auto --dist loadfile
PARALLEL_faults := -n auto --dist loadfile
PARALLEL_zoo := -n auto --dist worksteal

.PHONY: zoo zoo-latest policy-ci conditions settings log-events help run test check format mutants bench fairness coverage requirements clean policy regal tools client1 node opa $(STATIC) $(SUITES)

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv/.run ## demo server, gateway and OPA, with live decisions
	@$(BIN)/mcp-admission opa >/dev/null
	@$(BIN)/mcp-admission demo

test: .venv/.dev ## everything that CI runs; its last line says what this machine could not run
	@mkdir -p $(dir $(GAPS)) && rm -f $(GAPS)
	@status=0; $(MAKE) --no-print-directory --keep-going check policy $(SUITES) || status=$$?; \
	$(BIN)/python -m tests.environment $(GAPS); exit $$status

check: $(STATIC) ## format, lint, types, import contracts: reads only

format: .venv/.dev ## format and fix what can be fixed
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	if compgen -G 'rego/*' >/dev/null; then "$$($(BIN)/mcp-admission opa)" fmt --write rego; fi

format-check: .venv/.dev
	$(BIN)/ruff format --check --quiet .

lint: .venv/.dev
	$(BIN)/ruff check --quiet .

types: .venv/.dev
	$(BIN)/pyright

contracts: .venv/.dev
	$(BIN)/lint-imports

policy: .venv/.dev opa regal ## the policy library and bundles: opa fmt, check, schema, tests with coverage, scenarios
	$(BIN)/mcp-admission check .

regal: .venv/.dev
	if command -v regal >/dev/null; then regal lint rego; else \
	$(BIN)/python -c 'from tests.environment import note; note("Regal", "it is not on PATH (the CI workflow installs it)")'; fi

unit property: .venv/.dev opa
contract faults containers: .venv/.dev opa
integration: .venv/.dev opa node client1
conformance: .venv/.dev opa node ## the official conformance suite, directly and through the gateway

unit property contract integration faults containers:
	$(BIN)/pytest $(PARALLEL_$@) tests/$@

conformance:
	$(BIN)/pytest -s tests/$@

zoo-fast: .venv/.dev opa node
	$(BIN)/pytest $(PARALLEL_zoo) -m fast tests/zoo

zoo: .venv/.dev opa node ## real servers and clients, directly and through the gateway; writes the table in docs/zoo.md
	@mkdir -p $(dir $(GAPS)) && rm -rf $(GAPS) .state/zoo/results; status=0; \
	$(BIN)/pytest $(PARALLEL_zoo) tests/zoo || status=$$?; \
	$(BIN)/python -m tests.zoo.table || status=$$?; \
	$(BIN)/python -m tests.environment $(GAPS); exit $$status

zoo-latest: .venv/.dev opa node ## the same with the newest versions; reports what changed
	$(BIN)/python -m tests.zoo.latest

mutants: .venv/.dev opa ## mutate the whole policy library: no change that no test notices may loosen a decision
	$(BIN)/mcp-admission test . --mutate

policy-ci: .venv/.dev opa ## the life of a policy: init, commit, replay, publish, stop, rollback, with a hub and two gateways
	$(BIN)/pytest -q -s tests/integration/test_lifecycle.py

settings: .venv/.dev ## write the table of all settings in docs/settings.md from the code
	$(BIN)/python -m tests.settings_page

log-events: .venv/.dev ## write docs/log-events.md from the table in the code
	$(BIN)/python -m tests.log_events_page

conditions: .venv/.dev opa ## write the table of conditions in bundles/README.md as the policy library judges them
	$(BIN)/python -m tests.condition_table

bench: .venv/.dev opa ## measure: direct, bare relay, gateway; prints and writes the table
	$(BIN)/python -m tests.bench

fairness: .venv/.dev opa ## measure what a caller notices while others misbehave; prints a table, fails if it is too much
	$(BIN)/python -m tests.fairness $(CASES)

coverage: .venv/.dev opa ## unit, property and contract tests with coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests/unit tests/property tests/contract
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

requirements: .venv/.dev ## write the pinned requirements anew from pyproject.toml
	compile="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --upgrade"; \
	$$compile pyproject.toml --extra demo --extra sql requirements/dev.in -o requirements/dev.txt; \
	$$compile pyproject.toml -c requirements/dev.txt -o requirements/run.txt; \
	$$compile pyproject.toml --extra demo --extra sql requirements/build.in -c requirements/dev.txt -o requirements/demo.txt; \
	$$compile requirements/client1.in -o requirements/client1.txt

clean: ## remove what make made here (not the tool directory in the user's cache)
	rm -rf .venv .venv-client1 .state .hypothesis .import_linter_cache .ruff_cache .coverage .coverage.* $(NODE)

# The environments: hash-checked, made once, renewed when a pin changes. What tests need contains what running needs.
.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo 'on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }

INSTALL = $(PIP) install --quiet --require-hashes --only-binary :all: -r $(1) && \
	$(PIP) install --quiet --no-deps --no-build-isolation --editable . && touch $@

.venv/.run: requirements/demo.txt pyproject.toml | .venv/bin/python
	@if [ -e .venv/.dev ] && [ .venv/.dev -nt requirements/dev.txt ] && [ .venv/.dev -nt pyproject.toml ]; then touch $@; \
	else echo 'Installing the pinned, hash-checked requirements into .venv (once) ...'; \
	$(call INSTALL,requirements/demo.txt); fi

.venv/.dev: requirements/dev.txt pyproject.toml | .venv/bin/python
	$(call INSTALL,requirements/dev.txt)

client1: .venv-client1/.done

.venv-client1/.done: requirements/client1.txt | .venv/bin/python
	$(BIN)/python -m venv .venv-client1
	.venv-client1/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes \
	--only-binary :all: -r requirements/client1.txt
	touch $@

node:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE)/.done; \
	else echo 'npm is not installed: what needs Node.js is left out' >&2; fi

$(NODE)/.done: tests/node/package-lock.json tests/node/package.json
	cd tests/node && npm ci --silent </dev/null
	touch $@

opa: .venv/.dev
	@$(BIN)/mcp-admission opa >/dev/null

tools: .venv/.dev opa node client1 ## fetch all that `make test` needs, and run nothing
