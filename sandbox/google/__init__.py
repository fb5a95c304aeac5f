"""Google's REST APIs, Hugging Face and an image registry, as far as they are asked before money is spent.

They answer from the stand-in cloud's state and from what a scenario says of this Google; nothing here changes anything.
"""
