"""Keeps what is secret out of every row, whoever says it."""

import re

_MOST = 400
"""Characters of a row's detail: enough for a sentence and an advice."""
_MARK = "(hidden)"
# What tokens and keys look like, for one that came from elsewhere: of Google, of Hugging Face, signed ones, and keys.
_SHAPES = re.compile(
    r"ya29\.[\w.-]+|hf_\w{8,}|eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|-----BEGIN[^-]*-----.*|\b[Bb]earer\s+\S+", re.DOTALL
)


class Hidden:
    """The secrets of one run, learned as they are met."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, value: str | None) -> None:
        if value:
            self._values.add(value)

    def clean(self, text: str) -> str:
        """The text without secrets and without what a terminal would obey, cut to the length of a row."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, _MARK)
        text = _SHAPES.sub(_MARK, text)
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        return text if len(text) <= _MOST else f"{text[:_MOST]}…"
