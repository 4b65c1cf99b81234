# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PYTHONSAFEPATH := 1
# Whatever the shell says: without bytecode every process compiles every module at its start, for seconds.
export PYTHONDONTWRITEBYTECODE :=

USHER_CACHE ?= $(HOME)/.cache/usher
UV := $(USHER_CACHE)/tools/uv/bin/uv
PY := .venv/bin/python
# The project's own tools run from the root, which PYTHONSAFEPATH keeps off the path.
RUN := PYTHONPATH=. $(PY) -m
# What needs nothing but a Python. One that is too old finds or unpacks a newer one (dev/python).
RUN_ANYWHERE := PYTHONPATH=. python3 -m

# Every statement, the races, callbacks, the acts on bots, the sweeps, leadership, both processes, and the API's main part.
# Left out is what asks the database nothing else.
HOSTILE_TESTS := tests/integration/db $(addprefix tests/integration/operator/,callbacks lifecycle processes reconcile \
	api/test_bots.py api/test_adopted.py webhooks/test_outbox.py)

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "==> installing uv into $(USHER_CACHE)/tools (about 10 s)"
	@python3 -c 'import ensurepip' 2>/dev/null || $(RUN_ANYWHERE) dev.machine.debian python3-venv
	@python3 -m venv --clear $(USHER_CACHE)/tools/uv && $(USHER_CACHE)/tools/uv/bin/pip install --quiet uv

.venv/.installed: $(UV) locks/dev.txt pyproject.toml
	@echo "==> installing the Python environment into .venv (about 20 s)"
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null \
		|| $(UV) venv --quiet --clear --python "$${PYTHON:-$$($(RUN_ANYWHERE) dev.python)}" .venv
	@$(UV) pip sync --quiet --compile-bytecode --python $(PY) --require-hashes locks/dev.txt
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: .venv/.installed ## Install the Python environment; PYTHON=path chooses which Python, 3.12 or newer

.PHONY: lock
lock: $(UV) ## Lock every dependency anew, by hash (locks/*.txt)
	@# A requirements lock and not uv.lock: it names versions and hashes, never hosts, so it works behind any mirror.
	@compile() { $(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate "$$@"; }; \
	compile pyproject.toml --all-extras --group dev --output-file locks/dev.txt; \
	compile pyproject.toml --extra operator --constraint locks/dev.txt --output-file locks/operator.txt; \
	compile pyproject.toml --extra bot --constraint locks/dev.txt --output-file locks/bot.txt; \
	compile pyproject.toml --extra browser --constraint locks/dev.txt --output-file locks/browser.txt; \
	echo 'hatchling>=1.27' | compile - --constraint locks/dev.txt --output-file locks/build.txt; \
	echo 'cyclonedx-bom>=7' | compile - --output-file locks/sbom.txt

.PHONY: check
check: lint types layers site unit ## Lint, types, layers, docs and unit tests: what to run while working

.PHONY: lint
lint: install
	@$(RUN) ruff check . && $(RUN) ruff format --check .

.PHONY: format
format: install ## Format the code
	@$(RUN) ruff check --fix-only . && $(RUN) ruff format .

.PHONY: types
types: install
	@$(RUN) mypy

.PHONY: layers
layers: install
	@.venv/bin/lint-imports

.PHONY: unit
unit: install tools ## Unit tests (a minute); each takes less than 2 s on a quiet machine, and is stopped after 20
	@$(RUN) pytest tests/unit --quiet --timeout 20 --durations 5 --numprocesses 2

.PHONY: tools
tools:
	@$(RUN_ANYWHERE) dev.cluster build-tools > /dev/null

.PHONY: integration
integration: install ## Tests on a real Postgres and Redis of their own (about 2 minutes)
	@$(RUN) dev.stores up
	@$(RUN) pytest tests/integration --quiet --durations 5 --numprocesses 2

.PHONY: integration-hostile
integration-hostile: install ## A quick part of it for a role with hostile settings, through PgBouncer (about 2 minutes)
	@$(RUN) dev.stores up --hostile
	@USHER_TEST_HOSTILE=1 $(RUN) pytest $(HOSTILE_TESTS) --quiet --durations 5 --numprocesses 2

.PHONY: coverage
coverage: install tools ## What unit and integration tests run of Usher, programs that they start included, against a floor (about 5 minutes)
	@$(RUN) dev.stores up
	@mkdir -p build/coverage
	@COVERAGE_FILE=build/coverage/data $(RUN) pytest tests/unit tests/integration --quiet --timeout 120 --numprocesses 2 \
		--cov --cov-report=term --cov-report=html:build/coverage/html

.PHONY: mutants
mutants: install tools ## Put one small mistake after another into Usher; a test must fail for each: SEED=n SAMPLE=n ONLY=glob (about 30 minutes)
	@$(RUN) dev.stores up
	@$(RUN) tests.mutants $(addprefix --seed ,$(SEED)) $(addprefix --sample ,$(SAMPLE)) $(addprefix --only ,$(ONLY))

.PHONY: browser
browser: install ## The browser driver in a real Chromium and a real conference (about 8 minutes; at first 4 more)
	@$(RUN) dev.conference up
	@# Most of a test here is waiting for a page, so three at a time are no more work for two cores than they can do.
	@$(RUN) pytest tests/browser --quiet --timeout 200 --durations 5 --numprocesses 3

.PHONY: browser-quick
browser-quick: install ## Every platform, state and trap of it, against stand-ins in a real Chromium (about 2 minutes)
	@$(RUN) dev.conference up
	@$(RUN) pytest tests/browser/standins/test_matrix.py --quiet --timeout 200 --durations 5 --numprocesses 8

.PHONY: browser-deaths
browser-deaths: install ## Each way in which a browser or a page dies, TIMES=20 times; writes docs/evidence/browser.md (about 25 minutes)
	@$(RUN) dev.conference up
	@mkdir -p build
	@failed=0; USHER_TIMES=$(or $(TIMES),20) $(RUN) pytest tests/browser/test_dying.py --timeout 200 --quiet --numprocesses 3 \
		--junitxml build/deaths.xml || failed=$$?; $(RUN) tests.browser.deaths build/deaths.xml --write; exit $$failed

.PHONY: browser-long
browser-long: install ## Five bots in one room with a lively host, and every false alarm: MINUTES=60 BOTS=5; writes docs/evidence/browser.md
	@$(RUN) tests.browser.long_run --write $(addprefix --minutes ,$(MINUTES)) $(addprefix --bots ,$(BOTS))

.PHONY: browser-cost
browser-cost: install ## What one browser bot costs in a pod of the local cluster; writes docs/evidence/browser.md (about 2 minutes)
	@$(RUN) tests.load.browser_cost

.PHONY: e2e
e2e: install ## Tests on a real cluster (about 8 minutes; the first time about 15 more for building it)
	@# Most of a test here is waiting: six files at a time, then those that need the cluster for themselves.
	@$(RUN) pytest tests/e2e --timeout 300 --durations 10 -m 'not alone' --numprocesses 6 --dist loadfile
	@$(RUN) pytest tests/e2e --timeout 300 --durations 10 -m alone

.PHONY: faults
faults: install ## Break what Usher stands on and measure its promises (about 24 minutes); ONLY=name SEED=n TIMES=n
	@$(RUN) tests.faults $(addprefix --only ,$(ONLY)) $(addprefix --seed ,$(SEED)) $(addprefix --times ,$(TIMES))

.PHONY: faults-quick
faults-quick: install ## A short selection of it, with another case of chaos each day: SEED=n (about 2 minutes)
	@$(RUN) tests.faults --quick --only crash_points --only soak --only rewinds --seed 1
	@$(RUN) tests.faults --quick --only chaos --seed $(or $(SEED),$(shell date +%j))

.PHONY: outages
outages: install ## 1,000 bots while what they need is away for 3, 5 and 10 minutes (about 26 minutes)
	@$(RUN) tests.faults --only outages

.PHONY: races
races: install ## A million reservations and 100,000 heartbeats against each other (about 17 minutes)
	@$(RUN) tests.faults --only reservation_races --only heartbeat_races $(addprefix --seed ,$(SEED))

.PHONY: soak
soak: install ## Ask for bots at random while serve and operate are killed, and check: MINUTES=n (10) SEED=n
	@$(RUN) tests.faults --only soak $(addprefix --minutes ,$(MINUTES)) $(addprefix --seed ,$(SEED))

.PHONY: bench
bench: install ## Measure everything on a real control plane and write docs/evidence/performance.md (about 25 minutes)
	@$(RUN) dev.stores up
	@$(RUN) tests.load.bench --write $(addprefix --only ,$(ONLY))

.PHONY: bench-quick
bench-quick: install ## Measure a little of it and compare with stored margins (about 2 minutes)
	@$(RUN) dev.stores up
	@$(RUN) tests.load.bench --quick $(addprefix --only ,$(ONLY))

.PHONY: profile
profile: install ## Sample what the operator and serve spend their time on and write docs/evidence/profiles.md (about 5 minutes)
	@$(RUN) dev.stores up
	@$(RUN) tests.load.bench --profile --write $(addprefix --only ,$(ONLY))

.PHONY: test
test: ## Everything above, in the order of what fails fastest
	@$(call timed,check) && $(call timed,integration) && $(call timed,integration-hostile) \
		&& $(call timed,bench-quick) && $(call timed,faults-quick) && $(call timed,browser-quick) \
		&& $(call timed,e2e) \
		&& echo "==> make test: all passed in $$SECONDS s"

# Runs a target of this Makefile and says how long it took.
define timed
began=$$SECONDS; echo "==> make $(1)"; $(MAKE) --no-print-directory $(1); echo "==> make $(1): passed in $$((SECONDS - began)) s"
endef

CYCLONEDX := $(USHER_CACHE)/tools/sbom/bin/cyclonedx-py

$(CYCLONEDX): $(UV) locks/sbom.txt
	@echo "==> installing cyclonedx-bom into $(USHER_CACHE)/tools (about 10 s)"
	@$(UV) venv --quiet --clear --python "$$($(RUN_ANYWHERE) dev.python)" $(USHER_CACHE)/tools/sbom
	@$(UV) pip sync --quiet --python $(USHER_CACHE)/tools/sbom/bin/python --require-hashes locks/sbom.txt
	@touch $@

.PHONY: sbom
sbom: $(CYCLONEDX) ## Write what is in the images, as CycloneDX, into build/sbom (the images must be built)
	@$(RUN_ANYWHERE) dev.sbom --cyclonedx $(CYCLONEDX)

.PHONY: image-sizes
image-sizes: ## What the bytes of the images are (the images must be built)
	@$(RUN_ANYWHERE) dev.image_sizes

.PHONY: release
release: install $(CYCLONEDX) ## Build a release into build/release and verify it: VERSION=x.y.z, see RELEASE.md (about 6 minutes)
	@$(RUN) dev.release build "$(VERSION)" --cyclonedx $(CYCLONEDX)

.PHONY: verify-release
verify-release: install ## Verify build/release/VERSION without the network: VERSION=x.y.z KEY=file of the public key
	@$(RUN) dev.release verify "$(VERSION)" $(addprefix --key ,$(KEY))

.PHONY: demo
demo: install ## Show the main job on a real cluster: CLUSTER=kind|current|local (about 20 minutes at first, then 3)
	@$(RUN) dev.demo

.PHONY: up
up: ## Bring up the development cluster with Usher in it
	@$(RUN_ANYWHERE) dev.demo.installation

.PHONY: down
down: ## Stop the development cluster and keep its data
	@$(RUN_ANYWHERE) dev.cluster down

.PHONY: purge
purge: ## Remove the development cluster with its data, and the test stores
	@$(RUN_ANYWHERE) dev.cluster down --purge
	@$(RUN_ANYWHERE) dev.stores down
	@$(RUN_ANYWHERE) dev.conference down
	@$(RUN_ANYWHERE) dev.conference --cluster down

.PHONY: status
status: ## What of the development cluster runs
	@$(RUN_ANYWHERE) dev.cluster status

.PHONY: docs
docs: install ## Write the pages that are made from code, and build the docs site into build/site
	@$(RUN) dev.docs write
	@$(RUN) dev.chart
	@$(RUN) dev.docs build

.PHONY: site
site: install
	@$(RUN) dev.docs build
