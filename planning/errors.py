"""How a plan says no, or warns: with the key path in the stack file, the number behind it, and what to write."""

from config import NAMESPACE, Problem
from planning.plan import Warning


class Findings:
    """Collects what cannot be and what should be known, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Warning] = []

    def refuse(self, path: str, what: str, advice: str = "") -> None:
        self.problems.append(Problem(f"{NAMESPACE}:{path}", what, advice))

    def warn(self, path: str, text: str, *, first: bool = False) -> None:
        """`first`: before all that was warned of so far."""
        warning = Warning(path=f"{NAMESPACE}:{path}", text=text)
        self.warnings.insert(0 if first else len(self.warnings), warning)
