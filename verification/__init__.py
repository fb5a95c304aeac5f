"""Checks a stack that is up, by kubectl alone, and so in the same way on Google and on a laptop."""
