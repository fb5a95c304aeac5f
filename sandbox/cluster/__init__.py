"""A real Kubernetes control plane with simulated nodes, as local processes; each in a folder of its own."""

from sandbox.cluster.layout import ClusterFeatures
from sandbox.cluster.plane import ClusterError, ControlPlane
from sandbox.cluster.workloads import Workloads

__all__ = ["ClusterError", "ClusterFeatures", "ControlPlane", "Workloads"]
