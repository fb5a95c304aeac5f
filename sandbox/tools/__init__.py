"""Finds, downloads or builds the real tools that a sandbox runs. They are pinned, checked and cached."""

from sandbox.tools._cache import Entry, Report, ToolsError, cache_folder, entries, prune
from sandbox.tools._control_plane import LWS_VERSION, ClusterTools, cluster_tools, lws_chart
from sandbox.tools._pulumi import PulumiTools, pulumi_environment, pulumi_tools

__all__ = [
    "LWS_VERSION",
    "ClusterTools",
    "Entry",
    "PulumiTools",
    "Report",
    "ToolsError",
    "cache_folder",
    "cluster_tools",
    "entries",
    "lws_chart",
    "prune",
    "pulumi_environment",
    "pulumi_tools",
]
