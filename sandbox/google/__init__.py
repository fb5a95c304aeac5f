"""Stands in for those parts of Google's REST APIs, Hugging Face and an image registry that are asked before money is
spent.

They answer from the stand-in cloud's state and from the scenario; nothing here changes anything.
"""
