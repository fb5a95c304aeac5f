"""How a plan says no: with the key path in the stack file, the number that rules it out, and what to write instead."""

from config import NAMESPACE, Problem


class Refusals:
    """Collects what cannot be, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, path: str, what: str, advice: str) -> None:
        self.problems.append(Problem(f"{NAMESPACE}:{path}", what, advice))
