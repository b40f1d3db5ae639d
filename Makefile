# make lab      open the course in JupyterLab (LAB_ARGS="…" is handed on to it)
# make test     lint, types and every test
# make wheel    one self-contained wheel in dist/: package, bundled models, notebooks
# make site     the chapters as plain pages in site/, to be read anywhere without a network
# make notebooks  run every notebook again and save it so that it can be read anywhere
.PHONY: help lab test wheel site notebooks environment
.DEFAULT_GOAL := help

LAB_ARGS ?=
PY := .venv/bin/python

help:
	@sed -n 's/^# //p' Makefile | sed '/^$$/q'

# A name on the PATH may be an empty shim or too old, so each candidate is run; the first that answers is taken.
environment:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$python scripts/environment.py; fi; done; \
	echo "xllm-widgets needs Python 3.11 or newer, and none was found: install it from https://www.python.org/downloads/ (or name one: make lab PYTHON=/path/to/python3.12)." >&2; exit 1

lab: environment
	@$(PY) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(LAB_ARGS)

test: environment
	@$(PY) scripts/install_browser.py
	@$(PY) -m ruff check
	@$(PY) -m mypy
	@$(PY) -m pytest

wheel: environment
	@$(PY) -m build --wheel --no-isolation --outdir dist . >/dev/null && ls -1sh dist/*.whl

site: environment
	@$(PY) scripts/build_site.py

notebooks: environment
	@$(PY) scripts/publish_notebooks.py notebooks/*.ipynb
