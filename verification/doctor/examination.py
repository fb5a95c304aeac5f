"""Runs all checks: first who asks, then the project, then everything else at once."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from config.settings import Settings
from planning.plan import PlatformPlan
from verification.doctor.account import api_questions, permission_questions, project_number, service_states
from verification.doctor.google import Api, Google, Login
from verification.doctor.hidden import Hidden
from verification.doctor.hub import Hub
from verification.doctor.images import image_questions
from verification.doctor.joined import network_questions
from verification.doctor.look import Look, Question
from verification.doctor.quotas import quota_questions
from verification.doctor.reservations import reservation_questions
from verification.doctor.rows import Row
from verification.doctor.secrets import secret_questions
from verification.doctor.web import Web
from verification.doctor.zone import zone_questions
from verification.results import CheckFailed, NotObservable, Result, Status, outcome

SECONDS = 12.0
"""The time limit for all questions together; one request that has begun may take some more."""
_LOGIN_SECONDS = 5
_AT_ONCE = 12


@dataclass(frozen=True)
class Wish:
    """What to examine. `mirror`: the address of a registry to ask instead of the images' own; None: their own."""

    stack: str
    settings: Settings
    plan: PlatformPlan
    project: str
    reads_only: bool
    mirror: str | None


def examine(wish: Wish, environment: Mapping[str, str], hidden: Hidden) -> list[Result]:
    """All rows, in the order of the questions; no text in them holds a secret."""
    web = Web(SECONDS, hidden)
    google, first = _google(wish, web, environment)
    look = Look(wish.stack, wish.settings, wish.plan, google, web, None, wish.reads_only)
    states: dict[str, bool] | NotObservable | CheckFailed = NotObservable(_SEE_ABOVE)
    if not google.closed:
        look, states, row = _project(look)
        first.append(row)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="doctor") as pool:
        rest = pool.map(_answer, _questions(look, states, environment, wish.mirror))
        return [replace(each, detail=hidden.clean(each.detail)) for each in [*first, *rest]]


_SEE_ABOVE = "Google was not asked: see the row above that failed"


def _google(wish: Wish, web: Web, environment: Mapping[str, str]) -> tuple[Google, list[Result]]:
    try:
        login = Login(wish.project, web.hidden, _LOGIN_SECONDS)
        for api in Api:
            api.address(environment)
    except CheckFailed as error:
        failed = Result("Google", Row.CREDENTIALS, Status.FAILED, str(error))
        return Google(web, wish.project, None, environment, closed=_SEE_ABOVE), [failed]
    found = Result("Google", Row.CREDENTIALS, Status.PASSED, login.account)
    return Google(web, wish.project, login, environment), [found]


def _project(look: Look) -> tuple[Look, dict[str, bool] | NotObservable | CheckFailed, Result]:
    """Looks at the project and its enabled APIs, which decide what else can be asked."""
    google = look.google
    wanted = {*look.plan.services, *(api.service for api in Api)}
    try:
        states: dict[str, bool] | NotObservable | CheckFailed = service_states(google, sorted(wanted))
        google.off = frozenset(service for service, on in states.items() if not on)
    except (CheckFailed, NotObservable) as error:
        states = error
    except (LookupError, TypeError, AttributeError) as error:
        states = NotObservable(f"the answer is not of the expected form: {error!r}")
    numbers: list[str] = []

    def there() -> str:
        numbers.append(project_number(google))
        return f"number {numbers[0]}"

    row = outcome(google.project, Row.PROJECT, there, otherwise=Status.NOT_OBSERVABLE)
    if row.status is Status.FAILED:
        google.closed = _SEE_ABOVE
    return replace(look, number=numbers[0] if numbers else None), states, row


def _questions(
    look: Look,
    states: dict[str, bool] | NotObservable | CheckFailed,
    environment: Mapping[str, str],
    mirror: str | None,
) -> Iterator[Question]:
    yield from api_questions(look, states)
    yield from permission_questions(look)
    yield from zone_questions(look)
    yield from reservation_questions(look)
    yield from quota_questions(look)
    yield from network_questions(look)
    yield from secret_questions(look)
    yield from image_questions(look, mirror)
    yield from Hub(look, environment).questions()


def _answer(question: Question) -> Result:
    return outcome(question.subject, question.row, question.look, otherwise=Status.NOT_OBSERVABLE)
