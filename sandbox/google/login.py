"""The login at the stand-in: a service account's key whose token comes from the stand-in too."""

import json
import os
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.google.reply import Asked, Reply, Routes, ok

login = Routes("")

ACCESS_TOKEN = "ya29.sandboxcanary0123456789"
"""An access token of the stand-in; it must never be seen again in any output."""

_VARIABLES = {
    "COMPUTE": "compute/v1",
    "CONTAINER": "container/v1",
    "SERVICE_USAGE": "serviceusage/v1",
    "RESOURCE_MANAGER_V3": "cloudresourcemanager/v3",
    "SECRET_MANAGER": "secretmanager/v1",
    "CLOUD_QUOTAS": "cloudquotas/v1",
}


@login("POST", "/token")
def token(asked: Asked) -> Reply:
    return ok({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3599})


@cache
def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def write_key(folder: Path, address: str, project: str) -> Path:
    """Writes the file that GOOGLE_APPLICATION_CREDENTIALS is to name, and returns its path."""
    content = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "0" * 40,
        "private_key": _private_key(),
        "client_email": f"doctor@{project}.iam.gserviceaccount.com",
        "client_id": "1" * 21,
        "token_uri": f"{address}/token",
    }
    file = folder / "key.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def environment(address: str, key: Path) -> dict[str, str]:
    """The environment variables of Google's Terraform provider and of Hugging Face's library that lead to the
    stand-in."""
    endpoints = {f"GOOGLE_{name}_CUSTOM_ENDPOINT": f"{address}/{path}/" for name, path in _VARIABLES.items()}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    return {
        **endpoints,
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "HF_ENDPOINT": f"{address}/hub",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
