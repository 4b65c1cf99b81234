# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PYTHONSAFEPATH := 1

USHER_CACHE ?= $(HOME)/.cache/usher
UV := $(USHER_CACHE)/tools/uv/bin/uv
PY := .venv/bin/python
# The project's own tools run from the root, which PYTHONSAFEPATH keeps off the path.
RUN := PYTHONPATH=. $(PY) -m

LOCKS := locks/dev.txt locks/operator.txt locks/bot.txt locks/build.txt

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "==> installing uv into $(USHER_CACHE)/tools (about 10 s)"
	@python3 -m venv $(USHER_CACHE)/tools/uv && $(USHER_CACHE)/tools/uv/bin/pip install --quiet uv

.venv/.installed: $(UV) locks/dev.txt pyproject.toml
	@echo "==> installing the Python environment into .venv (about 20 s)"
	@test -x $(PY) || $(UV) venv --quiet --python '>=3.11' .venv
	@$(UV) pip sync --quiet --python $(PY) --require-hashes locks/dev.txt
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: .venv/.installed ## Install the Python environment

.PHONY: lock
lock: $(UV) ## Lock every dependency anew, by hash (locks/*.txt)
	@# A requirements lock and not uv.lock: it names versions and hashes, never hosts, so it works behind any mirror.
	@compile() { $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$$@"; }; \
	compile pyproject.toml --all-extras --group dev --output-file locks/dev.txt; \
	compile pyproject.toml --extra operator --constraint locks/dev.txt --output-file locks/operator.txt; \
	compile pyproject.toml --extra bot --constraint locks/dev.txt --output-file locks/bot.txt; \
	echo 'hatchling>=1.27' | compile - --constraint locks/dev.txt --output-file locks/build.txt

.PHONY: check
check: install lint types layers unit ## Lint, types, layers and unit tests: what to run while working

.PHONY: lint
lint: install
	$(RUN) ruff check . && $(RUN) ruff format --check .

.PHONY: types
types: install
	$(RUN) mypy

.PHONY: layers
layers: install
	.venv/bin/lint-imports

.PHONY: unit
unit: install ## Unit tests
	$(RUN) pytest tests/unit --timeout 2

.PHONY: integration
integration: install ## Tests on real Postgres and Redis (started privately, without root's system services)
	$(RUN) dev.stores up
