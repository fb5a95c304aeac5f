"""The checkpoints that stand for those of Hugging Face's hub: small, and of real files with real digests.

Each repository has one, made when it is asked for and always the same. Its weights are valid safetensors, of noise.
"""

import hashlib
import json
import random
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

# An account must first accept the licence of these repositories, as their pages said on 2026-11-24.
_GATED = re.compile(r"meta-llama/.+|google/gemma-3-.+|mistralai/(Mistral-7B|Mixtral).+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARDS = (96 * 1024, 64 * 1024)
"""Bytes of the weights in each file."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. The hub keeps large ones on another host (`lfs`), and names them by SHA-256."""

    name: str
    content: bytes
    lfs: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_digest(self) -> str:
        """Git's name of a small file."""
        head = f"blob {len(self.content)}\0".encode()
        return hashlib.sha1(head + self.content, usedforsecurity=False).hexdigest()


def gated(repository: str) -> bool:
    """Whether an account must accept a licence before it may read the files."""
    return _GATED.fullmatch(repository) is not None


def commit(repository: str, revision: str) -> str | None:
    """The commit that a revision names; None if no such revision is known."""
    if _COMMIT.fullmatch(revision):
        return revision
    if revision != "main" and not re.fullmatch(r"v?\d[\w.-]*", revision):
        return None
    named = repository if revision == "main" else f"{repository}@{revision}"
    return hashlib.sha1(named.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=64)
def files(repository: str) -> dict[str, HubFile]:
    """All files of a repository by their names."""
    count = len(_SHARDS)
    shards = {f"model-{i + 1:05}-of-{count:05}.safetensors": size for i, size in enumerate(_SHARDS)}
    index = {
        "metadata": {"total_size": sum(_SHARDS)},
        "weight_map": {f"noise.{i}": name for i, name in enumerate(shards)},
    }
    small = {
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "README.md": f"# {repository}\n\nThe sandbox's stand-in: noise, and no model.\n".encode(),
        "config.json": json.dumps({"_name_or_path": repository}).encode(),
        "model.safetensors.index.json": json.dumps(index).encode(),
        "tokenizer.json": b'{"version": "1.0"}',
    }
    noise = random.Random(repository)
    made = [HubFile(name, content, lfs=False) for name, content in small.items()]
    made += [HubFile(name, _safetensors(i, noise.randbytes(s)), lfs=True) for i, (name, s) in enumerate(shards.items())]
    return {file.name: file for file in made}


def _safetensors(number: int, data: bytes) -> bytes:
    """A file of one tensor of bytes: the header's length, the header, and the data."""
    tensor = {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}
    header = json.dumps({f"noise.{number}": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + data
