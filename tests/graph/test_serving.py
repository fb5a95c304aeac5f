"""What holds for the servers in the graph of every stack file: order, namespaces, and the proof that they generate."""

from typing import Any

from tests.graph.recorder import Graph, Registration

COMPONENT = "inference-platform:components:"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
GROUP = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
JOB = "kubernetes:batch/v1:Job"
NAMESPACE = "kubernetes:core/v1:Namespace"
ADMISSION_POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
SERVICE = "kubernetes:core/v1:Service"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def servers(graph: Graph) -> list[Registration]:
    return [*graph.of_type(DEPLOYMENT), *graph.of_type(GROUP)]


def templates(server: Registration) -> list[dict[str, Any]]:
    """The pod templates, one of each kind; the one that answers requests comes first."""
    spec = server.inputs["spec"]
    if server.type == DEPLOYMENT:
        return [spec["template"]]
    group = spec["leaderWorkerTemplate"]
    return [group["leaderTemplate"], group["workerTemplate"]]


def of_kind(graph: Graph, type_: str, server: Registration) -> list[Registration]:
    """What belongs to the same model."""
    return [each for each in graph.of_type(type_) if each.parent == server.parent]


def smoke_tests(graph: Graph) -> list[Registration]:
    return [job for job in graph.of_type(JOB) if job.inputs["metadata"]["labels"]["inference-platform/job"] == "smoke"]


def test_every_model_of_the_outputs_has_one_server(graph: Graph) -> None:
    named = [server.inputs["metadata"]["name"].removesuffix("-group") for server in servers(graph)]
    assert sorted(named) == sorted(graph.outputs["models"])


def test_serving_is_restricted_in_every_stack_or_has_a_policy_that_says_the_same(graph: Graph) -> None:
    levels = {
        r.inputs["metadata"]["name"]: r.inputs["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for r in graph.of_type(NAMESPACE)
    }
    policies = {r.inputs["metadata"]["name"] for r in graph.of_type(ADMISSION_POLICY)}
    kept = any(s.inputs["metadata"]["namespace"] == "serving" and "hostPath" in str(s.inputs) for s in servers(graph))
    assert levels["serving"] == ("privileged" if kept else "restricted")
    assert ("serving-host-access" in policies) is kept
    on_fabric = {s.inputs["metadata"]["namespace"] for s in servers(graph)} - {"serving"}
    assert set(levels) - {"serving", "lws-system", "nccl-preflight", "nvidia-dra-driver-gpu"} == on_fabric


def test_only_servers_over_nodes_are_in_the_namespace_of_the_fabric(graph: Graph) -> None:
    inside = [s for s in servers(graph) if s.inputs["metadata"]["namespace"] == "serving-rdma"]
    assert all(server.type == GROUP for server in inside)
    for job in graph.of_type(JOB):
        labels = job.inputs["metadata"]["labels"]
        if job.inputs["metadata"]["namespace"] == "serving-rdma":
            assert labels["inference-platform/job"] == "smoke"


def test_a_namespace_that_enforces_little_has_a_policy_of_its_own(graph: Graph) -> None:
    bindings = graph.of_type("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding")
    bound = {
        b.inputs["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for b in bindings
    }
    for namespace in graph.of_type(NAMESPACE):
        metadata = namespace.inputs["metadata"]
        if (
            metadata["name"].startswith("serving")
            and metadata["labels"].get("pod-security.kubernetes.io/enforce") == "privileged"
        ):
            assert metadata["name"] in bound


def test_a_group_waits_for_the_controller(graph: Graph) -> None:
    for group in graph.of_type(GROUP):
        assert "kubernetes:helm.sh/v4:Chart lws" in group.dependencies


def test_a_policy_is_there_before_the_pods_that_it_binds(graph: Graph) -> None:
    for server in servers(graph):
        namespace = server.inputs["metadata"]["namespace"]
        binding = {
            policy.key
            for policy in graph.of_type(POLICY)
            if policy.inputs["metadata"]["namespace"] == namespace
            and policy.inputs["spec"]["podSelector"].get("matchLabels", {}).items()
            <= templates(server)[0]["metadata"]["labels"].items()
        }
        assert len(binding) == (3 if server.type == GROUP else 2)
        assert binding <= graph.before(server)


def test_servers_on_a_tested_pool_wait_for_its_test(graph: Graph) -> None:
    tested = {
        job.inputs["spec"]["template"]["spec"]["nodeSelector"]["cloud.google.com/gke-nodepool"]: job.key
        for job in graph.of_type(JOB)
        if job.inputs["metadata"]["labels"]["inference-platform/job"] == "preflight"
    }
    for server in servers(graph):
        pool = templates(server)[0]["spec"]["nodeSelector"]["cloud.google.com/gke-nodepool"]
        if pool in tested:
            assert tested[pool] in server.dependencies, server.key


def test_a_fabric_test_does_not_run_again_for_another_image(graph: Graph) -> None:
    for job in graph.of_type(JOB):
        if job.inputs["metadata"]["labels"]["inference-platform/job"] == "preflight":
            assert "spec" in job.options["ignoreChanges"]


def is_asked(server: Registration, service: Registration) -> bool:
    """Whether the server's smoke test asks this Service: a Deployment's own, a group's for one revision."""
    return service.name.endswith("-smoke-service") == (server.type == GROUP)


def test_a_server_on_one_node_is_four_registrations_and_a_budget(graph: Graph) -> None:
    for server in servers(graph):
        own = [each for each in graph.registrations if server.parent in (each.key, each.parent)]
        more = server.inputs["spec"]["replicas"] > 1, *(2 * [server.type == GROUP])
        assert len(own) == 4 + sum(more), [each.key for each in own]


def test_every_server_is_asked_for_a_token_after_each_change(graph: Graph) -> None:
    assert len(smoke_tests(graph)) == len(servers(graph))
    for server in servers(graph):
        (job,) = [each for each in smoke_tests(graph) if each.parent == server.parent]
        revisions = {t["metadata"]["labels"]["inference-platform/revision"] for t in templates(server)}
        (revision,) = revisions
        assert job.inputs["metadata"]["name"].endswith(f"-smoke-{revision}")
        (target,) = [s for s in of_kind(graph, SERVICE, server) if is_asked(server, s)]
        if server.type == GROUP:
            assert target.inputs["spec"]["selector"]["inference-platform/revision"] == revision
        assert target.key in job.dependencies and server.key in target.dependencies


def test_a_selector_never_changes_with_the_revision(graph: Graph) -> None:
    for server in servers(graph):
        if server.type == DEPLOYMENT:
            assert "inference-platform/revision" not in server.inputs["spec"]["selector"]["matchLabels"]
        (service,) = [s for s in of_kind(graph, SERVICE, server) if not s.name.endswith("-smoke-service")]
        assert "inference-platform/revision" not in service.inputs["spec"]["selector"]
        assert service.inputs["metadata"]["name"] in graph.outputs["models"]


def test_a_budget_exists_from_two_replicas_on(graph: Graph) -> None:
    for server in servers(graph):
        budgets = of_kind(graph, BUDGET, server)
        assert len(budgets) == (1 if server.inputs["spec"]["replicas"] > 1 else 0)


def test_every_server_has_the_class_that_exists(graph: Graph) -> None:
    (class_,) = graph.of_type("kubernetes:scheduling.k8s.io/v1:PriorityClass")
    for server in servers(graph):
        for template in templates(server):
            assert template["spec"]["priorityClassName"] == class_.inputs["metadata"]["name"]


def test_every_pod_starts_vllm_without_a_shell(graph: Graph) -> None:
    for server in servers(graph):
        for template in templates(server):
            (container,) = template["spec"]["containers"]
            assert container["command"] == ["vllm", "serve"], server.key


def test_servers_that_span_nodes_wait_for_what_they_name(graph: Graph) -> None:
    networks = {r.key for r in graph.of_type("kubernetes:networking.gke.io/v1:Network")}
    installers = {r.key for r in graph.of_type("kubernetes:apps/v1:DaemonSet")}
    for group in graph.of_type(GROUP):
        if group.inputs["metadata"]["namespace"] == "serving-rdma":
            assert networks | installers <= set(group.dependencies), group.key
