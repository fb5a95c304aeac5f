"""Decisions: pure functions from a stack's settings and the catalogue's facts to one frozen plan."""
