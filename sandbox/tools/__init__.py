"""Finds, downloads or builds the real tools that a sandbox runs. They are pinned, checked and cached."""

from sandbox.tools._cache import Entry, Report, ToolsError, cache_folder, entries, prune
from sandbox.tools._control_plane import LWS_VERSION, ClusterTools, cluster_tools, lws_chart
from sandbox.tools._engine import EngineTools, engine_environment, engine_tools

__all__ = [
    "LWS_VERSION",
    "ClusterTools",
    "EngineTools",
    "Entry",
    "Report",
    "ToolsError",
    "cache_folder",
    "cluster_tools",
    "engine_environment",
    "engine_tools",
    "entries",
    "lws_chart",
    "prune",
]
