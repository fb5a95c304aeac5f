"""A stand-in for Google Cloud: a `gcp` provider that Pulumi attaches to, with its state on disk and Google's own
rules."""

from sandbox.cloud.server import serve_cloud
from sandbox.rows import InvalidTable

__all__ = ["InvalidTable", "serve_cloud"]
