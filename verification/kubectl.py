"""kubectl as a library: objects, logs, commands in containers, and HTTP to Services through the API server."""

import json
import re
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from verification.results import CheckFailed, NotObservable

# kubectl says one of these when the node, or a missing right of ours, is in the way, and not the pod itself.
_NODE_DOES_NOT_SAY = (
    re.compile(r'an error on the server \("(?P<reason>.+?)"\) has prevented the request'),
    re.compile(r"unable to upgrade connection: (?P<reason>.+)"),
    re.compile(r"(?P<reason>no preferred addresses found.*)"),
    re.compile(r"(?P<reason>No agent available.*)"),
    re.compile(r"(?P<reason>dial tcp \S+:10250: .*)"),
    re.compile(r"(?P<reason>.*\(Forbidden\): .*)"),
)


class NotFound(CheckFailed):
    """The object does not exist."""


class Kubectl:
    """Runs a kubectl command line against the cluster that it is configured for."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def get(self, *what: str) -> Any:
        """Gets an object or a list. Raises NotFound, CheckFailed."""
        return json.loads(self.run("get", *what, "--output=json"))

    def items(self, *what: str) -> list[dict[str, Any]]:
        return self.get(*what)["items"]

    def get_raw_json(self, path: str) -> Any:
        """Gets what the API server answers at that path."""
        return json.loads(self.run("get", "--raw", path))

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """The container's log from its start. Raises NotObservable, CheckFailed."""
        return self._of_a_node("logs", f"--namespace={namespace}", pod, f"--container={container}")

    def execute(self, namespace: str, pod: str, container: str, *command: str) -> str:
        """Runs a command inside a container and returns its output. Raises NotObservable, CheckFailed."""
        return self._of_a_node("exec", f"--namespace={namespace}", pod, f"--container={container}", "--", *command)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns its output. Raises NotFound, CheckFailed."""
        try:
            result = subprocess.run(
                [*self._command, *arguments], input=stdin, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise CheckFailed(f"kubectl cannot be run: {error}") from error
        if result.returncode == 0:
            return result.stdout
        complaint = result.stderr.strip() or f"kubectl {arguments[0]} ended with exit code {result.returncode}"
        raise (NotFound if "(NotFound)" in complaint else CheckFailed)(complaint)

    @contextmanager
    def proxy(self) -> Generator["Proxy"]:
        """Runs `kubectl proxy` as long as the context lasts. Raises CheckFailed."""
        with subprocess.Popen(
            [*self._command, "proxy", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                port = re.search(r"127\.0\.0\.1:(\d+)", line)
                if port is None:
                    raise CheckFailed(f"kubectl proxy does not start: {line.strip()}")
                yield Proxy(f"http://127.0.0.1:{port[1]}")
            finally:
                process.terminate()

    def _of_a_node(self, *arguments: str) -> str:
        try:
            return self.run(*arguments)
        except CheckFailed as error:
            for pattern in _NODE_DOES_NOT_SAY:
                if match := pattern.search(str(error)):
                    raise NotObservable(match["reason"]) from error
            raise


@dataclass(frozen=True)
class ServiceAddress:
    """The address of a Service's port."""

    namespace: str
    name: str
    port: int

    @property
    def proxy_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.name}:{self.port}/proxy"


class Proxy:
    """Sends HTTP requests to Services through the API server, for which the cluster's credentials are enough."""

    def __init__(self, url: str) -> None:
        self.url = url

    def text(self, service: ServiceAddress, path: str, timeout: float, body: Mapping[str, Any] | None = None) -> str:
        """Sends a request, a POST if there is a body, and returns the answer. Raises CheckFailed with what the server
        says."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            f"{self.url}{service.proxy_path}{path}", data, {"Content-Type": "application/json"} if data else {}
        )
        try:
            with urlopen(request, timeout=timeout) as response:
                return response.read().decode(errors="replace")
        except HTTPError as error:
            with error:
                raise CheckFailed(f"{path}: {error.code} {_message(error.read())}") from error
        except TimeoutError as error:
            raise CheckFailed(f"{path}: no answer within {timeout:.0f} s") from error
        except OSError as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise CheckFailed(f"{path}: {reason}") from error

    def json(self, service: ServiceAddress, path: str, timeout: float, body: Mapping[str, Any] | None = None) -> Any:
        text = self.text(service, path, timeout, body)
        try:
            return json.loads(text)
        except ValueError as error:
            raise CheckFailed(f"{path}: not JSON: {text[:200]}") from error


def _message(body: bytes) -> str:
    """The message in vLLM's error body or in a Kubernetes Status, or else the whole answer."""
    text = body.decode(errors="replace")
    try:
        decoded: Any = json.loads(text)
    except ValueError:
        return text
    if isinstance(decoded, dict):
        content = cast(dict[str, Any], decoded)
        inner: Any = content.get("error", content)
        if isinstance(inner, dict) and "message" in inner:
            return str(cast(dict[str, Any], inner)["message"])
    return text
