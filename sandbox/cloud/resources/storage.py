"""Cloud Storage's buckets, their managed folders and the members of their IAM policies, not their objects."""

import ipaddress
import re

from sandbox.cloud.kinds import Kind, Request, Rule, Rules, Stage
from sandbox.cloud.resources import common
from sandbox.cloud.resources.identity import member_rules
from sandbox.cloud.values import Value

BUCKET = "gcp:storage/bucket:Bucket"
MANAGED_FOLDER = "gcp:storage/managedFolder:ManagedFolder"

SOFT_DELETE_DEFAULT_SECONDS = 604800

_PROVIDER = "terraform-provider-google, resource_storage_bucket.go"
_NAMES = "cloud.google.com/storage/docs/buckets#naming (2026-11)"
_LOCATIONS = "cloud.google.com/storage/docs/locations (2026-11)"
_SOFT_DELETE = "cloud.google.com/storage/docs/soft-delete (2026-11): off, or from 7 to 90 days"
_HIERARCHY = "cloud.google.com/storage/docs/hns-overview (2026-11)"
_API = "storage.v1 discovery document, revision 20261009"
_FOLDERS = "cloud.google.com/storage/docs/managed-folders (2026-11)"

_NAME = re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")
_MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
_DUAL_REGIONS = frozenset({"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"})
_SOFT_DELETE_SECONDS = range(7 * 86400, 90 * 86400 + 1)

bucket_rules = Rules()


@bucket_rules("bucket-name", _NAMES, Stage.CHECK)
def bucket_name_is_legal(request: Request) -> str | None:
    name = request.name
    if not name or _legal_name(name):
        return None
    return f"Error 400: Invalid bucket name: '{name}', invalid"


def _legal_name(name: str) -> bool:
    parts = name.split(".")
    if not _NAME.fullmatch(name) or any(not 0 < len(part) <= 63 for part in parts):
        return False
    return not (name.startswith("goog") or "google" in name or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


@bucket_rules("bucket-location", _LOCATIONS, Stage.CHECK)
def location_is_known(request: Request) -> str | None:
    location = request.inputs.text("location")
    if location is None or location.upper() in _MULTI_REGIONS | _DUAL_REGIONS:
        return None
    if location.lower() in request.tables.locations.regions:
        return None
    return f"Error 400: The specified location constraint is not valid: {location}., invalid"


@bucket_rules("bucket-hierarchy-access", _HIERARCHY, Stage.CHECK)
def hierarchy_has_uniform_access(request: Request) -> str | None:
    if not _hierarchical(request) or request.inputs.unknown("uniformBucketLevelAccess"):
        return None
    if request.inputs.flag("uniformBucketLevelAccess"):
        return None
    return (
        "Error 400: Hierarchical namespace requires uniform bucket-level access to be enabled on the bucket., invalid"
    )


@bucket_rules("bucket-hierarchy-features", _HIERARCHY, Stage.CHECK)
def hierarchy_goes_with_its_features(request: Request) -> str | None:
    if not _hierarchical(request):
        return None
    inputs = request.inputs
    for feature, wanted in (
        ("Object versioning", inputs.flag("versioning.enabled")),
        ("Bucket Lock", "retentionPolicy" in inputs),
        ("Object retention", inputs.flag("enableObjectRetention")),
    ):
        if wanted:
            return f"Error 400: {feature} is not supported for buckets with hierarchical namespace enabled., invalid"
    return None


def _hierarchical(request: Request) -> bool:
    return bool(request.inputs.flag("hierarchicalNamespace.enabled"))


@bucket_rules("bucket-soft-delete", _SOFT_DELETE, Stage.CHECK)
def soft_delete_is_in_its_range(request: Request) -> str | None:
    seconds = request.inputs.number("softDeletePolicy.retentionDurationSeconds")
    if seconds is None or seconds == 0 or seconds in _SOFT_DELETE_SECONDS:
        return None
    return (
        f"Error 400: Soft delete policy retention duration must be 0 or between {_SOFT_DELETE_SECONDS.start} and "
        f"{_SOFT_DELETE_SECONDS.stop - 1} seconds, got {seconds}., invalid"
    )


@bucket_rules("bucket-public-access", _API, Stage.CHECK)
def public_access_prevention_is_known(request: Request) -> str | None:
    value = request.inputs.text("publicAccessPrevention")
    if value in (None, "inherited", "enforced"):
        return None
    return f"Error 400: Invalid argument: publicAccessPrevention '{value}'., invalid"


@bucket_rules("bucket-empty", _PROVIDER, Stage.DELETE)
def is_empty(request: Request) -> str | None:
    if request.inputs.flag("forceDestroy") or request.id not in request.state.filled:
        return None
    return f"Error trying to delete bucket {request.id} containing objects without `force_destroy` set to true"


def _bucket_outputs(request: Request) -> dict[str, Value]:
    inputs, now = request.inputs, common.timestamp()
    soft_delete = inputs.number("softDeletePolicy.retentionDurationSeconds")
    return {
        "project": request.project,
        "projectNumber": int(common.number_of(f"projects/{request.project}", 12)),
        "location": (inputs.text("location") or "").upper(),
        "url": f"gs://{request.id}",
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{request.id}",
        "storageClass": inputs.text("storageClass") or "STANDARD",
        "publicAccessPrevention": inputs.text("publicAccessPrevention") or "inherited",
        "uniformBucketLevelAccess": bool(inputs.flag("uniformBucketLevelAccess")),
        "softDeletePolicy": {
            "retentionDurationSeconds": SOFT_DELETE_DEFAULT_SECONDS if soft_delete is None else soft_delete,
            "effectiveTime": common.keep(request, "softDeletePolicy.effectiveTime", now),
        },
        "timeCreated": common.keep(request, "timeCreated", now),
        "updated": now,
    }


BUCKET_KIND = Kind(
    token=BUCKET,
    service="storage.googleapis.com",
    identify=lambda request: request.name,
    rules=tuple(bucket_rules.all),
    compute=_bucket_outputs,
    computed=frozenset({"projectNumber", "selfLink", "timeCreated", "updated", "softDeletePolicy.effectiveTime"}),
)


def _bucket_of(request: Request) -> str:
    return (request.inputs.text("bucket") or "").removeprefix("b/")


def _membership(request: Request) -> str:
    title = request.inputs.text("condition.title")
    return f"{request.inputs.text('role')}/{request.inputs.text('member')}" + (f"/{title}" if title else "")


inside_rules = Rules()


@inside_rules("storage-bucket-exists", _API, Stage.CREATE)
def bucket_exists(request: Request) -> str | None:
    if request.state.get(BUCKET, _bucket_of(request)):
        return None
    return "Error 404: The specified bucket does not exist., notFound"


# The provider writes a bucket in an IAM policy as b/NAME.
BUCKET_MEMBER_KIND = Kind(
    token="gcp:storage/bucketIAMMember:BucketIAMMember",
    service="storage.googleapis.com",
    identify=lambda request: f"b/{_bucket_of(request)}/{_membership(request)}",
    rules=(*member_rules.all, *inside_rules.all),
    compute=lambda request: {
        "bucket": f"b/{_bucket_of(request)}",
        "etag": common.short_hash(request.id, 11) + "=",
    },
    computed=frozenset({"etag"}),
    references=frozenset({"bucket"}),
    autonamed=False,
    adopts=True,
)


folder_rules = Rules()


@folder_rules("folder-name", _FOLDERS, Stage.CHECK)
def folder_name_is_a_folder(request: Request) -> str | None:
    name = request.name
    if not name or (name.endswith("/") and not name.startswith("/") and "//" not in name):
        return None
    return f"Error 400: The managed folder name '{name}' must end with a '/' and have no empty part., invalid"


@folder_rules("folder-uniform-access", _FOLDERS, Stage.CREATE)
def bucket_of_folder_has_uniform_access(request: Request) -> str | None:
    bucket = request.state.get(BUCKET, _bucket_of(request))
    if bucket is None or bucket.properties.flag("uniformBucketLevelAccess"):
        return None
    return (
        "Error 412: Managed folders are only supported in buckets with uniform bucket-level access enabled., "
        "conditionNotMet"
    )


def _folder_rules() -> tuple[Rule, ...]:
    return (*inside_rules.all, *folder_rules.all)


MANAGED_FOLDER_KIND = Kind(
    token=MANAGED_FOLDER,
    service="storage.googleapis.com",
    identify=lambda request: f"{_bucket_of(request)}/{request.name}",
    rules=_folder_rules(),
    compute=lambda request: {
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{_bucket_of(request)}/managedFolders/{request.name}",
        "createTime": common.keep(request, "createTime", common.timestamp()),
        "updateTime": common.timestamp(),
        "metageneration": "1",
    },
    computed=frozenset({"createTime", "updateTime", "metageneration"}),
    autonamed=False,
)
