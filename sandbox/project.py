"""The one project of the stand-in cloud, and the content of every secret in it."""

PROJECT_ID = "sandbox-project"
CANARY_TOKEN = "hf_sandboxcanary0123456789"
"""Stands for a Hugging Face token, and must never be seen again in any output."""
