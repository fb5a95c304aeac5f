"""A stand-in for Google Cloud: a `gcp` provider for the engine to attach to, state on disk, Google's own rules."""

from sandbox.cloud.server import serve_cloud
from sandbox.rows import InvalidTable

__all__ = ["InvalidTable", "serve_cloud"]
