# Each target sets up what it needs by itself; a second run starts in seconds.
SHELL := bash
PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long shots bench lint pins clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup:  ## everything needed: Debian packages, .venv/, a migrated database, static files
	@scripts/setup test

demo:  ## the whole shop on this machine; ARGS=--once orders one disc and ends
	@scripts/setup demo
	@$(PYTHON) manage.py demo $(ARGS)

test: setup lint  ## what must pass: gates and tests, under 15 minutes on two cores
	@scripts/run-tests quick $(ARGS)

test-long: setup  ## what takes longer: all of it on PostgreSQL too, big images, long series
	@scripts/run-tests long $(ARGS)

shots: setup  ## every page at 360, 768 and 1440 px, light and dark, to build/shots/
	@$(PYTHON) -m pytest tests/browser/shots.py -q -p no:cacheprovider $(ARGS)

bench:  ## speed and memory against named peers; ARGS=--full for docs/benchmarks.md
	@scripts/setup bench
	@$(PYTHON) -m tests.bench $(ARGS)

lint: setup  ## format, lint, types, who imports whom, migrations
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@$(PYTHON) manage.py makemigrations --check --dry-run
	@$(PYTHON) manage.py check

pins:  ## compile requirements*.txt anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra shop --extra dev --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -o requirements-dev.txt
	uv pip compile pyproject.toml --extra shop --extra dev --extra bench -c requirements-dev.txt --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -o requirements-bench.txt
	uv pip compile pyproject.toml --extra shop -c requirements-dev.txt --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -o requirements.txt

clean:  ## removes all that was made here: .venv/, var/, build/
	rm -rf .venv var build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
