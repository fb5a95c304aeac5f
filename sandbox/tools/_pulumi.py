"""The Pulumi engine and the Kubernetes provider: from PATH, else from the official download, else from a Go build."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sandbox.tools._cache import Report, content_key, entry, log_file
from sandbox.tools._child import Child, run_child
from sandbox.tools._go import GoModule, GoProgram, build, module_folders

_PULUMI = GoModule("pulumi")
_PULUMI_VERSION = _PULUMI.version("github.com/pulumi/pulumi/pkg/v3")
_PULUMI_PROGRAM = GoProgram(
    title=f"the Pulumi engine {_PULUMI_VERSION}",
    module=_PULUMI,
    packages={"github.com/pulumi/pulumi/pkg/v3/cmd/pulumi": "pulumi"},
    linker_flags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{_PULUMI_VERSION}",
    minutes=4,
)

_PROVIDER = GoModule("kubernetes_provider")
_PROVIDER_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PROVIDER_FILE = "pulumi-resource-kubernetes"
# The Pulumi engine asks for a provider of the same version as the SDK.
_PROVIDER_VERSION = metadata.version("pulumi-kubernetes")
_PROVIDER_PROGRAM = GoProgram(
    title=f"the Kubernetes provider {_PROVIDER_VERSION}",
    module=_PROVIDER,
    packages={"inference-platform/sandbox/tools/kubernetes_provider": _PROVIDER_FILE},
    linker_flags=f"-X main.version={_PROVIDER_VERSION}",
    minutes=7,
)

_INSTALLER = "https://get.pulumi.com/install.sh"
_PROBE_SECONDS = 4.0
_DOWNLOAD_SECONDS = 600.0
_VERSION_SECONDS = 20.0


@dataclass(frozen=True)
class PulumiTools:
    """The paths of `pulumi` and of the provider, in the folder in which the Pulumi engine looks for it by itself."""

    pulumi: Path
    kubernetes_provider: Path

    @property
    def plugins(self) -> Path:
        """PULUMI_HOME/plugins: the Pulumi engine looks there for resource-kubernetes-vVERSION/EXECUTABLE."""
        return self.kubernetes_provider.parents[1]


def pulumi_tools(report: Report) -> PulumiTools:
    """The Pulumi engine and its provider, downloaded or built on the first call."""
    pulumi = _pulumi_on_path(report)
    if pulumi is None:
        made = entry("pulumi", _PULUMI_PROGRAM.key(), lambda folder: _make_pulumi(folder, report), report)
        pulumi = made / "bin" / "pulumi"
    own = shutil.which(_PROVIDER_FILE)
    if own is not None:
        key = content_key([], own, _PROVIDER_VERSION)
        home = entry("pulumi-home", key, lambda folder: _link_provider(folder, Path(own)), report)
    else:
        found = pulumi
        key = _PROVIDER_PROGRAM.key()
        home = entry(_PROVIDER_FILE, key, lambda folder: _make_provider(folder, found, report), report)
    return PulumiTools(pulumi=pulumi, kubernetes_provider=_in_home(home))


def pulumi_environment(tools: PulumiTools, home: Path) -> dict[str, str]:
    """The environment in which a Pulumi engine uses exactly these tools and nothing else of this machine.

    `home` is its own folder, made here. At each run it writes a log there, and keeps up to 500 MB of them (RotateLogs
    in pkg/logging/rotation.go of 3.274), so it is not the folder of the tools. The environment is for Pulumi's process
    only: in the program's own, the SDK would take KUBECONFIG as the default of every provider.
    """
    home.mkdir(parents=True, exist_ok=True)
    plugins = home / "plugins"
    if not plugins.is_symlink():
        plugins.symlink_to(tools.plugins)
    return {
        "PATH": os.pathsep.join([str(tools.pulumi.parent), os.environ.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(home),
        # The provider is in PULUMI_HOME; the Pulumi engine warns at every run if it finds one on PATH instead.
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        # A missing plugin is a mistake here: say so instead of downloading it.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SUPPRESS_NEO_LINK": "true",
        # A provider without a kubeconfig, as in render mode, asks the caller's own cluster for its version and API
        # groups, and charts depend on that. Here it must find no cluster.
        "KUBECONFIG": os.devnull,
        "KUBERNETES_SERVICE_HOST": "",
    }


def _pulumi_on_path(report: Report) -> Path | None:
    found = shutil.which("pulumi")
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, "version"],
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    version = _major_minor(answer)
    needed = _major_minor(_PULUMI_VERSION)
    if version is not None and needed is not None and version[0] == needed[0] and version >= needed:
        return Path(found)
    report(f"not using {found} (version {answer or 'unknown'}): {_PULUMI_VERSION} is needed")
    return None


def _major_minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"v?(\d+)\.(\d+)\.", version)
    return None if found is None else (int(found[1]), int(found[2]))


def _make_pulumi(folder: Path, report: Report) -> None:
    title, log = _PULUMI_PROGRAM.title, log_file("pulumi")
    if _installer_answers():
        report(f"downloading {title}")
        program = (
            "import sys; from pulumi.automation import PulumiCommand; from semver import VersionInfo;"
            "PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))"
        )
        command = [sys.executable, "-c", program, str(folder), _PULUMI_VERSION]
        if _downloaded(_download(command, dict(os.environ), log, title), folder / "bin" / "pulumi", report):
            return
        shutil.rmtree(folder / "bin", ignore_errors=True)
    report(_build_line(_PULUMI_PROGRAM))
    build(_PULUMI_PROGRAM, source=_PULUMI.folder, executables=folder / "bin", log=log, report=report)
    report(f"built {title}")


def _make_provider(folder: Path, pulumi: Path, report: Report) -> None:
    title, log = _PROVIDER_PROGRAM.title, log_file(_PROVIDER_FILE)
    target = _in_home(folder)
    if _installer_answers():
        report(f"downloading {title}")
        command = [str(pulumi), "plugin", "install", "resource", "kubernetes", _PROVIDER_VERSION]
        environment = {**os.environ, "PULUMI_HOME": str(folder), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        if _downloaded(_download(command, environment, log, title), target, report):
            return
        shutil.rmtree(target.parent, ignore_errors=True)
    report(_build_line(_PROVIDER_PROGRAM))
    source = folder / "source"
    _complete_source(source)
    build(_PROVIDER_PROGRAM, source=source, executables=target.parent, log=log, report=report)
    shutil.rmtree(source)
    report(f"built {title}")


def _complete_source(source: Path) -> None:
    """Completes our main package with the two files that a release of the provider generates before it is compiled."""
    shutil.copytree(_PROVIDER.folder, source)
    modules = module_folders(_PROVIDER, [_PROVIDER_MODULE], _PROVIDER_PROGRAM.title)
    generated = modules[_PROVIDER_MODULE] / "cmd" / _PROVIDER_FILE
    schema = json.loads((generated / "schema.json").read_text()) | {"version": _PROVIDER_VERSION}
    mapping = json.loads((generated / "terraform-mapping.json").read_text())
    (source / "schema-embed.json").write_text(json.dumps(schema, separators=(",", ":")))
    (source / "terraform-mapping-embed.json").write_text(json.dumps(mapping, separators=(",", ":")))


def _link_provider(folder: Path, own: Path) -> None:
    target = _in_home(folder)
    target.parent.mkdir(parents=True)
    target.symlink_to(own)


def _in_home(home: Path) -> Path:
    return home / "plugins" / f"resource-kubernetes-v{_PROVIDER_VERSION}" / _PROVIDER_FILE


def _build_line(program: GoProgram) -> str:
    why = "no download worked" if _installer_answers() else "the official download is out of reach"
    return f"{why}: building {program.title} from Go modules, about {program.minutes} minutes on 2 cores, once"


@functools.cache
def _installer_answers() -> bool:
    # This runs in another process, since nothing else limits the time that a name server may take.
    program = f"import urllib.request; urllib.request.urlopen({_INSTALLER!r}, timeout={_PROBE_SECONDS})"
    try:
        outcome = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, timeout=_PROBE_SECONDS + 1, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return outcome.returncode == 0


def _download(command: list[str], environment: dict[str, str], log: Path, title: str) -> Child:
    return Child(command, log.parent, environment, log, f"downloading {title}")


def _downloaded(download: Child, target: Path, report: Report) -> bool:
    """Downloads; returns whether the file is there afterwards."""
    if run_child(download, report, _DOWNLOAD_SECONDS) and target.is_file():
        report(f"{download.label}: done")
        return True
    report(f"{download.label}: failed (log: {download.log})")
    return False
