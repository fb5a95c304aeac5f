"""What holds for the graph of every stack file, whatever its accelerator."""

import json
from collections.abc import Callable

import yaml

from catalog import ACCELERATORS
from config import read_stack_file
from planning.platform import plan_platform
from tests.graph.conftest import STACKS
from tests.graph.recorder import CHECKOUT, SECRET, TOKEN, UNKNOWN, Graph, Registration

COMPONENT = "inference-platform:components:"
_PROVIDER_CLASS = "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass"


def _children(graph: Graph) -> list[Registration]:
    return [r for r in graph.registrations if not r.type.startswith(COMPONENT) and r.type != "pulumi:providers:gcp"]


def test_every_resource_but_those_that_stand_alone_belongs_to_a_component(graph: Graph) -> None:
    alone = {r.key for r in _children(graph) if not r.parent.startswith(COMPONENT)}
    assert {"pulumi:providers:kubernetes access", "kubernetes:scheduling.k8s.io/v1:PriorityClass priority"} <= alone
    assert {r.type for r in graph.registrations if r.key in alone} <= {
        "pulumi:providers:kubernetes",
        "kubernetes:scheduling.k8s.io/v1:PriorityClass",
        "kubernetes:core/v1:Secret",
    }


def test_every_component_has_resources(graph: Graph) -> None:
    parents = {r.parent for r in graph.registrations}
    assert [r.key for r in graph.registrations if r.type.startswith(COMPONENT) and r.key not in parents] == []


def test_every_resource_has_the_explicit_provider(graph: Graph) -> None:
    for registration in _children(graph):
        if registration.type.startswith("kubernetes:"):
            assert registration.provider == "pulumi:providers:kubernetes access", registration.key
        elif registration.type.startswith("gcp:"):
            assert registration.provider == "pulumi:providers:gcp google", registration.key


def test_default_providers_are_disabled_in_every_stack_file() -> None:
    for stack in STACKS:
        content = yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text())
        assert content["config"]["pulumi:disable-default-providers"] == ["*"], stack


def test_preview_lists_the_same_resources_as_up(stack: str, graph_of: Callable[[str, bool], Graph]) -> None:
    preview, up = graph_of(stack, True), graph_of(stack, False)
    assert [r.key for r in preview.registrations] == [r.key for r in up.registrations]


def test_no_name_or_input_holds_an_output_turned_into_text(graph: Graph) -> None:
    text = json.dumps([[r.name, r.inputs] for r in graph.registrations])
    assert "Calling __str__" not in text


def test_up_leaves_no_input_unknown(stack: str, graph_of: Callable[[str, bool], Graph]) -> None:
    unknown = [r.key for r in graph_of(stack, False).registrations if UNKNOWN in json.dumps(r.inputs)]
    assert unknown == []


def test_the_token_is_in_a_secret_beside_its_readers_and_nowhere_else(graph: Graph) -> None:
    assert TOKEN not in json.dumps([[r.inputs, r.options] for r in graph.registrations])
    assert TOKEN not in json.dumps(graph.outputs)
    secrets = [r for r in graph.registrations if r.type == "kubernetes:core/v1:Secret"]
    servers = graph.of_type(f"{COMPONENT}ServingNamespace")
    beside = {name for name in (r.name for r in servers) if name.startswith("serving")}
    elsewhere = {r.inputs["metadata"]["namespace"] for r in graph.of_type(_PROVIDER_CLASS)}
    assert {r.inputs["metadata"]["namespace"] for r in secrets} | elsewhere == beside
    assert not (secrets and elsewhere)
    assert all(r.inputs["stringData"] == {"token": SECRET} for r in secrets)
    with_secrets = {r.key for r in graph.registrations if SECRET in json.dumps(r.inputs)}
    assert with_secrets == {r.key for r in secrets}


def test_names_are_explicit_so_that_a_replacement_frees_them_first(graph: Graph) -> None:
    for registration in _children(graph):
        named = "name" in registration.inputs or "name" in registration.inputs.get("metadata", {})
        if named and registration.custom and not registration.type.startswith("pulumi:"):
            assert registration.options["deleteBeforeReplace"], registration.key


def test_services_are_never_disabled_on_destroy(graph: Graph) -> None:
    services = graph.of_type("gcp:projects/service:Service")
    assert services
    assert all(service.inputs["disableOnDestroy"] is False for service in services)


def test_whatever_google_makes_first_waits_for_its_service(graph: Graph) -> None:
    made = [r for r in graph.registrations if r.type.startswith("gcp:compute/") or r.type.startswith("gcp:container/")]
    keys = {r.key for r in made}
    for registration in made:
        # What names another resource waits for the services that this one waited for.
        if not any(key in keys or "serviceaccount" in key for key in registration.dependencies):
            waits_for = {key for key in registration.dependencies if "projects/service:Service" in key}
            assert "gcp:projects/service:Service services-compute" in waits_for, registration.key


def test_nothing_uses_the_default_network(graph: Graph) -> None:
    assert all(r.inputs.get("network") != "default" for r in graph.registrations)
    assert all(r.inputs["autoCreateSubnetworks"] is False for r in graph.of_type("gcp:compute/network:Network"))


def test_everything_in_the_cluster_waits_for_the_system_pool(graph: Graph) -> None:
    system_pool = "gcp:container/nodePool:NodePool gke-system"
    provider = graph["access"]
    assert system_pool in provider.dependencies
    accelerators = [
        r for r in graph.of_type("gcp:container/nodePool:NodePool") if "guestAccelerators" in r.inputs["nodeConfig"]
    ]
    assert accelerators
    assert all(system_pool in pool.dependencies for pool in accelerators)


def test_node_networks_are_the_machines_nics_in_their_order(stack: str, graph: Graph) -> None:
    plan = plan_platform(read_stack_file(CHECKOUT, stack), stack)
    pools = {pool.name: pool for pool in plan.node_pools}
    accelerators = {pool.name: ACCELERATORS[pool.accelerator] for pool in read_stack_file(CHECKOUT, stack).node_pools}
    vpcs = {
        r.inputs["name"] for r in graph.of_type("gcp:compute/network:Network") if r.parent.endswith("Fabric fabric")
    }
    made = {
        r.inputs["name"]
        for r in graph.of_type("gcp:compute/subnetwork:Subnetwork")
        if r.parent == f"{COMPONENT}Fabric fabric"
    }
    for resource in graph.of_type("gcp:container/nodePool:NodePool"):
        attached = resource.inputs.get("networkConfig", {}).get("additionalNodeNetworkConfigs", [])
        name = resource.inputs["name"]
        if name not in pools or not pools[name].uses_fabric:
            assert attached == []
            continue
        nics = accelerators[name].fabric.networks
        subnetworks = [network["subnetwork"] for network in attached]
        assert [s.removeprefix(f"{stack}-") for s in subnetworks if s in made] == [n.name for n in nics][: len(made)]
        assert len(attached) == len(nics)
        assert {network["network"] for network in attached} == vpcs


def test_a_network_object_leads_to_the_subnetwork_of_the_same_nic(graph: Graph) -> None:
    names = [r.inputs["metadata"]["name"] for r in graph.of_type("kubernetes:networking.gke.io/v1:Network")]
    sets = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in graph.of_type("kubernetes:networking.gke.io/v1:GKENetworkParamSet")
    }
    assert sorted(names) == sorted(sets)
    for name, spec in sets.items():
        assert spec["vpcSubnet"].endswith(f"-{name}")
        assert spec["deviceMode"] == ("RDMA" if name.startswith("rdma-") else "NetDevice")


def test_networks_and_claims_exclude_each_other(graph: Graph) -> None:
    networks = graph.of_type("kubernetes:networking.gke.io/v1:Network")
    claims = graph.of_type("kubernetes:resource.k8s.io/v1:ResourceClaimTemplate")
    assert not (networks and claims)


def test_an_autoscaled_pool_keeps_the_count_it_is_given(graph: Graph) -> None:
    for pool in graph.of_type("gcp:container/nodePool:NodePool"):
        scaled = "autoscaling" in pool.inputs
        assert scaled != ("nodeCount" in pool.inputs), pool.key
        assert ("initialNodeCount" in pool.options["ignoreChanges"]) is scaled, pool.key


def test_daemons_run_on_the_pools_whose_fabric_they_serve(graph: Graph) -> None:
    pools = {r.inputs["name"]: r.inputs for r in graph.of_type("gcp:container/nodePool:NodePool")}
    for daemon in graph.of_type("kubernetes:apps/v1:DaemonSet"):
        pod = daemon.inputs["spec"]["template"]["spec"]
        (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        (expression,) = term["matchExpressions"]
        assert expression["key"] == "cloud.google.com/gke-nodepool"
        for name in expression["values"]:
            caches = daemon.inputs["metadata"]["name"].startswith("node-cache-")
            if caches:
                assert pools[name]["nodeConfig"]["ephemeralStorageLocalSsdConfig"]["localSsdCount"] > 0
            else:
                assert pools[name]["networkConfig"]
            taints = {(taint["key"], taint["value"]) for taint in pools[name]["nodeConfig"]["taints"]}
            assert {(toleration["key"], toleration["value"]) for toleration in pod["tolerations"]} == taints


def test_firewall_rules_exist_only_where_the_vpc_takes_them(graph: Graph) -> None:
    with_profile = {
        r.inputs["name"] for r in graph.of_type("gcp:compute/network:Network") if "networkProfile" in r.inputs
    }
    for rule in graph.of_type("gcp:compute/firewall:Firewall"):
        vpc = [dependency for dependency in rule.dependencies if "network:Network" in dependency]
        assert not any(name in dependency for dependency in vpc for name in with_profile), rule.key


def test_no_two_ranges_of_a_stack_overlap(graph: Graph) -> None:
    from ipaddress import ip_network

    ranges = []
    for subnetwork in graph.of_type("gcp:compute/subnetwork:Subnetwork"):
        ranges.append(ip_network(subnetwork.inputs["ipCidrRange"]))
        ranges += [ip_network(r["ipCidrRange"]) for r in subnetwork.inputs.get("secondaryIpRanges", [])]
    overlapping = [(str(a), str(b)) for i, a in enumerate(ranges) for b in ranges[:i] if a.overlaps(b)]
    assert overlapping == []
    assert all(network.is_private for network in ranges)


def test_tolerations_of_a_server_are_the_taints_of_its_pool(graph: Graph) -> None:
    effects = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
    pools = {r.inputs["name"]: r for r in graph.of_type("gcp:container/nodePool:NodePool")}
    for server in graph.of_type("kubernetes:apps/v1:Deployment"):
        pod = server.inputs["spec"]["template"]["spec"]
        pool = pools[pod["nodeSelector"]["cloud.google.com/gke-nodepool"]]
        taints = {(t["key"], t["value"], effects[t["effect"]]) for t in pool.inputs["nodeConfig"]["taints"]}
        assert {(t["key"], t["value"], t["effect"]) for t in pod["tolerations"]} == taints


def test_servers_start_vllm_without_a_shell(graph: Graph) -> None:
    for server in graph.of_type("kubernetes:apps/v1:Deployment"):
        (container,) = server.inputs["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["vllm", "serve"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


def test_nothing_asks_the_cluster_for_a_load_balancer_or_a_disk(graph: Graph) -> None:
    """GKE makes no promise to delete those with the cluster, and what is left of them keeps the VPC from going."""
    makers = {"Ingress", "Gateway", "PersistentVolumeClaim", "PersistentVolume"}
    assert [r.key for r in graph.registrations if r.type.rsplit(":", 1)[-1] in makers] == []
    assert [r.key for r in graph.registrations if r.inputs.get("spec", {}).get("type") == "LoadBalancer"] == []
    assert "volumeClaimTemplate" not in json.dumps([r.inputs for r in graph.registrations])
