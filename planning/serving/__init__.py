"""Decides how each model of a stack is served: shape, command line, resources, lifecycle, place and callers."""

from planning.serving.planner import plan_models

__all__ = ["plan_models"]
