"""Makes docs/cold_start.md: what a start takes for models of five sizes on their usual machines, and on what that
rests."""

from collections.abc import Iterator
from typing import Any

from catalog.cold_start import Rate, Step, cold_start
from config.validate import validate
from planning.cold_start_report import cold_start_table
from planning.plan import ModelServerPlan
from planning.platform import plan_platform

_USUAL = (
    ("Llama 3.1 8B", "meta-llama/Llama-3.1-8B-Instruct", "l4", "us-central1-a", 4096),
    ("Gemma 3 27B", "google/gemma-3-27b-it", "h100", "us-central1-a", 32768),
    ("gpt-oss 120B", "openai/gpt-oss-120b", "h200", "us-central1-b", 32768),
    ("Llama 3.1 405B", "meta-llama/Llama-3.1-405B-Instruct", "h200", "us-central1-b", 32768),
    ("DeepSeek R1", "deepseek-ai/DeepSeek-R1", "h200", "us-central1-b", 32768),
)
"""Name, model, accelerator, zone, context."""

_TEXT = """# Cold start

Made by `make record` from the catalogue and the plan's own code; do not edit. `make plan STACK=...` prints the same
table for a stack's models.

A server starts again after a crash, an eviction, an update, and when its node is replaced. Where its weights come
from decides how long that takes:

```yaml
inference-platform:models:
  - name: deepseek-r1
    model: deepseek-ai/DeepSeek-R1
    weights:
      kind: nodeCache       # or bucket, or hub; left out, the plan chooses and says why
inference-platform:weightsBucket: {}    # for weights in a bucket; {existing: NAME} for one of several stacks
```

- `hub`: every new pod downloads the checkpoint into a volume that ends with the pod. The plan takes it for small
  models, and on machines without local SSDs.
- `bucket`: a Job downloads the checkpoint once to a bucket in the cluster's region, and every server streams it from
  there onto its GPUs. The plan takes it for checkpoints whose download takes a minute or more, where the stack has
  `weightsBucket`. New nodes and machines without local SSDs have it too.
- `nodeCache`: the first pod of a node downloads it onto the node's local SSDs; later pods find it there, and what they
  have compiled too. The plan takes it for checkpoints whose download takes a minute or more, where there is no bucket.

## The node's cache

- **Fetched once, and checked.** Before vLLM starts, an init container fetches what is missing with the server's own
  image. It continues where an interrupted one ended, compares every file with the size and digest that the hub
  names, and ends with the file's name if one is truncated, corrupt or forbidden; a gated model names the page of
  its licence. Pods that start together on a node wait for the one that fetches. What is complete is not asked for
  again.
- **Then offline.** vLLM runs with `HF_HUB_OFFLINE=1`. A second pod, a restart of a group and an update make no
  request to the hub: tests start them in the [sandbox](sandbox.md#programs-in-python) with the hub unreachable. A
  revision stays the commit that it was at the node's first fetch; write `engine.revision` with a commit, so that all
  nodes have the same.
- **Compiled kernels** (torch.compile, Triton, FlashInfer, CUDA) lie beside the weights, in a folder whose name is a
  digest of model, accelerator, image, command line and environment. Another one of these is another folder, so a
  wrong kernel is never read; vLLM's own key is checked inside of it too.
- **Bounded.** A DaemonSet (`node-cache-POOL` in `kube-system`) makes the folders for the servers' user alone, asks
  for as much ephemeral storage as the cache may take, and empties folders that no server of the stack uses, the
  longest unused first, once all are above the bound. Of compiled kernels the latest are kept. `weights.sizeGib`
  changes a model's room.
- **What a pod may.** Its namespace admits that one folder of the node and no other, and nothing else that Pod
  Security's `restricted` would refuse; see [what a pod is](serving.md#what-a-pod-is).
- **What it does not do.** A new node starts with an empty cache and downloads from the hub. Local SSDs are lost
  with their machine. Machines whose local SSDs are optional, such as L4's and A100 40 GB's, have none.

## The bucket

- **Filled once, and checked.** A Job of each model and revision copies from the hub what vLLM reads: safetensors in the
  hub's own layout, and all that is no weights. It uses Cloud Storage's JSON API and no disk, so that an object appears
  only whole, and only after its digest was the hub's and its MD5 Google's. A connection that breaks goes on at its
  byte; after a kill the files that are whole stay, and those under way begin again. It ends with the name of a file
  that is truncated, corrupt or forbidden; a gated model names the page of its licence. Run again it moves no byte.
- **Pinned.** The first fill writes down which commit the revision was. It stays that, for all stacks with the bucket;
  write another `engine.revision` for another one, which gets a folder of its own.
- **Never half.** The last object lists all others. Before vLLM starts, an init container compares the list with the
  bucket, and waits with an error where anything is missing, changed or too many.
- **Read by Run:ai's streamer**, vLLM's own loader for `gs://` (`--load-format runai_streamer`; vLLM 0.33,
  `transformers_utils/runai_utils.py`). Cloud Storage FUSE would read every format, but brings a sidecar with a file
  cache into each pod, before the container that gets the RDMA devices. The streamer reads safetensors alone, and
  neither adapters nor draft models: with these `bucket` is refused. An image of your own must have
  `runai-model-streamer` with its part for Cloud Storage; vLLM's own has it. The GPUs of a node read a part each.
- **Who may do what.** Servers are a Google account that may read the bucket, the Job is another that may write it, both
  by Workload Identity and without keys. Their network policies let them reach the metadata server.
- **Kept.** The bucket has a hierarchical namespace, uniform access, no public access, and keeps what is deleted for
  seven days. Removing it from the stack file and destroying the stack are refused, since it is protected; to delete it
  write `weightsBucket: {deletable: true}`, update, and then remove or destroy. A bucket that existed before
  (`existing`) is read and filled, and never deleted.
- **Compiled kernels** stay on the node as above, where its machine has local SSDs; elsewhere every pod compiles.

## The image

- **Through Artifact Registry.** `images: {mirror: {}}` puts a repository before Docker Hub, which counts pulls by
  address while all nodes behind one NAT have the same. Below, a pull takes as long from either: nobody measured the
  difference.
- **Streamed** (`imageStreaming` of a pool), a container starts while its image is still being read. GKE streams only
  what is in Artifact Registry; for another image the plan refuses it with that reason.
- **Pulled before** (`images: {prePull: true}`), where it is not streamed: a DaemonSet (`pre-pull-POOL` in
  `kube-system`) holds the servers' images on all nodes of their pools. An update changes a server once the new image
  is there, so none stands still while 10 GB are pulled.

## What a start takes

Bounds in seconds, for startup probes and deadlines; a start is usually faster. `node` is a new machine, `image` its
pull, `weights` the download, `load` the way from disk to GPUs, `engine` the import of vLLM and its set-up,
`compile` with CUDA graphs. `in all` is from the container's start on, and `USD` the GPUs that wait meanwhile and
the traffic through Cloud NAT, for one server at the list price. `USD/month` is what keeping the checkpoint costs
besides machines. Before a first start from a bucket that is not full, its Job takes what the note says. The stack of
this table has `weightsBucket: {}`; in one without it `nodeCache` is chosen where it is possible and worth it.

"""


def page() -> str:
    """The whole page as Markdown."""
    table = cold_start_table(tuple(_models()))
    rows = [table.headers, ("---",) * len(table.headers), *table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return _TEXT + "\n".join([*lines, "", "Each figure by its source:", "", *_sources()]) + "\n"


def _models() -> Iterator[ModelServerPlan]:
    for title, model, accelerator, zone, context in _USUAL:
        values: dict[str, Any] = {
            "region": "us-central1",
            "nodePools": [
                {"name": "gpu", "accelerator": accelerator, "zone": zone, "nodes": 1, "capacity": {"kind": "spot"}}
            ],
            "weightsBucket": {},
            "models": [{"name": "model", "model": model, "minContext": context, "replicas": 1}],
        }
        (plan,) = plan_platform(validate("page", values, frozenset(), to_deploy=False), "page").models
        gpus = f"{plan.shape.gpus_per_node} GPU{'s' if plan.shape.gpus_per_node > 1 else ''}"
        yield plan.model_copy(update={"name": f"{title}, {gpus} of {accelerator}"})


def _sources() -> Iterator[str]:
    facts = cold_start()
    rates = {
        "weights from the hub": facts.hub,
        "load, from a bucket": facts.bucket.read,
        "load, by the disks": facts.local_ssd,
        "load from a boot disk": facts.boot_disk,
        "load, by each process": facts.loader,
    }
    yield from (f"- {what}: {rate.mib_per_second:g} MiB/s, {_basis(rate)}" for what, rate in rates.items())
    yield from (
        f"- {what}: {step.seconds:g} s, {_basis(step)}"
        for what, step in {"image": facts.image, "node": facts.node}.items()
    )
    yield "- engine, compile: own measurements with vLLM 0.24 on H200 and H100 of 2026-11-24, rounded up; the set-up"
    yield "  over several nodes is an estimate"
    nat = facts.nat_gib
    yield f"- traffic: {nat.usd:g} USD a GiB through Cloud NAT ({nat.as_of})"
    for region, price in facts.bucket.gib_month.items():
        yield f"- a bucket in {region}: {price.usd:g} USD a GiB and month ({price.as_of})"


def _basis(fact: Rate | Step) -> str:
    return f"{fact.basis.value} ({fact.source})"
