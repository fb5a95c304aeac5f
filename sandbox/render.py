"""Writes every Kubernetes object of a stack as YAML, by the Kubernetes provider's own render mode.

The state is thrown away, no cluster is started, and no secret's value is ever written to a file.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pulumi
import yaml

from sandbox.home import Home
from sandbox.pulumi_engine import pulumi_engine
from sandbox.scratch import scratch_folder
from sandbox.sharing import lend

REDACTED = "redacted"


class RenderError(Exception):
    """The objects cannot be written; the message says why."""


def render(lasting: Home, out: Path, report: Callable[[str], None]) -> list[Path]:
    """Writes the objects of a stack to `out`, one file each, and returns their paths.

    `out` must be empty, or hold nothing but what an earlier call wrote; else RenderError.
    """
    _refuse_foreign_files(out)
    with scratch_folder("render") as scratch:
        home = lasting.beside(scratch / "home")
        lend(lasting, home)
        rendered = scratch / "rendered"
        with pulumi_engine(
            home,
            report,
            control_planes=False,
            before_program=lambda: pulumi.runtime.register_resource_transform(on_paper(rendered)),
        ) as running:
            running.up(report)
        return _write(rendered, out)


def on_paper(folder: Path) -> pulumi.ResourceTransform:
    """A transform that makes the program's Kubernetes provider write files, and hides the values of secrets."""

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        properties: dict[str, Any] = dict(args.props)
        if args.type_ == "pulumi:providers:kubernetes":
            properties.pop("kubeconfig", None)
            properties["renderYamlToDirectory"] = str(folder)
        elif args.type_ == "kubernetes:core/v1:Secret":
            for key in ("data", "stringData"):
                if key in properties:
                    properties[key] = dict.fromkeys(cast(dict[str, Any], properties[key]), REDACTED)
            # The Pulumi engine would choose a random name each time, and two renders could not be compared.
            properties["metadata"] = {"name": args.name, **properties["metadata"]}
        else:
            return None
        return pulumi.ResourceTransformResult(props=properties, opts=args.opts)

    return transform


def _refuse_foreign_files(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise RenderError(f"{out} is no folder")
    foreign = sorted(path.name for path in out.glob("*") if path.suffix != ".yaml" or path.is_dir())
    if foreign:
        raise RenderError(f"{out} holds {foreign[0]}, which no earlier render wrote; name an empty folder")


def _write(rendered: Path, out: Path) -> list[Path]:
    """Writes one file for each object. Its name is made of kind, namespace and name only, so that two renders can be
    compared."""
    documents = [document for file in rendered.rglob("*.yaml") for document in yaml.safe_load_all(file.read_text())]
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    paths = {out / _file_name(document): document for document in documents if document}
    for path, document in sorted(paths.items()):
        path.write_text(yaml.safe_dump(document, sort_keys=True), encoding="utf-8")
    return sorted(paths)


def _file_name(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    parts = [document["kind"].lower(), metadata.get("namespace", ""), metadata["name"]]
    return "_".join(part for part in parts if part).replace(":", "-") + ".yaml"
