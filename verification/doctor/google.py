"""Asks Google's REST APIs with the caller's own credentials, and reads their refusals."""

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import urlsplit

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
from google.oauth2.credentials import Credentials as UserCredentials

from verification.doctor.hidden import Hidden
from verification.doctor.web import Answer, Web
from verification.results import CheckFailed, NotObservable

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_LOGIN = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


class Api(Enum):
    """The APIs, each with its service, its address, and the variable by which Google's provider takes another
    address."""

    COMPUTE = ("compute.googleapis.com", "https://compute.googleapis.com/compute/v1/", "COMPUTE")
    CONTAINER = ("container.googleapis.com", "https://container.googleapis.com/v1/", "CONTAINER")
    SERVICES = ("serviceusage.googleapis.com", "https://serviceusage.googleapis.com/v1/", "SERVICE_USAGE")
    PROJECTS = (
        "cloudresourcemanager.googleapis.com",
        "https://cloudresourcemanager.googleapis.com/v3/",
        "RESOURCE_MANAGER_V3",
    )
    SECRETS = ("secretmanager.googleapis.com", "https://secretmanager.googleapis.com/v1/", "SECRET_MANAGER")
    QUOTAS = ("cloudquotas.googleapis.com", "https://cloudquotas.googleapis.com/v1/", "CLOUD_QUOTAS")

    @property
    def service(self) -> str:
        return self.value[0]

    @property
    def variable(self) -> str:
        return f"GOOGLE_{self.value[2]}_CUSTOM_ENDPOINT"

    def address(self, environment: Mapping[str, str]) -> str:
        """The address at which `pulumi up` would find it too. Raises CheckFailed for one that would show the token to
        others."""
        address = environment.get(self.variable) or self.value[1]
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise CheckFailed(
                f"{self.variable} is no https address, and a token would go there in plain text: unset it"
            )
        return address if address.endswith("/") else f"{address}/"


class Missing(CheckFailed):
    """Google does not know what was asked for."""


@dataclass(frozen=True)
class Refusal:
    """The parts of Google's error body that matter."""

    message: str
    reasons: frozenset[str]

    @classmethod
    def of(cls, answer: Answer) -> "Refusal":
        try:
            content: Any = answer.json.get("error")
        except NotObservable:
            content = None
        if not isinstance(content, dict):
            return cls("", frozenset())
        error = cast(dict[str, Any], content)
        rows: list[Any] = [*_list(error.get("errors")), *_list(error.get("details"))]
        reasons = {str(cast(dict[str, Any], row).get("reason")) for row in rows if isinstance(row, dict)}
        return cls(str(error.get("message", "")), frozenset(reasons))

    @property
    def api_is_off(self) -> bool:
        return bool(self.reasons & {"SERVICE_DISABLED", "accessNotConfigured"})


class Google:
    """Google as one project sees it. `off`: services that are not enabled, and so are not asked. `closed`: why nothing
    can be asked; None: everything can."""

    def __init__(
        self,
        web: Web,
        project: str,
        login: "Login | None",
        environment: Mapping[str, str],
        closed: str | None = None,
    ) -> None:
        self.project = project
        self._web = web
        self._login = login
        self._environment = environment
        self.off: frozenset[str] = frozenset()
        self.closed = closed

    def get(self, api: Api, path: str, **parameters: str | list[str]) -> dict[str, Any]:
        """The answer to a GET. Raises Missing, CheckFailed, NotObservable."""
        return self._ask("GET", api, path, parameters)

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a POST, for methods that only read. Raises Missing, CheckFailed, NotObservable."""
        return self._ask("POST", api, path, {}, body)

    def allowed(self, api: Api, resource: str, permissions: list[str]) -> set[str]:
        """The permissions, of those given, that the caller has on the resource."""
        answer = self.post(api, f"{resource}:testIamPermissions", {"permissions": permissions})
        return set(answer.get("permissions", []))

    def _ask(
        self,
        method: str,
        api: Api,
        path: str,
        parameters: Mapping[str, str | list[str]],
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        if self.closed or self._login is None:
            raise NotObservable(self.closed or "nobody is logged in")
        if api.service in self.off:
            raise NotObservable(_switched_off(api.service))
        address = f"{api.address(self._environment)}{path}"
        answer = self._web.ask(method, address, self._login.headers(), parameters, body)
        if answer.status == 200:
            return answer.json
        refusal = Refusal.of(answer)
        said = f": {refusal.message}" if refusal.message else ""
        match answer.status:
            case 404:
                raise Missing(f"Google knows no such thing{said}")
            case 401:
                raise NotObservable(f"Google does not take the credentials{said}; {_LOGIN}")
            case 403 if refusal.api_is_off:
                raise NotObservable(_switched_off(api.service))
            case 403:
                raise NotObservable(f"no permission{said}")
            case 429:
                raise NotObservable(f"Google has had too many requests of this project{said}; ask again in a minute")
            case _:
                raise NotObservable(f"{api.service} answers {answer.status}{said}; ask again later")


class Login:
    """The caller's credentials, obtained once. Raises CheckFailed if there are none, or Google does not accept them."""

    def __init__(self, project: str, hidden: Hidden, seconds: int) -> None:
        try:
            self._credentials = _found(project)
            request = google.auth.transport.requests.Request()
            self._credentials.refresh(functools.partial(request, timeout=seconds))
        except google.auth.exceptions.DefaultCredentialsError:
            raise CheckFailed(f"there are none here, or they cannot be read: {_LOGIN}") from None
        except google.auth.exceptions.TransportError as error:
            raise CheckFailed(f"nobody answers who would take them ({_kind(error)}): is there a way out?") from None
        except (google.auth.exceptions.GoogleAuthError, ValueError, OSError, LookupError, TypeError) as error:
            # A wrong answer can raise any of these. Their text repeats what the server said, which may hold what we
            # sent.
            raise CheckFailed(f"Google gives no token for them ({_kind(error)}): {_LOGIN}") from None
        hidden.add(self._credentials.token)

    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        return headers

    @property
    def account(self) -> str:
        email = getattr(self._credentials, "service_account_email", None) or getattr(self._credentials, "account", None)
        return str(email or "a user of gcloud's")


def _found(project: str) -> Any:
    with warnings.catch_warnings():
        # google-auth warns of users without a project for quota; they get one below.
        warnings.simplefilter("ignore")
        # google-auth is only partly typed.
        credentials: Any = cast(Any, google.auth).default(scopes=[_SCOPE])[0]
    user = isinstance(credentials, UserCredentials) and not credentials.quota_project_id
    return cast(Any, credentials).with_quota_project(project) if user else credentials


def _switched_off(service: str) -> str:
    return f"{service} is off; `gcloud services enable {service}` shows this row before the first up"


def _kind(error: Exception) -> str:
    return type(error).__name__


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
