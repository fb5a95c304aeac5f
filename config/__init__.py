"""Intent: what a person wrote in a stack file, checked and typed."""

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from config.stack_file import read_stack_file, stack_names
from config.validate import NAMESPACE

__all__ = ["NAMESPACE", "ConfigurationError", "Problem", "Settings", "read_stack_file", "stack_names"]
