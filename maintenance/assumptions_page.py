"""Makes docs/assumptions.md: the facts that rest on a source and were never seen at Google, and the check that will
show each."""

from collections.abc import Iterable, Iterator

from catalog import ACCELERATORS, NETWORK_PROFILES, VLLM_RELEASES, Basis, sources
from catalog.assumption import Confirmation, Seen, assumptions
from catalog.quotas import compute_quotas
from verification.doctor.rows import Row
from verification.rows import VerifyRow

COMMANDS = {
    Confirmation.DOCTOR: "python -m verification.doctor --stack NAME --report doctor.md",
    Confirmation.VERIFY: "python -m verification --stack NAME --report verify.md",
}


def page() -> str:
    """The whole page as Markdown."""
    lines = [
        "# Assumptions",
        "",
        "Made by `make record` from `catalog/assumptions.yaml` and the rest of the catalogue; do not edit. Nobody has",
        "run this program at Google yet. Each line rests on the source beside it, and the row beside that will confirm",
        "or deny it, by itself, in the first run; send its report back, whatever it says:",
        "",
        "```sh google",
        f".venv/bin/{COMMANDS[Confirmation.DOCTOR].replace('NAME', 'dev')}   # before the first up",
        f".venv/bin/{COMMANDS[Confirmation.VERIFY].replace('NAME', 'dev')}          # after it",
        "```",
        "",
        "Neither report has a token in it.",
        "",
        *_table(
            ("what the program believes", "source", "row that will tell"),
            ((each.choice, _sources(each.sources), _rows(each.seen)) for each in assumptions()),
        ),
        "",
        "## Facts of the catalogue that are not certain",
        "",
        *_table(
            ("fact", "source", "row that will tell"),
            ((fact, _sources(keys), _rows([seen])) for fact, keys, seen in uncertain()),
        ),
        "",
        "## Sources",
        "",
        *_cited(),
    ]
    return "\n".join(lines) + "\n"


Fact = tuple[str, tuple[str, ...], Seen]
"""A fact, the keys of its sources, and the check that will show it."""


def uncertain() -> Iterator[Fact]:
    """Facts that the catalogue itself marks as uncertain."""
    machine_row, quota_row = _doctor(Row.MACHINE_TYPE), _doctor(Row.QUOTA)
    for name in ACCELERATORS:
        accelerator = ACCELERATORS[name]
        for offered in dict.fromkeys(map(accelerator.availability_of, accelerator.machine_types)):
            if not offered.certain:
                same = [each for each in accelerator.machine_types if accelerator.availability_of(each) == offered]
                names = ", ".join(f"`{each.name}`" for each in same)
                zones = f"{len(offered.zones)} zones have" if offered.zones else "no zone is known that has"
                yield f"{zones} {names}, as of {offered.as_of}", offered.sources, machine_row
        if not accelerator.quota.certain:
            yield f"name of the limit on `{name}` GPUs", accelerator.quota.sources, quota_row
    for profile in NETWORK_PROFILES.values():
        if not profile.certain:
            zones = f"{len(profile.zones)} zones have" if profile.zones else "no zone is known that has"
            fact = f"{zones} the network profile `{profile.name}`"
            yield fact, profile.sources, _doctor(Row.NETWORK_PROFILE)
    quotas = compute_quotas()
    for limit in (getattr(quotas, field) for field in type(quotas).model_fields):
        if not getattr(limit, "certain", True):
            yield f"there is a limit on {limit.what}, and it counts", quotas.sources, quota_row
    for release in VLLM_RELEASES.values():
        if release.memory_basis is not Basis.MEASURED:
            fact = f"memory that vLLM {release.version} needs, which is {release.memory_basis}"
            yield fact, release.sources, Seen(by=Confirmation.VERIFY, row=VerifyRow.ENGINE_LOG)


def _doctor(row: Row) -> Seen:
    return Seen(by=Confirmation.DOCTOR, row=row)


def _rows(seen: Iterable[Seen]) -> str:
    return "; ".join(f"{each.by} `{each.row}`" for each in seen)


def _sources(keys: Iterable[str]) -> str:
    return ", ".join(f"[{key}](#sources)" for key in keys)


def _cited() -> Iterator[str]:
    cited = page_sources()
    for key, source in sources().items():
        if key in cited:
            place = f"[{source.title}]({source.address})" if source.address else source.title
            dated = f", {source.read}" if source.read else ""
            yield f"- `{key}`: {place}{dated}{f'. {source.note}' if source.note else ''}"


def page_sources() -> set[str]:
    """The keys of all sources that the page cites."""
    chosen = {key for each in assumptions() for key in each.sources}
    return chosen | {key for _, keys, _ in uncertain() for key in keys}


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
