"""How the stand-in of Hugging Face's hub misbehaves on demand."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.models.behaviour import UnknownBehaviour

FORMS = "unreachable, gated, forbidden=FILE, truncated=FILE, corrupt=FILE"


@dataclass(frozen=True)
class HubBehaviour:
    """The ways in which the hub misbehaves towards pods.

    `unreachable`: nothing connects to it. `gated`: nobody has accepted the licence of any model. The sets name files:
    those that the token may not read, that end early, and that come with a wrong byte.
    """

    unreachable: bool = False
    gated: bool = False
    forbidden: frozenset[str] = frozenset()
    truncated: frozenset[str] = frozenset()
    corrupt: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "HubBehaviour":
        """Parses one of FORMS, or several with commas; a file is named as in its repository. Raises
        UnknownBehaviour."""
        words = set[str]()
        files: dict[str, set[str]] = {"forbidden": set(), "truncated": set(), "corrupt": set()}
        for part in filter(None, (part.strip() for part in text.split(","))):
            kind, _, file = part.partition("=")
            if part in ("unreachable", "gated"):
                words.add(part)
            elif kind in files and file:
                files[kind].add(file)
            else:
                raise UnknownBehaviour(f"{part!r} is no behaviour of the hub; write {FORMS}")
        named = {kind: frozenset(names) for kind, names in files.items()}
        return cls(unreachable="unreachable" in words, gated="gated" in words, **named)

    @classmethod
    def read(cls, file: Path) -> "HubBehaviour":
        """The behaviour that a file asks for; as it should be without the file."""
        return cls.parse(file.read_text(encoding="utf-8") if file.exists() else "")
