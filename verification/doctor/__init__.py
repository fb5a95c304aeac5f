"""Asks Google, Hugging Face and the image registries before money is spent; reads, and writes nothing anywhere."""
