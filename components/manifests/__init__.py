"""Kubernetes objects as plain functions from a part of the plan to dicts in Kubernetes' own field names."""
