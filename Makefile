.PHONY: setup run test release check example schema clean

setup: .venv/ready
.venv/ready: pyproject.toml constraints.txt
	python3.11 -m venv .venv
	.venv/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup
	.venv/bin/fer-audit run experiments/grid.yaml

test: setup
	.venv/bin/pytest --numprocesses 2 --dist loadfile

# What takes minutes and must pass before a release; one of its tests ends all of Ray on this machine.
release: setup
	.venv/bin/pytest -m release

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

example: setup
	.venv/bin/fer-audit report reports/example
	.venv/bin/python experiments/first_screen.py reports/example

schema: setup
	.venv/bin/fer-audit schema --built-in > experiments/grid.schema.json

clean:
	rm -rf .venv .fer-audit
