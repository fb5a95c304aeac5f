"""Values of fields that follow from no type, and what a field needs around it before it can be changed."""

from typing import Any

from tests.unit.google_rules import pool

Changes = dict[str, Any]
IMAGE = "projects/acme-images/global/images/vllm"

_SPECULATIVE: Changes = {"models.0.engine": {"speculative": {"method": "ngram", "tokens": 4, "promptLookupMax": 4}}}
_DRAFT: Changes = {
    "models.0.engine": {
        "speculative": {"method": "draft_model", "tokens": 4, "model": "acme/draft", "modelGib": 1.0},
    }
}
_ADAPTER: Changes = {"models.0.engine": {"lora": {"adapters": [{"name": "sql", "path": "acme/sql"}]}}}
_VPC: Changes = {
    "network.existing": {
        "network": "shared",
        "subnetwork": "gke",
        "podsRange": "pods",
        "servicesRange": "services",
        "project": "acme-network",
    }
}
_CLUSTER: Changes = {"cluster": {"existing": {"name": "shared-gpu", "systemPool": "system"}}}
_WINDOW: Changes = {
    "cluster.maintenance.window": {
        "start": "2026-01-03T01:00:00Z",
        "end": "2026-01-03T07:00:00Z",
        "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
    }
}
_EXCLUSION: Changes = {
    "cluster.maintenance.exclusions": [
        {"name": "launch", "start": "2026-11-20T00:00:00Z", "end": "2026-12-01T00:00:00Z", "scope": "noUpgrades"}
    ]
}
_OFFICE: Changes = {"cluster.authorizedNetworks": [{"name": "office", "cidr": "203.0.113.0/24"}]}

_BALANCED: Changes = {"access.callers.googleLoadBalancers": {"scope": "regional", "proxyOnlyRange": "10.129.0.0/23"}}

_OBJECTIVE: Changes = {
    "models": [
        {
            "name": "qwen",
            "model": "Qwen/Qwen3-8B",
            "serviceObjective": {
                "timeToFirstToken": 2000,
                "timePerOutputToken": 50,
                "requestsPerSecond": 2,
                "inputTokens": 1000,
                "outputTokens": 200,
            },
        }
    ]
}

BASES: dict[str, Changes] = {
    "models[].weights.kind": {"models.0.weights": {"kind": "hub"}},
    "models[].weights.sizeGib": {"models.0.weights": {"kind": "nodeCache", "sizeGib": 900}},
    "models[].serviceObjective.timeToFirstToken": _OBJECTIVE,
    "models[].serviceObjective.timePerOutputToken": _OBJECTIVE,
    "models[].serviceObjective.requestsPerSecond": _OBJECTIVE,
    "models[].serviceObjective.inputTokens": _OBJECTIVE,
    "models[].serviceObjective.outputTokens": _OBJECTIVE,
    "models[].serviceObjective.cachedPrefixShare": _OBJECTIVE,
    "access.callers.googleLoadBalancers.scope": _BALANCED,
    "access.callers.googleLoadBalancers.proxyOnlyRange": _BALANCED,
    "acknowledgeReplacement": {"protection": True},
    "spend.maxIdleUsdPerHour": {"models": None},
    "spend.allowUnknownPrice": {"spend": {"maxUsdPerHour": 1000}},
    "alerts.emails": {"alerts": {"emails": ["oncall@example.com"]}},
    "alerts.channels": {"alerts": {"emails": ["oncall@example.com"]}},
    "token.secretManager.version": {"token": {"secretManager": {"secret": "hugging-face", "version": 1}}},
    "network.existing.network": _VPC,
    "network.existing.subnetwork": _VPC,
    "network.existing.podsRange": _VPC,
    "network.existing.servicesRange": _VPC,
    "network.existing.project": _VPC,
    "images.mirror.existing": {"images": {"mirror": {}}},
    "weightsBucket.existing": {"weightsBucket": {}},
    "weightsBucket.deletable": {"weightsBucket": {}},
    "cluster.existing.name": _CLUSTER,
    "cluster.existing.project": {
        "cluster": {"existing": {"name": "shared-gpu", "systemPool": "system", "provides": ["nodePools"]}}
    },
    "cluster.existing.location": _CLUSTER,
    "cluster.existing.systemPool": _CLUSTER,
    "cluster.existing.provides": _CLUSTER,
    "cluster.maintenance.window.start": _WINDOW,
    "cluster.maintenance.window.end": _WINDOW,
    "cluster.maintenance.window.recurrence": _WINDOW,
    "cluster.maintenance.exclusions[].name": _EXCLUSION,
    "cluster.maintenance.exclusions[].start": _EXCLUSION,
    "cluster.maintenance.exclusions[].end": _EXCLUSION,
    "cluster.maintenance.exclusions[].scope": _EXCLUSION,
    "cluster.authorizedNetworks[].name": _OFFICE,
    "cluster.authorizedNetworks[].cidr": _OFFICE,
    "cluster.systemPool.minNodesPerZone": {"cluster.systemPool": {"maxNodesPerZone": 5}},
    "cluster.systemPool.maxNodesPerZone": {"cluster.systemPool": {"minNodesPerZone": 1}},
    "nodePools[].capacity.name": {"nodePools.0.capacity": {"kind": "reservation", "name": "before"}},
    "nodePools[].capacity.block": {"nodePools.0.capacity": {"kind": "reservation", "name": "before"}},
    "nodePools[].capacity.subBlock": {
        "nodePools.0.capacity": {"kind": "reservation", "name": "before", "block": "block-1"}
    },
    "nodePools[].capacity.project": {"nodePools.0.capacity": {"kind": "reservation", "name": "before"}},
    "nodePools[].capacity.active": {"nodePools.0.capacity": {"kind": "reservation", "name": "before"}},
    "nodePools[].capacity.maxRunDurationHours": {
        "nodePools.0.capacity": {"kind": "flexStart"},
        "nodePools.0.nodes": {"min": 0, "max": 2},
    },
    "nodePools[].nodes.min": {"nodePools.0.nodes": {"min": 1, "max": 4}},
    "nodePools[].nodes.max": {"nodePools.0.nodes": {"min": 1, "max": 4}},
    "nodePools[].secondaryBootDisk": {"nodePools.0.imageStreaming": True, "images": {"mirror": {}}},
    "models[].nodePool": {"nodePools.1": pool("l4")},
    "models[].engine.lora.adapters[].name": _ADAPTER,
    "models[].engine.lora.adapters[].path": _ADAPTER,
    "models[].engine.speculative.method": _SPECULATIVE,
    "models[].engine.speculative.tokens": _SPECULATIVE,
    "models[].engine.speculative.model": _DRAFT,
    "models[].engine.speculative.modelGib": _DRAFT,
    "models[].engine.speculative.promptLookupMax": _SPECULATIVE,
    "models[].engine.speculative.promptLookupMin": _SPECULATIVE,
    "models[].engine.kvOffload.backend": {"models.0.engine": {"kvOffload": {"sizeGib": 8}}},
    # vLLM's own images have no Ray.
    "models[].distributedExecutor": {"models.0.image": "acme.example/images/vllm:1"},
    # Its driver is older than the image's CUDA.
    "models[].cudaCompatibility": {
        "cluster": {"existing": {"name": "shared-gpu", "systemPool": "system"}, "version": "1.33.5-gke.1000000"},
        "nodePools.0.driverVersion": "DEFAULT",
    },
}
"""What a field needs around it before it can be changed, by its path or the beginning of it."""

VALUES: dict[str, list[Changes]] = {
    "project": [{"project": "another-project"}],
    "region": [{"region": "us-east4", "nodePools.0.zone": "us-east4-b"}],
    "namePrefix": [{"namePrefix": "other"}],
    "network.addressBlock": [{"network.addressBlock": "10.64.0.0/12"}],
    "access.callers.namespaces": [{"access.callers.namespaces": ["chat"]}],
    "access.callers.ranges": [{"access.callers.ranges": ["10.20.0.0/16"]}],
    "access.callers.googleLoadBalancers.scope": [{"access.callers.googleLoadBalancers": {"scope": "global"}}],
    "access.callers.googleLoadBalancers.proxyOnlyRange": [
        {"access.callers.googleLoadBalancers.proxyOnlyRange": "10.130.0.0/23"}
    ],
    "spend.maxIdleUsdPerHour": [{"spend.maxIdleUsdPerHour": 0}],
    "acknowledgeReplacement": [{"acknowledgeReplacement": ["cluster"]}],
    "weightsBucket.existing": [{"weightsBucket.existing": "acme-weights"}],
    "images.mirror.existing": [{"images.mirror.existing": "us-central1-docker.pkg.dev/acme-models/docker-hub"}],
    "alerts.emails": [{"alerts.emails": ["team@example.com"]}],
    "alerts.channels": [{"alerts.channels": ["projects/test-project/notificationChannels/1"]}],
    "token.secretManager.version": [{"token.secretManager.version": 2}],
    "network.existing.project": [{"network.existing.project": "another-project"}],
    "cluster.existing.project": [{"cluster.existing.project": "another-project"}],
    "cluster.existing.location": [{"cluster.existing.location": "us-central1-b"}],
    "cluster.existing.provides": [{"cluster.existing.provides": ["nodePools"]}],
    "cluster.maintenance.window.start": [
        {"cluster.maintenance.window.start": "2026-01-03T03:00:00Z"},
        {"cluster.maintenance.window.start": "2026-01-05T09:00:00Z"},
    ],
    "cluster.maintenance.window.end": [
        {"cluster.maintenance.window.end": "2026-01-03T09:00:00Z"},
        {"cluster.maintenance.window.end": "2026-01-05T17:00:00Z"},
    ],
    "cluster.maintenance.window.recurrence": [{"cluster.maintenance.window.recurrence": "FREQ=DAILY"}],
    "cluster.maintenance.exclusions[].start": [{"cluster.maintenance.exclusions.0.start": "2026-11-21T00:00:00Z"}],
    "cluster.maintenance.exclusions[].end": [{"cluster.maintenance.exclusions.0.end": "2026-12-02T00:00:00Z"}],
    "cluster.authorizedNetworks[].cidr": [{"cluster.authorizedNetworks.0.cidr": "198.51.100.0/24"}],
    "cluster.version": [{"cluster.version": "1.35.3-gke.2000000"}, {"cluster.version": "1.34"}],
    "cluster.systemPool.machineType": [{"cluster.systemPool.machineType": "e2-standard-8"}],
    "nodePools[].name": [{"nodePools.0.name": "renamed"}],
    "nodePools[].accelerator": [
        {"nodePools.0.accelerator": "l4", "nodePools.0.machineType": None, "nodePools.0.fabric": None, "models": None},
        {"nodePools.0.accelerator": "h200"},
    ],
    "nodePools[].machineType": [
        {"nodePools.0.machineType": "g2-standard-24"},
        {"nodePools.0.machineType": "a3-highgpu-4g", "models": None},
        {"nodePools.0.machineType": "g4-standard-96"},
        {"nodePools.0.machineType": "a2-ultragpu-2g"},
        {"nodePools.0.machineType": "a2-highgpu-2g"},
    ],
    "nodePools[].zone": [{"nodePools.0.zone": "us-central1-c"}],
    "nodePools[].nodes.min": [{"nodePools.0.nodes.min": 3}, {"nodePools.0.nodes.min": 2}],
    "nodePools[].nodes.max": [{"nodePools.0.nodes.max": 5}],
    "models[].weights.kind": [{"models.0.weights.kind": "nodeCache"}],
    "models[].weights.sizeGib": [{"models.0.weights.sizeGib": 1000}],
    "nodePools[].capacity.kind": [
        {"nodePools.0.capacity": {"kind": "spot"}},
        {"nodePools.0.capacity": {"kind": "onDemand"}},
    ],
    "nodePools[].capacity.project": [{"nodePools.0.capacity.project": "another-project"}],
    "nodePools[].bootDiskType": [
        {"nodePools.0.bootDiskType": "pd-ssd"},
        {"nodePools.0.bootDiskType": "hyperdisk-balanced"},
    ],
    "nodePools[].driverVersion": [{"nodePools.0.driverVersion": "DEFAULT"}],
    "nodePools[].ncclInstaller": [{"nodePools.0.ncclInstaller": "gib-1.1.1"}],
    "nodePools[].surge.maxUnavailable": [{"nodePools.0.surge.maxUnavailable": 2}],
    "nodePools[].secondaryBootDisk": [{"nodePools.0.secondaryBootDisk": IMAGE}],
    "models[].name": [{"models.0.name": "renamed"}],
    "models[].nodePool": [{"models.0.nodePool": "second"}],
    "models[].model": [{"models.0.model": "google/gemma-3-4b-it"}],
    "models[].engine.extraArgs": [{"models.0.engine.extraArgs": ["--max-log-len", "80"]}],
    "models[].vllmVersion": [{"models.0.vllmVersion": "0.24.0"}],
}
"""Other values of fields for which none follows from the type."""
