"""The part of a stack file about who may call the models, besides `kubectl port-forward`."""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from config.intent import Intent

_WIDEST = 8
"""The prefix length of the widest range that may be written: that of the largest private range."""
_THIS_NETWORK = IPv4Network("0.0.0.0/8")

NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


def _written_as_ipv4(value: Any) -> Any:
    if not isinstance(value, str | IPv4Network):
        raise ValueError("is no range; write one such as 10.20.0.0/16")
    if ":" in str(value):
        raise ValueError("is IPv6, and the cluster's networks are IPv4 alone; write an IPv4 range")
    try:
        return IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"is no IPv4 range ({error}); write one such as 10.20.0.0/16") from error


def _not_everybody(network: IPv4Network) -> IPv4Network:
    if network.prefixlen < _WIDEST:
        raise ValueError(f"lets in {network.num_addresses:,} addresses; write ranges of /{_WIDEST} or narrower")
    nobody = network.is_loopback or network.is_link_local or network.is_multicast or network.is_reserved
    if nobody or network.overlaps(_THIS_NETWORK):
        raise ValueError("holds addresses that no client has; leave it out")
    return network


CallerRange = Annotated[
    IPv4Network,
    BeforeValidator(_written_as_ipv4, json_schema_input_type=str),
    AfterValidator(_not_everybody),
]


class LoadBalancerScope(StrEnum):
    REGIONAL = "regional"
    GLOBAL = "global"


class LoadBalancerSettings(Intent):
    """Google's load balancers before the models, as a Gateway or an Ingress makes them; they are no pods."""

    scope: Annotated[
        LoadBalancerScope,
        Field(description="regional ones, internal or external, send requests from the region's proxy-only subnetwork"),
    ]
    proxy_only_range: Annotated[
        CallerRange | None,
        Field(description="of that subnetwork; for a regional one alone", examples=["10.129.0.0/23"]),
    ] = None

    @model_validator(mode="after")
    def _range_where_there_is_one(self) -> "LoadBalancerSettings":
        regional = self.scope is LoadBalancerScope.REGIONAL
        if regional and self.proxy_only_range is None:
            raise ValueError(
                "proxyOnlyRange: is missing; write that of `gcloud compute networks subnets list "
                "--filter=purpose=REGIONAL_MANAGED_PROXY`"
            )
        if not regional and self.proxy_only_range is not None:
            raise ValueError("proxyOnlyRange: a global load balancer has none; leave it out, or write scope: regional")
        return self


class CallerSettings(Intent):
    """Who may send requests to the models, each by what can be known of it."""

    namespaces: Annotated[
        tuple[NamespaceName, ...],
        Field(
            max_length=50,
            description="of the cluster, all of whose pods may call; they need not be there yet",
            examples=["[chat, batch]"],
        ),
    ] = ()
    ranges: Annotated[
        tuple[CallerRange, ...],
        Field(
            max_length=50,
            description="IPv4 ranges of clients that are no pods, such as another VPC's",
            examples=["[10.20.0.0/16]"],
        ),
    ] = ()
    google_load_balancers: Annotated[
        LoadBalancerSettings | None, Field(description="their health checks and their requests; default: none may")
    ] = None

    @model_validator(mode="after")
    def _each_once(self) -> "CallerSettings":
        for key, values in (("namespaces", self.namespaces), ("ranges", self.ranges)):
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key}: {', '.join(twice)} is there twice; write it once")
        return self


class AccessSettings(Intent):
    """Who may reach what serves the models."""

    callers: Annotated[
        CallerSettings, Field(description="who may send requests besides `kubectl port-forward`; default: nobody")
    ] = CallerSettings()
