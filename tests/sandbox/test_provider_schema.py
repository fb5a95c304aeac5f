"""The stand-in refuses, changes and makes again what Google's provider does: each field of each kind by itself."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.cloud import provider_checks, schema
from sandbox.cloud.diff import differences
from sandbox.cloud.provider_schema import TOKENS, Field, ProviderSchema, provider_schema, source
from sandbox.cloud.resources import KINDS
from sandbox.cloud.resources.common import NODE_POOL
from sandbox.cloud.values import Properties, Value

OTHER_RELEASE = {
    "gcp:compute/disk:Disk": {"diskEncryptionKey"},
    "gcp:compute/securityPolicy:SecurityPolicy": {"rules.preconfiguredWafConfig.exclusions"},
    "gcp:container/cluster:Cluster": {"nodePools", "nodePools.networkConfig.additionalNodeNetworkConfigs"},
    "gcp:container/nodePool:NodePool": {"", "networkConfig.additionalNodeNetworkConfigs"},
    "gcp:lustre/instance:Instance": {""},
    "gcp:secretmanager/secret:Secret": {""},
}
"""Blocks in which pulumi-gcp has properties that the provider has not: it wraps another release of it."""


def every(token: str) -> Iterator[tuple[str, Field]]:
    yield from provider_schema(token).fields.items()


def example(token: str, path: str = "", value: Value = None) -> dict[str, Value]:
    """The least that the provider takes, with this value at a path without positions."""
    made = _block(provider_schema(token), "", path)
    if path:
        *blocks, last = path.split(".")
        inner: Any = made
        for name in blocks:
            inner = inner[name][0] if isinstance(inner[name], list) else inner[name]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return made


def _block(known: ProviderSchema, block: str, path: str) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for name, field in known.children.get(block, {}).items():
        bare = f"{block}.{name}" if block else name
        if field.required or path == bare or path.startswith(f"{bare}."):
            made[name] = _value(known, bare, field, path)
    for group in (*known.exactly_one, *known.at_least_one):
        names = [each.rpartition(".")[2] for each in group]
        if group[0].rpartition(".")[0] == block and not any(name in made for name in names):
            made[names[0]] = _value(known, group[0], known.fields[group[0]], path)
    return made


def _value(known: ProviderSchema, bare: str, field: Field, path: str) -> Value:
    many = field.type in ("list", "set") and not (field.block and field.max_items == 1)
    if field.block:
        one: Value = _block(known, bare, path)
    elif field.one_of:
        one = field.one_of[0]
    else:
        one = {"bool": True, "int": 7, "float": 7.5, "map": {"key": "value"}}.get(field.type, "text")
    return [one] * max(field.min_items or 1, 1) if many else one


def refusals(token: str, inputs: dict[str, Value]) -> list[str]:
    return [f"{each.path}: {each.reason}" for each in provider_checks.check(token, inputs)]


@pytest.mark.parametrize("token", TOKENS.values())
def test_every_name_of_the_providers_has_one_of_pulumis(token: str) -> None:
    known = provider_schema(token)
    assert known.fields and known.untranslated == ()


def test_the_words_are_somebodys_of_some_day() -> None:
    assert "terraform-provider-google-beta at 93c65b2 (2026-08-21)" in source() and source().endswith("2026-11-28")


@pytest.mark.parametrize("token", TOKENS.values())
def test_every_name_of_pulumis_is_the_providers_but_for_another_release(token: str) -> None:
    known = provider_schema(token)
    unknown = {block for block, name in _pulumis(token) if name not in known.children.get(block, {})}
    assert unknown == OTHER_RELEASE.get(token, set())


def _pulumis(token: str, block: str = "", cls: type | None = None) -> Iterator[tuple[str, str]]:
    known = provider_schema(token)
    for name, expected in schema.fields(cls or schema.arguments_class(token)).items():
        yield block, name
        bare = f"{block}.{name}" if block else name
        if bare in known.fields and known.fields[bare].block:
            yield from _pulumis(token, bare, schema.class_of(expected))


def test_every_kind_of_the_stand_in_is_held_to_the_provider() -> None:
    assert set(KINDS) <= set(TOKENS.values())
    assert sum(len(provider_schema(token).fields) for token in KINDS) > 1400


@pytest.mark.parametrize("token", KINDS)
def test_what_is_written_by_hand_is_what_the_schema_cannot_say(token: str) -> None:
    kind, fields = KINDS[token], provider_schema(token).fields
    assert all(fields[path].suppresses for path in kind.references), "which spellings are the same"
    assert all(fields[path].computed and fields[path].default is None for path in kind.defaults), "Google's own values"
    assert not any(fields[path].force_new for path in kind.replaces), "changes that the provider's code looks at"


def test_no_rule_lists_values_that_the_provider_lists() -> None:
    listed = {"pool-image-type", "pool-placement-type", "pool-network-profile"}
    closed = ("nodeConfig.imageType", "placementPolicy.type", "networkConfig.acceleratorNetworkProfile")
    by_hand = {
        rule.id for kind in KINDS.values() for rule in kind.rules if rule.judge.__qualname__.startswith("one_of.")
    }
    assert by_hand == listed
    assert not any(provider_schema(NODE_POOL).fields[path].one_of for path in closed)


@pytest.mark.parametrize("token", TOKENS.values())
def test_the_least_that_it_wants_is_enough(token: str) -> None:
    assert refusals(token, example(token)) == []


@pytest.mark.parametrize("token", TOKENS.values())
def test_what_it_requires_is_missed(token: str) -> None:
    for path, field in every(token):
        if field.required:
            found = refusals(token, example(token, path))
            assert any(each.endswith(f"{path.rpartition('.')[2]}: missing required property") for each in found), path


@pytest.mark.parametrize("token", TOKENS.values())
def test_a_value_that_it_does_not_list_is_refused_and_each_that_it_lists_is_not(token: str) -> None:
    for path, field in every(token):
        for value in (*field.one_of, "NOT_LEGAL") if field.one_of else ():
            many = isinstance(_value(provider_schema(token), path, field, ""), list)
            found = refusals(token, example(token, path, [value] if many else value))
            assert any("to be one of" in each for each in found) is (value == "NOT_LEGAL"), (path, value)


@pytest.mark.parametrize("token", TOKENS.values())
def test_what_it_does_not_take_side_by_side_is_refused(token: str) -> None:
    known = provider_schema(token)
    for path, field in every(token):
        for other in field.conflicts:
            both = _merged(_block(known, "", path), _block(known, "", other))
            assert any("conflicts with" in each for each in refusals(token, both)), (path, other)
        if field.requires:
            alone = _block(known, "", path)
            assert any("must be specified" in each for each in refusals(token, alone)), path


@pytest.mark.parametrize("token", TOKENS.values())
def test_one_of_a_group_is_wanted_and_no_second(token: str) -> None:
    known = provider_schema(token)
    for group in known.exactly_one:
        block = group[0].rpartition(".")[0]
        first, second = (_block(known, "", path) for path in group[:2])
        assert any("only one of" in each for each in refusals(token, _merged(first, second))), group
        none = example(token, group[0])
        assert block not in known.fields or any("must be specified" in each for each in refusals(token, none)), group
    for group in known.at_least_one:
        assert any("must be specified" in each for each in refusals(token, example(token, group[0]))), group


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merged(one.get(key), other.get(key)) for key in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(*pair) for pair in zip(one, other, strict=True)]
    return other if one is None else one


@pytest.mark.parametrize("token", TOKENS.values())
def test_how_many_there_may_be_is_counted(token: str) -> None:
    for path, field in every(token):
        items = _value(provider_schema(token), path, field, "")
        if not isinstance(items, list):
            continue
        if field.max_items:
            many = example(token, path, items[:1] * (field.max_items + 1))
            assert any("no more than" in each for each in refusals(token, many)), path
        if field.min_items:
            assert any("item minimum" in each for each in refusals(token, example(token, path, []))), path


@pytest.mark.parametrize("token", KINDS)
def test_a_changed_value_replaces_exactly_where_the_provider_makes_a_new_one(token: str) -> None:
    kind, known = KINDS[token], provider_schema(token)
    for path, field in every(token):
        if field.block or path in kind.replaces:
            continue
        old = _value(known, path, field, "")
        new = _another(field, old)
        before, after = (Properties(example(token, path, value)) for value in (old, new))
        found = differences(kind, before, after, Properties({}))
        assert found, path
        assert {each.replaces for each in found} == {field.force_new}, path


def _another(field: Field, old: Value) -> Value:
    if isinstance(old, list):
        return [_another(field, old[0])]
    if isinstance(old, dict):
        return {"key": "other"}
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return old + 1
    return "other"


@pytest.mark.parametrize("token", KINDS)
def test_what_is_taken_out_stays_as_google_has_it_or_becomes_the_providers_default(token: str) -> None:
    kind = KINDS[token]
    for path, field in every(token):
        if field.block or field.required or "." in path or path in kind.replaces:
            continue
        usual = _value(provider_schema(token), path, field, "")
        old = usual if field.default is None else _another(field, field.default)
        inputs = example(token, path, old)
        found = differences(kind, Properties(inputs), Properties({**inputs, path: None}), Properties(inputs))
        assert bool(found) is not field.computed, path


AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
from sandbox.cloud.schema import arguments_class
tokens = ["gcp:projects/service:Service", "gcp:projects/iAMMember:IAMMember", "gcp:container/nodePool:NodePool"] * 5
with ThreadPoolExecutor(15) as pool:
    print(len(set(pool.map(arguments_class, tokens))))
"""


def test_requests_at_once_find_the_sdk_whole() -> None:
    """A refresh begins with many, and Pulumi's lazy modules are empty to whoever comes while another loads them."""
    run = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, check=True)
    assert run.stdout == "3\n"
