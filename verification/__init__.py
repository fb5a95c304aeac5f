"""Checks a stack that is up, only by kubectl, so that it works in the same way on Google and on a laptop."""
