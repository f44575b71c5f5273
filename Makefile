# Two commands: `make run` starts everything, `make test` proves it.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: run test test-postgresql lint format bench crash help

run: ## Start everything on PORT (8000)
	@$(PYTHON) chatsite/bootstrap.py
	@$(VENV)/python manage.py setup
	@exec $(VENV)/python manage.py serve

test: develop real-servers lint ## Install what tests need and run all of them
	@$(VENV)/python -m pytest
	@$(MAKE) --no-print-directory test-postgresql

# What cannot differ there is left out: models, MCP and starting up; and all of the browser's but
# one file, which takes minutes and meets the database through the same views.
ON_POSTGRESQL := tests/wire tests/runs tests/admin tests/pages tests/security tests/agent \
	tests/browser/test_answers.py

test-postgresql: develop ## What touches the database, once more on PostgreSQL and Redis
	@$(VENV)/python -m tests.on_postgresql $(ON_POSTGRESQL)

lint: develop ## Style, types, templates
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@SECRET_KEY=lint $(VENV)/mypy
	@find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2 --check

format: develop ## Let ruff and djade write it right
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .
	@find templates -name '*.html' -print0 | xargs -0 $(VENV)/djade --target-version 5.2 || true

bench: develop ## Speed beside a plain relay; SHAPES="S1 S2 S3 S4 S5 length idle" for all of it
	@$(PYTHON) chatsite/bootstrap.py requirements-bench.txt
	@$(VENV)/python -m tests.bench $(SHAPES)

crash: develop ## Kill the server while it answers, and check what must hold; ROUNDS=200 DATABASE=postgres://…
	@$(VENV)/python -m tests.faults.crash --rounds $(or $(ROUNDS),20) $(if $(DATABASE),--database $(DATABASE))

.PHONY: develop
develop:
	@$(PYTHON) chatsite/bootstrap.py requirements-dev.txt
	@$(VENV)/python -m tests.chromium

.PHONY: real-servers
real-servers: develop
	@$(VENV)/python -m tests.servers.real.install

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
