"""The refusals of Cloud Storage's JSON API, in its own form."""

import json

from aiohttp import web


def _body(code: int, message: str, reason: str) -> str:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return json.dumps({"error": {"code": code, "message": message, "errors": errors}})


def _refusal(kind: type[web.HTTPError], code: int, message: str, reason: str) -> web.HTTPError:
    return kind(text=_body(code, message, reason), content_type="application/json")


def unauthenticated() -> web.HTTPError:
    return _refusal(web.HTTPUnauthorized, 401, "Invalid Credentials", "authError")


def denied(member: str, permission: str) -> web.HTTPError:
    who = member.partition(":")[2]
    message = (
        f"{who} does not have {permission} access to the Google Cloud Storage object. Permission '{permission}' denied "
        "on resource (or it may not exist)."
    )
    return _refusal(web.HTTPForbidden, 403, message, "forbidden")


def not_found(message: str) -> web.HTTPError:
    return _refusal(web.HTTPNotFound, 404, message, "notFound")


def invalid(message: str, reason: str = "invalid") -> web.HTTPError:
    return _refusal(web.HTTPBadRequest, 400, message, reason)


def conflict() -> web.HTTPError:
    message = "At least one of the pre-conditions you specified did not hold."
    return _refusal(web.HTTPPreconditionFailed, 412, message, "conditionNotMet")


def unknown(message: str) -> web.HTTPError:
    return _refusal(web.HTTPNotImplemented, 501, message, "notImplemented")
