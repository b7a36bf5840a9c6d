# Everything happens in an environment of its own, from locked wheels; Python 3.11 or newer with venv is all it takes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.PHONY: help demo test lint types contracts pytest bench soak docs lock clean
.DEFAULT_GOAL := help

help: ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

$(STAMP): requirements/test.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"found Python {sys.version.split()[0]}, expected 3.11 or newer; try make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

NODE := tests/node/node_modules/.package-lock.json

# What only npm has; without npm or its registry, the tests that ask for it are skipped.
$(NODE): tests/node/package-lock.json
	@command -v npm >/dev/null || exit 0; npm ci --silent --no-audit --no-fund --fetch-retries=1 --prefix tests/node \
	  || echo "npm ci failed in tests/node: the tests that need it are skipped, or fail when SIDECAR_REQUIRE names node"

demo: $(STAMP) ## An incident of about a minute, with no key and no network
	@$(BIN)/sidecar demo $(ARGS)

test: lint types contracts pytest ## Style, types, import contracts, tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports --cache-dir .cache/imports

pytest: $(STAMP) $(NODE)
	$(BIN)/pytest -n 4 --dist worksteal $(ARGS)  # some wait for other programs

bench: $(STAMP) ## Speed, as ratios to peers in the same run
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(STAMP) ## A hundred kills instead of three
	SIDECAR_KILLS=$${SIDECAR_KILLS:-100} $(BIN)/pytest -n 0 --timeout 3600 tests/integration/test_kill.py

docs: $(STAMP) ## Write what is made from the code: the reference, the dashboards, the chart's copies
	$(BIN)/python docs/generate.py
	$(BIN)/python dashboards/generate.py
	$(BIN)/python helm/generate.py

lock: $(STAMP) ## Resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra simulate --extra all --group test -o requirements/test.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra all --constraint requirements/test.txt -o requirements/all.txt
	echo hatchling | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 - --constraint requirements/test.txt -o requirements/build.txt

clean:
	rm -rf $(VENV) .cache
