# Everything lives in .venv of this clone. `make demo` and `make test` need Python 3.11+, git and make, nothing else.
PYTHON ?= python3
UV := .venv/bin/uv
RUN := $(UV) run --no-sync

.PHONY: demo test test-slow peers panel-test desks docs vectors check format bench clean

demo: .venv/ready
	$(UV) sync -q --frozen --inexact --group demo
	$(RUN) python -m unison_plugins.demo demo

test: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) pytest

test-slow: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) pytest -m slow

# OSC programs that are installed: apt-get install liblo-tools puredata-core supercollider-language.
peers: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) pytest -rs tests/peers

# The panel in Chromium: apt-get install chromium nodejs npm. What is missing is skipped, with the reason.
panel-test: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) pytest -rs -m "slow or not slow" tests/panel tests/test_panel_pages.py tests/test_client.py tests/test_client_javascript.py

# Clients at the desk, as far as their programs are installed: apt-get install --no-install-recommends
# supercollider-language puredata-core mono-mcs mono-runtime libmono-system-core4.0-cil godot3-server lua5.4 ardour xvfb xdotool.
desks: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) pytest -rs -m '' tests/desks

# The site, in site/: pages, and the sounds of the shipped bundle.
docs: .venv/ready
	$(UV) sync -q --frozen --inexact --group docs --group demo
	$(RUN) python -m docs.render_sounds
	$(RUN) mkdocs build --strict --quiet

# The network against vectors of the official code; DIR is any folder laid out as tests/vectors.
DIR ?= tests/vectors
vectors: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev
	$(RUN) python -m tests.vector_checks $(DIR)

check: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy unison_engine plugins/unison_plugins train/unison_train export/unison_export examples/live_scene/live_scene \
		examples/live_scene/measure_seams.py tests benchmarks

format: .venv/ready
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: .venv/ready
	$(UV) sync -q --frozen --inexact --group dev --group demo
	for name in realtime step official; do $(RUN) python -m benchmarks.bench_$$name || exit 1; done

.venv/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "The venv module is missing; run: sudo apt-get install python3-venv"; rm -rf .venv; exit 1; }
	.venv/bin/pip install -q --disable-pip-version-check uv
	touch $@

clean:
	rm -rf .venv demo site build
