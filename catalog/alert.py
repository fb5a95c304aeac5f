"""The troubles of a running platform that people should be told of, each with the query by which Google's monitoring
finds it."""

from enum import StrEnum

from pydantic import Field

from catalog._entry import Entry


class Severity(StrEnum):
    """How serious an alert policy is, in Cloud Monitoring's words."""

    CRITICAL = "CRITICAL"
    ERROR = "ERROR"
    WARNING = "WARNING"


class Alert(Entry):
    """One alert. Its `query` finds what is wrong, and finds nothing while all is well."""

    name: str
    title: str
    severity: Severity
    for_minutes: int = Field(description="that the query must hold before anybody is told")
    query: str = Field(description="PromQL; $cluster, and $namespaces as a regular expression, are filled in")
    advice: str = Field(description="Markdown that the message carries")
    sources: tuple[str, ...]
