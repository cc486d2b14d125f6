# One command each: `make up` starts Trueup, `make test` tests everything, `make check` judges the code, `make fix` repairs it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install dev up down engines peers test-deps check fix test test-fast bench lock crds schemas pages-vendor pages-check docs clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Trueup needs Python 3.11 or newer; try: make up PYTHON=python3.11"; exit 2; }
	@echo "==> creating the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "==> installing the locked dependencies"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(STAMP)
	@echo "==> installing what tests and checks need"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

install: $(STAMP) ## virtual environment and locked dependencies

dev: $(DEV_STAMP) ## the same, with everything that tests and checks need

up: $(STAMP) ## start Trueup on this machine: embedded Kubernetes, Git server, controller
	@$(BIN)/trueup up $(ARGS)

down: $(STAMP) ## stop it
	@$(BIN)/trueup down

engines: $(STAMP) ## build the rendering engines (cached)
	@$(BIN)/python -m trueup.render.engine build

peers: $(DEV_STAMP) ## build the real kube-apiserver, etcd, kubectl, kwok and helm that tests run against (cached)
	@$(BIN)/python -m tests.peers.build all
	@$(BIN)/python -m tests.peers.azurite
	@$(BIN)/python -m tests.peers.oidcprovider

check: $(DEV_STAMP) ## format, lint, types, import contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(DEV_STAMP) ## repair what the formatter and linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test-deps: ## install what tests need of the system: an SSH server, PostgreSQL, GnuPG, process tools (Debian, as root)
	@tools/test-deps.sh

test-fast: $(DEV_STAMP) engines ## tests without real peers
	@$(BIN)/python -m pytest -q -m "not real and not slow" -n auto --dist loadgroup

test: $(DEV_STAMP) test-deps engines peers check ## everything
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup

bench: $(DEV_STAMP) engines peers ## measure against the numbers of docs/performance.md
	@$(BIN)/python -m bench $(ARGS)

lock: $(DEV_STAMP) ## write the lock files anew
	@$(BIN)/uv pip compile pyproject.toml --group build --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -q -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group build --extra buckets --extra clouds --extra keyless --universal --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 -q -c requirements.lock -o requirements-buckets.lock
	@$(BIN)/uv pip compile pyproject.toml --group build --group dev --extra buckets --extra clouds --extra keyless --universal --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 -q -c requirements.lock -o requirements-dev.lock

crds: $(STAMP) ## generate deploy/crds and deploy/install.yaml from the code
	@$(BIN)/python -m trueup.dialects.generate
	@$(BIN)/trueup install --export > deploy/install.yaml

pages-vendor: $(DEV_STAMP) ## copy the pinned libraries and icons into the pages
	@$(BIN)/python -m tools.pages.vendor

pages-check: $(DEV_STAMP) ## check the types of the pages' modules
	@$(BIN)/python -m tools.pages.check

schemas: $(DEV_STAMP) ## dump Kubernetes' own schemas for the embedded API server from the pinned release
	@$(BIN)/python -m tools.schemadata.dump

docs: $(STAMP) ## write the generated parts of the reference anew
	@$(BIN)/python docs/generate.py

clean: ## remove the virtual environment and caches of this checkout
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
