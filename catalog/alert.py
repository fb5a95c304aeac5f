"""What of a running platform is worth a message, and the query by which Google's monitoring sees it."""

from enum import StrEnum

from pydantic import Field

from catalog._entry import Entry


class Severity(StrEnum):
    """Of an alert policy, in Cloud Monitoring's words."""

    CRITICAL = "CRITICAL"
    ERROR = "ERROR"
    WARNING = "WARNING"


class Alert(Entry):
    """`query` finds what is wrong, and nothing while all is well."""

    name: str
    title: str
    severity: Severity
    for_minutes: int = Field(description="that the query must hold before anybody is told")
    query: str = Field(description="PromQL; $cluster, and $namespaces as a regular expression, are filled in")
    advice: str = Field(description="Markdown that the message carries")
    sources: tuple[str, ...]
