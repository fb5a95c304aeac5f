"""A stand-in for Google Cloud: a `gcp` provider for the engine to attach to, state on disk, Google's own rules."""

from sandbox.cloud.server import serve_cloud

__all__ = ["serve_cloud"]
