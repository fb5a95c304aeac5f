"""The programs of a control plane, and the folders of CRDs, stages and charts in the same Go modules."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.tools._cache import Report, entry, log_file
from sandbox.tools._go import GoModule, GoProgram, build, module_folders

_MODULE = GoModule("cluster")
_KUBERNETES = _MODULE.version("k8s.io/kubernetes")
_MAJOR, _MINOR, _ = _KUBERNETES.split(".")

LWS_VERSION = _MODULE.version("sigs.k8s.io/lws")

_VERSION_PACKAGE = "k8s.io/component-base/version"
_PROGRAM = GoProgram(
    title=f"Kubernetes {_KUBERNETES}, etcd, kwok and the LeaderWorkerSet controller",
    module=_MODULE,
    packages={
        "go.etcd.io/etcd/server/v3": "etcd",
        "k8s.io/kubernetes/cmd/kube-apiserver": "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager": "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler": "kube-scheduler",
        "k8s.io/kubernetes/cmd/kubectl": "kubectl",
        "sigs.k8s.io/kwok/cmd/kwok": "kwok",
        "sigs.k8s.io/lws/cmd": "lws-controller",
    },
    linker_flags=f"-X {_VERSION_PACKAGE}.gitVersion=v{_KUBERNETES} "
    f"-X {_VERSION_PACKAGE}.gitMajor={_MAJOR} -X {_VERSION_PACKAGE}.gitMinor={_MINOR}",
    minutes=5,
)

# The folders of modules, by the name that each gets in the cache.
_FOLDERS = {
    "kwok-stages": ("sigs.k8s.io/kwok", "kustomize/stage"),
    "gke-network-crds": ("github.com/GoogleCloudPlatform/gke-networking-api", "config/crds"),
    "gateway-crds": ("sigs.k8s.io/gateway-api", "config/crd/standard"),
    "lws-chart": ("sigs.k8s.io/lws", "charts/lws"),
}


@dataclass(frozen=True)
class ClusterTools:
    """The executables of a control plane, and the folders with what a GKE cluster has installed."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    kwok: Path
    lws_controller: Path
    kwok_stages: Path
    gke_network_crds: Path
    gateway_crds: Path


def cluster_tools(report: Report) -> ClusterTools:
    """The control plane's programs, built on the first call."""
    folders = _folders(report)
    programs = entry("kubernetes", _PROGRAM.key(), lambda folder: _build(folder, report), report)
    return ClusterTools(
        etcd=programs / "etcd",
        kube_apiserver=programs / "kube-apiserver",
        kube_controller_manager=programs / "kube-controller-manager",
        kube_scheduler=programs / "kube-scheduler",
        kubectl=programs / "kubectl",
        kwok=programs / "kwok",
        lws_controller=programs / "lws-controller",
        kwok_stages=folders / "kwok-stages",
        gke_network_crds=folders / "gke-network-crds",
        gateway_crds=folders / "gateway-crds",
    )


def lws_chart(report: Report) -> Path:
    """The folder of LeaderWorkerSet's Helm chart; nothing has to be built for it."""
    return _folders(report) / "lws-chart"


def _build(folder: Path, report: Report) -> None:
    report(f"building {_PROGRAM.title} from Go modules, about {_PROGRAM.minutes} minutes on 2 cores, once")
    build(_PROGRAM, source=_MODULE.folder, executables=folder, log=log_file("kubernetes"), report=report)
    report(f"built {_PROGRAM.title}")


def _folders(report: Report) -> Path:
    return entry("kubernetes-manifests", _MODULE.key(*sorted(_FOLDERS)), lambda folder: _copy(folder, report), report)


def _copy(folder: Path, report: Report) -> None:
    title = "the modules with CRDs, stages and the LeaderWorkerSet chart"
    report(f"downloading {title}")
    sources = module_folders(_MODULE, [module for module, _ in _FOLDERS.values()], title)
    for name, (module, inside) in _FOLDERS.items():
        # copyfile does not copy the module cache's read-only mode, with which the copy would be hard to delete.
        shutil.copytree(
            sources[module] / inside,
            folder / name,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("*.go", "testdata"),
        )
    for directory in [path for path in folder.rglob("*") if path.is_dir()]:
        directory.chmod(0o755)
