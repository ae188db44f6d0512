# How the shipped toy models are trained and measured. See models/README.md.

MODELS_PYTHON ?= models/work/venv/bin/python

.PHONY: help models models-eval

help:
	@echo "make models       train the shipped models again (CPU minutes, needs torch; see models/README.md)"
	@echo "make models-eval  measure them through llama.cpp; rewrites evaluation.json and docs/models.md"

# The subagents' own prompts are read from the source.
models models-eval: export PYTHONPATH := $(abspath src)

models:
	cd models && $(abspath $(MODELS_PYTHON)) tokens.py
	cd models && $(abspath $(MODELS_PYTHON)) train.py nano
	cd models && $(abspath $(MODELS_PYTHON)) train.py micro
	cd models && $(abspath $(MODELS_PYTHON)) train.py clerk
	cd models && OPENBLAS_NUM_THREADS=1 $(abspath $(MODELS_PYTHON)) embed.py

models-eval:
	cd models && $(abspath $(MODELS_PYTHON)) evaluate.py
