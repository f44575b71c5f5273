# Two commands: `make run` starts everything, `make test` proves it.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: run test test-quick test-postgresql lint format bench crash soak docs screenshots messages upgrade help

run: ## Start everything on PORT (8000)
	@$(PYTHON) chatsite/bootstrap.py
	@$(VENV)/python manage.py setup
	@exec $(VENV)/python manage.py serve

# Several processes share the tests: most of them wait for something most of the time. Then those
# that measure time, or keep all processors busy, one after the other.
TOGETHER := -n 4 --dist worksteal -m "not alone"

test: develop real-servers ## Install what tests need and run all of them
	@$(MAKE) --no-print-directory -j 2 lint prepared
	@$(VENV)/python -m pytest $(TOGETHER)
	@$(VENV)/python -m pytest -m alone
	@$(MAKE) --no-print-directory test-postgresql

QUICK := tests/docs tests/agent tests/providers tests/runs tests/pages tests/security tests/wire

test-quick: develop ## Most of them, in about two minutes: no browser, admin, faults or MCP
	@$(VENV)/python -m pytest -n 4 --dist worksteal -m "not alone and not slow" tests/test_*.py $(QUICK)

# What cannot differ there is left out: models, MCP and starting up; what meets the database through
# the same views as the rest does: the browser's but for two tests, and most of security's; and what
# hardly meets it: texts, files, forms, settings of an account, what a model answers.
SECURITY := $(addprefix tests/security/test_,authorisation.py mailed_links.py owners.py \
	sessions.py sign_in.py sign_in_limits.py sign_up.py sso.py tools.py)
TABS := $(addprefix tests/browser/test_answers.py::test_,\
	two_tabs_show_the_same a_reload_in_mid_answer_goes_on_where_it_was)
ALIKE := admin/test_difference admin/test_model_checks pages/test_account pages/test_input_form \
	pages/test_markdown pages/test_models pages/test_static_files wire/test_model_trouble wire/test_openapi
ON_POSTGRESQL := tests/wire tests/runs tests/admin tests/pages $(TABS) $(SECURITY) \
	$(ALIKE:%=--ignore=tests/%.py)

test-postgresql: develop ## What touches the database, once more on PostgreSQL and Redis
	@$(VENV)/python -m tests.on_postgresql $(TOGETHER) $(ON_POSTGRESQL) --then -m alone $(ON_POSTGRESQL)

upgrade: ## Take new code into use, one process after the other (docs/deploy.md)
	@sh deploy/upgrade.sh

.PHONY: prepared
prepared: develop
	@$(VENV)/python -m tests.prepared

lint: develop ## Style, types, templates
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@SECRET_KEY=lint $(VENV)/mypy
	@find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2 --check

format: develop ## Let ruff and djade write it right
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .
	@find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2 || true

messages: develop ## Renew the catalogues in locale/ from what is marked in the sources
	@$(VENV)/python -m tests.messages

bench: develop ## Speed beside a plain relay; SHAPES="S1 S2 S3 S4 S5 length idle" for all of it
	@$(PYTHON) chatsite/bootstrap.py requirements-bench.txt
	@$(VENV)/python -m tests.bench $(SHAPES)

crash: develop ## Kill the server while it answers, and check what must hold; ROUNDS=200 DATABASE=postgres://…
	@$(VENV)/python -m tests.faults.crash --rounds $(or $(ROUNDS),20) $(if $(DATABASE),--database $(DATABASE))

soak: develop ## Half an hour of people and faults; does anything grow? MINUTES=5 SERVER=uvicorn DATABASE=postgres://…
	@$(VENV)/python -m tests.faults.soak --minutes $(or $(MINUTES),30) $(if $(SERVER),--server $(SERVER)) $(if $(DATABASE),--database $(DATABASE))

docs: develop ## Hold the documentation against the code: links, settings, commands, addresses, code
	@$(VENV)/python -m pytest tests/docs

screenshots: develop ## Pictures of every page and state into docs/screenshots
	@$(VENV)/python -m pytest tests/browser/screenshots/take.py

# Not beside what runs: libraries load what they find, and one of these costs a start two seconds.
SUPPLY := .venv-supply

.PHONY: supply lock audit sbom licences
supply:
	@$(PYTHON) chatsite/bootstrap.py --into $(SUPPLY) requirements-supply.txt

COMPILE := $(SUPPLY)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

lock: supply ## Renew requirements(-telemetry).txt from the .in; UPGRADE=1 takes the newest of what those need
	@$(COMPILE) requirements.in -o requirements.txt $(if $(UPGRADE),--upgrade)
	@$(COMPILE) requirements-telemetry.in -c requirements.txt -o requirements-telemetry.txt $(if $(UPGRADE),--upgrade)

audit: supply ## Whether anything that is installed is known to be vulnerable
	@$(SUPPLY)/bin/python -m tests.audit

sbom: supply develop ## What Ferryline is made of, as CycloneDX: sbom.json
	@$(VENV)/python -m tests.sbom

licences: develop ## Renew docs/licences.md
	@$(VENV)/python -m tests.licences

.PHONY: develop
develop:
	@$(PYTHON) chatsite/bootstrap.py requirements-telemetry.txt requirements-dev.txt
	@$(VENV)/python -m tests.chromium

.PHONY: real-servers
real-servers: develop
	@$(VENV)/python -m tests.servers.real.install

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
