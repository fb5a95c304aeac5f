"""A chat service on GKE as somebody else would write it: own names, own labels, another way to start vLLM."""

import json

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

PORT = 9000
ASK = """
import json, sys, urllib.request
print([card["id"] for card in json.load(urllib.request.urlopen(sys.argv[1]))["data"]])
"""

project = pulumi.Config("gcp").require("project")
zone = pulumi.Config().require("zone")
google = gcp.Provider("google", project=project, zone=zone)
on_google = pulumi.ResourceOptions(provider=google)

apis = [
    gcp.projects.Service(name, service=f"{name}.googleapis.com", disable_on_destroy=False, opts=on_google)
    for name in ("compute", "container")
]
network = gcp.compute.Network(
    "network", auto_create_subnetworks=False, opts=pulumi.ResourceOptions(provider=google, depends_on=apis)
)
subnetwork = gcp.compute.Subnetwork(
    "subnetwork",
    network=network.id,
    region=zone.rpartition("-")[0],
    ip_cidr_range="10.0.0.0/20",
    secondary_ip_ranges=[
        {"range_name": "pods", "ip_cidr_range": "10.4.0.0/14"},
        {"range_name": "services", "ip_cidr_range": "10.0.32.0/20"},
    ],
    opts=on_google,
)
cluster = gcp.container.Cluster(
    "cluster",
    location=zone,
    network=network.id,
    subnetwork=subnetwork.id,
    remove_default_node_pool=True,
    initial_node_count=1,
    deletion_protection=False,
    ip_allocation_policy={"cluster_secondary_range_name": "pods", "services_secondary_range_name": "services"},
    control_plane_endpoints_config={"dns_endpoint_config": {"allow_external_traffic": True}},
    opts=on_google,
)
pool = gcp.container.NodePool(
    "pool", cluster=cluster.id, node_count=1, node_config={"machine_type": "e2-standard-8"}, opts=on_google
)


def kubeconfig(endpoint: str) -> str:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "args": ["--use_application_default_credentials"],
        "provideClusterInfo": True,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "gke", "cluster": {"server": f"https://{endpoint}"}}],
            "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
            "current-context": "gke",
            "users": [{"name": "gke", "user": {"exec": plugin}}],
        }
    )


endpoint = cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint
inside = pulumi.ResourceOptions(
    provider=kubernetes.Provider(
        "inside", kubeconfig=endpoint.apply(kubeconfig), opts=pulumi.ResourceOptions(depends_on=[pool])
    )
)
labels = {"acme.example/model": "chat"}
probe = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1}
server = kubernetes.apps.v1.Deployment(
    "chat",
    metadata={"name": "chat"},
    spec={
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [
                    {
                        "name": "server",
                        "image": "registry.acme.example/chat:2",
                        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
                        "args": ["--model", "acme/tiny", "--port", str(PORT)],
                        "readinessProbe": probe,
                    }
                ]
            },
        },
    },
    opts=inside,
)
service = kubernetes.core.v1.Service(
    "chat", metadata={"name": "chat"}, spec={"selector": labels, "ports": [{"port": PORT}]}, opts=inside
)


def job(name: str, kind: str, *command: str) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "job", "image": "python:3.13", "command": [*command]}]}
    kubernetes.batch.v1.Job(
        name,
        metadata={"name": name},
        spec={"backoffLimit": 0, "template": {"metadata": {"labels": {"acme.example/runs": kind}}, "spec": pod}},
        opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[server, service])),
    )


job("asks", "migration", "python3", "-c", ASK, f"http://chat.default.svc.cluster.local:{PORT}/v1/models")
job("unknown", "backup", "python3", "-c", "raise SystemExit('nobody runs this')")
