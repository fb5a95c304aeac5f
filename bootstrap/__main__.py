"""A person who owns the project runs this once: it makes the state bucket, the key, and the pipeline's identities.

Its own state is kept locally or in the bucket that it makes; the platform's stacks need only four names of it.
"""

import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
import yaml

_ISSUER = "https://token.actions.githubusercontent.com"


def main() -> None:
    config = pulumi.Config()
    project, region, repository = config.require("project"), config.require("region"), config.require("repository")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise pulumi.RunError(f"inference-platform-bootstrap:repository: {repository!r} is not of the form owner/name")
    google = gcp.Provider("google", project=project, region=region)
    services = _services(project, google)
    after = pulumi.ResourceOptions(provider=google, depends_on=services)
    # Without one of these two, the state of every stack, or what is secret in it, is lost.
    kept = pulumi.ResourceOptions(provider=google, depends_on=services, protect=True)
    bucket = gcp.storage.Bucket(
        "state",
        name=f"{project}-pulumi-state",
        location=region,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning={"enabled": True},
        opts=kept,
    )
    ring = gcp.kms.KeyRing("keys", name="pulumi", location=region, opts=kept)
    # Old versions of the key can always decrypt, so rotation costs nothing.
    key = gcp.kms.CryptoKey("secrets", name="stack-secrets", key_ring=ring.id, rotation_period="7776000s", opts=kept)
    provider = _workload_identity(repository, after)
    exports: dict[str, pulumi.Input[str]] = {
        "PULUMI_BACKEND_URL": bucket.url,
        "secretsProvider": key.id.apply(lambda id: f"gcpkms://{id}"),
        "WORKLOAD_IDENTITY_PROVIDER": provider.name,
    }
    for purpose, (of_run, roles) in _accounts().items():
        account = _account(purpose, roles, project, after)
        gcp.storage.BucketIAMMember(
            f"{purpose}-state", bucket=bucket.name, role="roles/storage.objectAdmin", member=account.member, opts=after
        )
        gcp.kms.CryptoKeyIAMMember(
            f"{purpose}-secrets",
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=account.member,
            opts=after,
        )
        gcp.serviceaccount.IAMMember(
            f"{purpose}-pipeline",
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=_principals(provider.name, of_run, repository),
            opts=after,
        )
        exports[f"{purpose.upper()}_SERVICE_ACCOUNT"] = account.email
    for name, value in exports.items():
        pulumi.export(name, value)


def _services(project: str, google: gcp.Provider) -> list[gcp.projects.Service]:
    return [
        gcp.projects.Service(
            f"service-{service.removesuffix('.googleapis.com')}",
            project=project,
            service=service,
            disable_on_destroy=False,
            opts=pulumi.ResourceOptions(provider=google),
        )
        for service in _facts()["services"]
    ]


def _workload_identity(repository: str, after: pulumi.ResourceOptions) -> gcp.iam.WorkloadIdentityPoolProvider:
    """Lets the pipeline prove its identity by its own platform's token, so that there is no key that could leak."""
    pool = gcp.iam.WorkloadIdentityPool("pipeline", workload_identity_pool_id="pipeline", opts=after)
    return gcp.iam.WorkloadIdentityPoolProvider(
        "pipeline-provider",
        workload_identity_pool_id=pool.workload_identity_pool_id,
        workload_identity_pool_provider_id="github",
        oidc={"issuer_uri": _ISSUER},
        attribute_mapping={
            "google.subject": "assertion.sub",
            "attribute.repository": "assertion.repository",
            "attribute.ref": "assertion.ref",
        },
        # Without this condition any repository of that platform could ask for a token.
        attribute_condition=f'assertion.repository == "{repository}"',
        opts=after,
    )


def _account(purpose: str, roles: list[str], project: str, after: pulumi.ResourceOptions) -> gcp.serviceaccount.Account:
    account = gcp.serviceaccount.Account(
        purpose, account_id=f"pipeline-{purpose}", display_name=f"Pipeline: {purpose}", opts=after
    )
    for role in roles:
        gcp.projects.IAMMember(
            f"{purpose}-{role.removeprefix('roles/')}", project=project, role=role, member=account.member, opts=after
        )
    return account


def _principals(provider: pulumi.Output[str], of_run: str, repository: str) -> pulumi.Output[str]:
    """The principals of the runs whose token says so; `provider` is the full name of the pool's provider."""
    attribute = of_run.format(repository=repository)
    return provider.apply(
        lambda name: f"principalSet://iam.googleapis.com/{name.split('/providers/')[0]}/attribute.{attribute}"
    )


def _accounts() -> dict[str, tuple[str, list[str]]]:
    """The accounts by purpose: the runs that each is for, and its roles in the project."""
    return {
        purpose: (each["runs"], [row["role"] for row in each["roles"]])
        for purpose, each in _facts()["accounts"].items()
    }


def _facts() -> dict[str, Any]:
    return yaml.safe_load((Path(__file__).parent / "access.yaml").read_text(encoding="utf-8"))


main()
