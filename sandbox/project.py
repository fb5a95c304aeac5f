"""The stand-in cloud's one project, and what every secret in it holds."""

PROJECT_ID = "sandbox-project"
CANARY_TOKEN = "hf_sandboxcanary0123456789"
"""Stands for a Hugging Face token, and must never be seen again in any output."""
