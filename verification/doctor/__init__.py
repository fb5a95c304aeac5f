"""Asks Google, Hugging Face and the image registries before money is spent. It only reads."""
