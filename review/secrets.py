"""Keeps secrets out of reports, even if the Pulumi engine did not mask them."""

import re

MASK = "[secret]"

# Forms of credentials that no report needs to show: Hugging Face, GitHub, Google, Pulumi, keys, signed tokens.
_SHAPES = re.compile(
    r"""
    \bhf_[A-Za-z0-9]{8,}
    | \b(?:ghp|gho|ghu|ghs|ghr|github_pat)_[A-Za-z0-9_]{16,}
    | \bAIza[0-9A-Za-z_-]{30,}
    | \bya29\.[0-9A-Za-z_-]{16,}
    | \bpul-[0-9a-f]{32,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|credential|private_?key|api_?key|token)(value)?$")
_HOLDERS = ("kubernetes:core/v1:Secret",)


def scrub(text: str) -> str:
    """The text with everything masked that looks like a credential."""
    return _SHAPES.sub(MASK, text)


def is_secret(type_: str, path: str) -> bool:
    """Whether the property at that path is never shown, even if the Pulumi engine does not call it secret."""
    top = path.split(".")[0].split("[")[0]
    if type_ in _HOLDERS and top in ("data", "stringData"):
        return True
    return bool(_SECRET_NAME.search(re.sub(r"\[[^\]]*\]", "", path).split(".")[-1]))
