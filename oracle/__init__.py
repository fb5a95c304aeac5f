"""Asks vLLM's own code, without a GPU, what it would do with a model: its weights, cache blocks and refusals.

This half runs with the product and reads its catalogue; the half in `inside/` runs in vLLM's own environment, which the
product neither installs nor imports. The product reads only what was written down: `catalog/recorded/`.
"""
