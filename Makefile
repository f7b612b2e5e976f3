# Every target sets up .venv by itself, with any Python from 3.11 on: `make demo PYTHON=python3.12`.
PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

MCP2 := mcp==2.3.0 mcp-types==2.3.0

export NO_MKDOCS_2_WARNING = 1

.PHONY: demo serve test test-serve test-mcp2 test-kits lint docs claims pictures types wheel-check clean

demo: .venv/dev.stamp  ## a trained model imagines before it answers; writes runs/demo/index.html
	.venv/bin/g2u demo

serve: .venv/dev.stamp  ## the graphs behind a LangGraph server on http://127.0.0.1:2024, until Ctrl-C
	.venv/bin/g2u serve

test: .venv/dev.stamp  ## all tests, or those in TESTS
	.venv/bin/python -m pytest --quiet $(TESTS)

test-serve: .venv/dev.stamp  ## starts real servers on free ports of this machine and drives them as clients do
	.venv/bin/python -m pytest --quiet -m serve tests/agent/serving

test-mcp2: .venv/mcp2.stamp  ## the MCP server with the package of line 2, which lies beside the other one
	PYTHONPATH=.venv/mcp2 .venv/bin/python -m pytest --quiet -k "mcp_lines or mcp_client" tests/agent/plugins/test_mcp_lines.py tests/examples

test-kits: .venv/kits.stamp  ## the evaluation kits of others run and score beside ours, in an environment of their own
	.venv/kits/bin/python -m pytest --quiet -m kits tests/agent/plugins tests/study

lint: .venv/dev.stamp types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

docs: .venv/docs.stamp  ## writes site/
	.venv/bin/mkdocs build --strict --quiet

claims: .venv/dev.stamp  ## runs the study of the paper's claims and writes docs/claims.md; a quarter of an hour on two cores
	.venv/bin/g2u study run --preset paper-world --model mini --items 150 --seeds 1 --out runs/claims
	.venv/bin/python -m g2u.study.claims.page runs/claims --out docs/claims.md

pictures: .venv/kits.stamp  ## the pictures of pages in docs/assets/ anew, by the tests that take them
	G2U_DOCS_PICTURES=1 .venv/bin/python -m pytest --quiet -m serve tests/agent/serving/test_pages.py
	G2U_DOCS_PICTURES=1 .venv/kits/bin/python -m pytest --quiet -m kits -k viewer tests/agent/plugins/test_inspect.py

types:  ## .types/g2u: the rooms under their import names, for mypy and pyright
	@rm -rf .types && mkdir -p .types/g2u
	@ln -s "$(CURDIR)"/agent/* "$(CURDIR)"/graphs "$(CURDIR)"/prompts "$(CURDIR)"/study "$(CURDIR)"/world .types/g2u/

wheel-check: .venv/dev.stamp  ## installs the wheel in a virtual environment of its own and asks from another folder
	.ci/wheel-check .venv/bin/python

clean:
	rm -rf .venv .types build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("G2U needs Python 3.11 or later.") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

# torch goes first and alone: it is most of the download.
.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) torch
	$(PIP) --editable '.[dev]'
	@touch $@

# What it needs is there, all but itself.
.venv/mcp2.stamp: .venv/dev.stamp
	.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --upgrade --target .venv/mcp2 $(MCP2)
	@touch $@

# It sees what is in .venv, and before that what lies in it alone.
.venv/kits.stamp: .venv/dev.stamp .ci/kits.txt
	rm -rf .venv/kits && .venv/bin/python -m venv --without-pip .venv/kits
	.venv/bin/python -c "import sysconfig; print('import site; site.addsitedir(' + repr(sysconfig.get_path('purelib')) + ')')" \
		>"$$(.venv/kits/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/beneath.pth"
	.venv/bin/python -m pip --python .venv/kits/bin/python --disable-pip-version-check install --quiet --no-deps --requirement .ci/kits.txt
	@touch $@

.venv/docs.stamp: .venv/dev.stamp
	$(PIP) --editable '.[docs]'
	@touch $@
