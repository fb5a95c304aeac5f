"""Google's rules on buckets, managed folders and repositories of images: what breaks each."""

from tests.sandbox.cloud_client import REMOVED
from tests.sandbox.cloud_rows import Row

_REMOTE = "remoteRepositoryConfig"
_BUCKET_MEMBER = "is not supported for this resource"

STORAGE = [
    *(
        Row("bucket-name", "bucket", {"name": name}, f"Invalid bucket name: '{name}'")
        for name in ("ab", "w" * 64, "Weights", "-weights", "weights-", "my-google-bucket", "goog-weights", "10.1.2.3")
    ),
    Row("bucket-name", "bucket", {"name": f"a..{'b' * 8}"}, "Invalid bucket name"),
    Row("bucket-location", "bucket", {"location": "us-central9"}, "location constraint is not valid: us-central9"),
    Row(
        "bucket-hierarchy-access",
        "bucket",
        {"uniformBucketLevelAccess": REMOVED},
        "Hierarchical namespace requires uniform bucket-level access",
    ),
    Row("bucket-hierarchy-features", "bucket", {"versioning": {"enabled": True}}, "Object versioning is not supported"),
    Row("bucket-hierarchy-features", "bucket", {"retentionPolicy": {"retentionPeriod": "1"}}, "Bucket Lock is not"),
    Row("bucket-hierarchy-features", "bucket", {"enableObjectRetention": True}, "Object retention is not supported"),
    *(
        Row(
            "bucket-soft-delete",
            "bucket",
            {"softDeletePolicy.retentionDurationSeconds": seconds},
            f"must be 0 or between 604800 and 7776000 seconds, got {seconds}",
        )
        for seconds in (1, 604799, 7776001)
    ),
    Row("bucket-public-access", "bucket", {"publicAccessPrevention": "never"}, "publicAccessPrevention 'never'"),
    Row("storage-bucket-exists", "bucket-member", {"bucket": "other"}, "The specified bucket does not exist"),
    Row("iam-role", "bucket-member", {"role": "objectViewer"}, _BUCKET_MEMBER),
    Row("storage-bucket-exists", "folder", {"bucket": "other"}, "The specified bucket does not exist"),
    Row("folder-name", "folder", {"name": "models"}, "'models' must end with a '/'"),
    Row("folder-name", "folder", {"name": "models//"}, "must end with a '/' and have no empty part"),
    Row(
        "folder-uniform-access",
        "folder",
        {},
        "only supported in buckets with uniform bucket-level access",
        {"bucket": {"uniformBucketLevelAccess": False}},
    ),
    *(
        Row("repository-id", "repository", {"repositoryId": name}, f'Invalid repository ID "{name}"')
        for name in ("Images", "9images", "images-", "i" * 64)
    ),
    Row("repository-location", "repository", {"location": "us-central9"}, "Location us-central9 is not found"),
    Row("repository-format", "repository", {"format": "OCI"}, "Invalid value at 'repository.format'"),
    Row("repository-mode", "repository", {_REMOTE: REMOVED}, "must be set for a repository of mode REMOTE_REPOSITORY"),
    Row("repository-mode", "repository", {"mode": "STANDARD_REPOSITORY"}, "must not be set for a repository of mode"),
    Row("repository-source-format", "repository", {"format": "NPM"}, "dockerRepository is not supported for"),
    Row(
        "repository-source-uri",
        "repository",
        {f"{_REMOTE}.dockerRepository": {"customRepository": {"uri": "http://quay.io"}}},
        "Invalid upstream URI http://quay.io",
    ),
    Row(
        "repository-cleanup",
        "repository",
        {"cleanupPolicies": [{"id": "old", "action": "DELETE", "mostRecentVersions": {"keepCount": 3}}]},
        "may only be specified with a Keep action",
    ),
    Row("repository-member-repository", "repository-member", {"repository": "other"}, 'repositories/other" not found'),
]
