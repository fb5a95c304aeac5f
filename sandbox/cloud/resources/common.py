"""Rules that many kinds share: name formats, references that must exist, ranges, and resources in use."""

import datetime
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator

from sandbox.cloud.kinds import Judge, Request
from sandbox.cloud.references import COMPUTE
from sandbox.cloud.store import State
from sandbox.cloud.values import Value

IPv4 = ipaddress.IPv4Network

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
ROUTER = "gcp:compute/router:Router"
ROUTER_NAT = "gcp:compute/routerNat:RouterNat"
ADDRESS = "gcp:compute/address:Address"
FIREWALL = "gcp:compute/firewall:Firewall"
RESOURCE_POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"
SERVICE_ACCOUNT = "gcp:serviceaccount/account:Account"
CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"

_COMPUTE_NAME = re.compile(r"(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)")


def compute_name(request: Request) -> str | None:
    """Refuses a name that does not have Compute Engine's format, which is the same for all its kinds."""
    name = request.name
    if not name or _COMPUTE_NAME.fullmatch(name):
        return None
    return (
        f"Error 400: Invalid value for field 'resource.name': '{name}'. "
        f"Must be a match of regex '{_COMPUTE_NAME.pattern}', invalid"
    )


def region_known(request: Request) -> str | None:
    if request.inputs.unknown("region"):
        return None
    if not request.region:
        return "Cannot determine region: set in this resource, or set provider-level 'region' or 'zone'."
    if request.region not in request.tables.locations.regions:
        return f"Error 400: Invalid value for field 'region': '{request.region}'. Unknown region., invalid"
    return None


def not_found(id_: str) -> str:
    return f"Error 404: The resource '{id_}' was not found, notFound"


def invalid(field: str, value: object, reason: str) -> str:
    return f"Error 400: Invalid value for field '{field}': '{value}'. {reason}, invalid"


def in_use(what: str, id_: str, user: str) -> str:
    return f"Error 400: The {what} resource '{id_}' is already being used by '{user}', resourceInUseByAnotherResource"


def one_of(path: str, *legal: str) -> Judge:
    """The judge of a rule for a property with a fixed set of legal values."""

    def judge(request: Request) -> str | None:
        value = request.inputs.text(path)
        if value is None or value in legal:
            return None
        return f"expected {path} to be one of {list(legal)}, got {value}"

    return judge


def self_link(id_: str) -> str:
    return COMPUTE + id_


def number_of(id_: str, digits: int = 19) -> str:
    """The number that Google gives a resource. Here it is computed from the id, so that it never changes."""
    return str(int(hashlib.sha256(id_.encode()).hexdigest(), 16))[:digits]


def short_hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def timestamp() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def keep(request: Request, path: str, fresh: Value) -> Value:
    """The value that the resource already has there, else the fresh one."""
    kept = request.before.outputs.get(path) if request.before else None
    return fresh if kept is None else kept


def network_of(text: str | None) -> IPv4 | None:
    """The range that a text describes; None if it is not one."""
    try:
        return IPv4(text) if text else None
    except ValueError:
        return None


def ranges_of_subnetwork(state: State, id_: str) -> Iterator[tuple[str, IPv4]]:
    """The primary and the secondary ranges of a recorded subnetwork, each with a name for messages."""
    record = state.get(SUBNETWORK, id_)
    if record is None:
        return
    primary = network_of(record.properties.text("ipCidrRange"))
    if primary:
        yield "", primary
    for item in record.properties.items("secondaryIpRanges"):
        secondary = network_of(item.text("ipCidrRange"))
        if secondary:
            yield item.text("rangeName") or "", secondary


def overlapping(one: Iterable[IPv4], other: Iterable[IPv4]) -> tuple[IPv4, IPv4] | None:
    others = list(other)
    return next(((a, b) for a in one for b in others if a.overlaps(b)), None)


def users(state: State, id_: str, *uses: tuple[str, str]) -> Iterator[str]:
    """The ids of recorded resources, of the given kinds, whose output at the given path is this id."""
    for token, path in uses:
        for user, record in state.of(token):
            if record.properties.text(path) in (id_, self_link(id_)):
                yield user
