"""A control plane keeps its address from one start to the next, or says why it cannot."""

import socket
from pathlib import Path

import pytest

from sandbox.cluster import ClusterError, ClusterFeatures, ControlPlane, ports
from sandbox.tools import cluster_tools

PLAIN = ClusterFeatures(multi_networking=False, gateway_api=False)


def test_a_taken_port_is_named_and_the_address_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PATIENCE_SECONDS", 0.5)
    plane = ControlPlane(tmp_path / "plane", cluster_tools(print))
    try:
        plane.start(PLAIN)
        endpoint = plane.endpoint
        plane.stop()
        with socket.create_server(("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))):
            with pytest.raises(ClusterError, match=f"another process listens on {endpoint}.*end that process"):
                plane.start(PLAIN)
            assert not plane.running()
        plane.start(PLAIN)
        assert plane.endpoint == endpoint
    finally:
        plane.destroy()
