"""Makes a control plane's CA, its API server's certificate, that of the hosts outside, its service account key and its
administrator's token."""

import secrets
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.cluster import layout

HOST_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
OUTSIDE = ("storage.googleapis.com", "huggingface.co", "cas-bridge.xethub.hf.co")
"""The hosts outside of the cluster for which something on this machine answers by HTTPS."""
ADDRESSES = ("127.0.0.1", layout.API_SERVER_ADDRESS)

PRIVATE = 0o600


def create(directory: Path) -> None:
    """Write all of these files, unless they exist: a running control plane keeps those that it started with."""
    if (directory / layout.TOKENS_CSV).exists():
        return
    authority = trustme.CA(organization_name="sandbox control plane")
    serving = authority.issue_cert(*HOST_NAMES, *ADDRESSES, common_name="kube-apiserver")
    outside = authority.issue_cert(*OUTSIDE, common_name="outside")
    service_account_key = ec.generate_private_key(ec.SECP256R1())
    token = secrets.token_hex(24)

    layout.write(directory / layout.CA_FILE, authority.cert_pem.bytes())
    layout.write(directory / layout.SERVING_CERTIFICATE, serving.cert_chain_pems[0].bytes())
    layout.write(directory / layout.SERVING_KEY, serving.private_key_pem.bytes(), PRIVATE)
    layout.write(directory / layout.OUTSIDE_CERTIFICATE, outside.cert_chain_pems[0].bytes())
    layout.write(directory / layout.OUTSIDE_KEY, outside.private_key_pem.bytes(), PRIVATE)
    layout.write(directory / layout.SERVICE_ACCOUNT_KEY, _private_pem(service_account_key), PRIVATE)
    layout.write(directory / layout.SERVICE_ACCOUNT_PUBLIC_KEY, _public_pem(service_account_key))
    layout.write(directory / layout.TOKEN_FILE, token, PRIVATE)
    # This file comes last: where it exists, all the others are complete.
    layout.write(directory / layout.TOKENS_CSV, f'{token},administrator,administrator,"system:masters"\n', PRIVATE)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
