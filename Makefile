# make run      serve the CRM with every plugin of this repository (PORT=, CRM_DATABASE_URL=, DEMO=0)
# make test     the whole suite, on SQLite and on a PostgreSQL that the tests start themselves (PARALLEL=, ARGS=)
# make torture  100,000 generated operations by the engine and by its reference (CASES=, SEED=, FROM= to go on)
# make torture-all  these and all that follow, one after the other; it stops at the first that fails
# make torture-power  1,000 power cuts under SQLite (CUTS=, SEED=)
# make torture-crash  100 times the server is killed, on each database, and PostgreSQL too, with webhooks under way, and
#                     as often before there are tables (KILLS=, SEED=)
# make torture-cancel  every mutation, cancelled at every await in every way
# make torture-nodes  10 restarts of PostgreSQL, and 5 of every node, of two and of four, under load (RESTARTS=, ROUNDS=)
# make torture-fuzz  20,000 spoilt requests of each kind to a real server, on each database (REQUESTS=, SEED=)
# make torture-clocks  20,000 generated histories of tickets against clocks that look at every minute (CLOCK_CASES=, SEED=)
# make golden   writes the statements that the golden tests compare anew; look at what changed
# make check    style, types, arrows between the rooms, completeness of the documentation
# make bench    the workloads in benchmarks/ (PEERS=1 installs others beside, and measures them too)
# make clean    removes what the others made, but never a database

VENV    := .venv
BIN     := $(VENV)/bin
PORT    ?= 8000
DEMO    ?= 1
ARGS    ?=
PARALLEL ?= logical
CASES   ?= 100000
CUTS    ?= 1000
KILLS   ?= 100
REQUESTS ?= 20000
RESTARTS ?= 10
ROUNDS  ?= 5
CLOCK_CASES ?= 20000

PLUGINS  := $(patsubst plugins/%/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
EXAMPLES := $(patsubst examples/%/pyproject.toml,%,$(wildcard examples/*/pyproject.toml))
MANIFESTS := pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml examples/*/pyproject.toml)
SOURCES  := crm_framework tests $(wildcard plugins) $(wildcard examples) $(wildcard benchmarks/*.py)

empty :=
comma := ,
space := $(empty) $(empty)

RUN_PARTS  := -e . $(PLUGINS:%=-e plugins/%)
TEST_PARTS := -e '.[dev]' $(PLUGINS:%=-e plugins/%) $(EXAMPLES:%=-e examples/%)
PIP        := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# A plugin of this repository is on here; elsewhere its name is put into crm.toml.
ALL_PLUGINS := $(subst $(space),$(comma),$(strip $(PLUGINS)))

.PHONY: run test test-browser torture torture-all torture-power torture-crash torture-cancel torture-nodes torture-fuzz torture-clocks golden check format bench constraints schema reference clean

# Plugins are on in a file, not in the environment of this command alone: what `crm` does in this folder beside the
# server, such as an import, must reach their event handlers too.
run: $(VENV)/runnable
	@if [ -z "$$CRM_CONFIG" ] && [ ! -e crm.toml ]; then \
	    echo 'plugins = [$(subst $(space),$(comma) ,$(strip $(PLUGINS:%="%")))]' > crm.toml; fi
	@$(BIN)/crm migrate
	@if [ "$(DEMO)" != 0 ]; then $(BIN)/crm demo --if-empty; fi
	@exec $(BIN)/crm serve --port $(PORT) --token-file var/administrator.token $(ARGS)

# The tests start many processes: what one has compiled, the others need not, whatever the environment says.
test: $(VENV)/testable
	@CRM_PLUGINS= PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(PARALLEL) --maxprocesses 8 --dist worksteal $(ARGS)

test-browser: $(VENV)/testable
	@CRM_PLUGINS= CRM_TEST_BROWSER=required $(BIN)/python -m pytest tests/browser $(ARGS)

torture: $(VENV)/testable
	@CRM_PLUGINS= DIFFERENTIAL_CASES=$(CASES) DIFFERENTIAL_FAILURES=20 \
	    $(if $(SEED),DIFFERENTIAL_SEED=$(SEED)) $(if $(FROM),DIFFERENTIAL_FROM=$(FROM)) \
	    $(BIN)/python -m pytest tests/differential -s $(ARGS)

torture-all:
	@for part in torture torture-power torture-crash torture-cancel torture-nodes torture-fuzz torture-clocks; do \
	    echo "make $$part"; $(MAKE) --no-print-directory $$part || exit 1; done

torture-power: $(VENV)/testable
	@CRM_PLUGINS= TORTURE_CUTS=$(CUTS) $(if $(SEED),TORTURE_SEED=$(SEED)) \
	    $(BIN)/python -m pytest tests/durability/test_power.py -s $(ARGS)

torture-crash: $(VENV)/testable
	@CRM_PLUGINS= TORTURE_KILLS=$(KILLS) $(if $(SEED),TORTURE_SEED=$(SEED)) \
	    $(BIN)/python -m pytest tests/durability/test_crashes.py tests/durability/test_first_start.py tests/durability/test_webhooks.py -s $(ARGS)

torture-cancel: $(VENV)/testable
	@CRM_PLUGINS= TORTURE_CANCEL=1 $(BIN)/python -m pytest tests/durability/test_cancelled_mutations.py -s $(ARGS)

torture-nodes: $(VENV)/testable
	@CRM_PLUGINS= TORTURE_RESTARTS=$(RESTARTS) TORTURE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/cluster -s $(ARGS)

torture-fuzz: $(VENV)/testable
	@CRM_PLUGINS= FUZZ_CASES=$(REQUESTS) $(if $(SEED),FUZZ_SEED=$(SEED)) $(BIN)/python -m pytest tests/fuzz -s $(ARGS)

torture-clocks: $(VENV)/testable
	@CRM_PLUGINS= CLOCK_CASES=$(CLOCK_CASES) $(if $(SEED),CLOCK_SEED=$(SEED)) \
	    $(BIN)/python -m pytest plugins/ticketing/tests/clocks $(ARGS)

golden: $(VENV)/testable
	@CRM_PLUGINS= CRM_TEST_RENEW_GOLDEN=1 $(BIN)/python -m pytest -q tests/engine/test_golden.py tests/schema/test_golden.py tests/schema/test_who_sees_what.py

check: $(VENV)/testable
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/typecheck.py
	@CRM_PLUGINS= $(BIN)/python -m pytest -q $(wildcard tests/test_arrows.py tests/docs)

format: $(VENV)/testable
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/testable
	@CRM_PLUGINS="$(ALL_PLUGINS)" $(BIN)/python -m benchmarks $(if $(PEERS),--peers) $(ARGS)

# Writes the versions of the present environment down as those that everybody gets.
constraints: $(VENV)/testable
	@$(BIN)/python tools/pin.py constraints.txt

# Writes the API down as it is with every plugin of this repository; a test compares it.
schema: $(VENV)/testable
	@CRM_PLUGINS="$(ALL_PLUGINS)" $(BIN)/crm schema print > schema.graphql.new || { rm schema.graphql.new; exit 1; }
	@mv schema.graphql.new schema.graphql

# Writes the public names down with their signatures and docstrings; a test compares it.
reference: $(VENV)/testable
	@$(BIN)/python tools/reference.py docs/reference.md

$(VENV)/runnable: $(MANIFESTS) | $(BIN)/python
	@echo "Installing the CRM$(if $(PLUGINS), and its plugins $(PLUGINS)) …"
	@$(PIP) $(RUN_PARTS)
	@touch $@

$(VENV)/testable: $(MANIFESTS) | $(BIN)/python
	@echo "Installing the CRM with its tools for tests …"
	@$(PIP) $(TEST_PARTS)
	@touch $@ $(VENV)/runnable

$(BIN)/python:
	@sh tools/make-venv.sh $(VENV)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +
