"""A real Kubernetes control plane with simulated nodes. It runs as local processes, each control plane in its own
folder."""

from sandbox.cluster.layout import ClusterFeatures
from sandbox.cluster.plane import ClusterError, ControlPlane
from sandbox.cluster.workloads import Workloads

__all__ = ["ClusterError", "ClusterFeatures", "ControlPlane", "Workloads"]
