"""Keeps secrets out of every row, whoever wrote its text."""

import re

_MOST = 400
"""The most characters of a row's detail: enough for a sentence and an advice."""
_MARK = "(hidden)"
# Forms of tokens and keys that come from elsewhere: Google's, Hugging Face's, signed ones, and keys.
_SHAPES = re.compile(
    r"ya29\.[\w.-]+|hf_\w{8,}|eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|-----BEGIN[^-]*-----.*|\b[Bb]earer\s+\S+", re.DOTALL
)


class Hidden:
    """The secrets of one run, which are added as they are found."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, value: str | None) -> None:
        if value:
            self._values.add(value)

    def clean(self, text: str) -> str:
        """The text without secrets and without control characters of a terminal, cut to the length of a row."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, _MARK)
        text = _SHAPES.sub(_MARK, text)
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        return text if len(text) <= _MOST else f"{text[:_MOST]}…"
