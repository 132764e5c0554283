.PHONY: setup run test check example clean

setup: .venv/ready
.venv/ready: pyproject.toml constraints.txt
	python3.11 -m venv .venv
	.venv/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup
	.venv/bin/fer-audit run experiments/grid.yaml

test: setup
	.venv/bin/pytest

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

example: setup
	.venv/bin/fer-audit report reports/example
	.venv/bin/python experiments/first_screen.py reports/example

clean:
	rm -rf .venv .fer-audit
