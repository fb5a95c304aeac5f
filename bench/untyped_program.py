"""The floor of a preview: registers what registrations.json says, with no SDK and no plan."""

import json
from pathlib import Path
from typing import Any, cast

import pulumi


def main() -> None:
    records = json.loads(Path(__file__).with_name("registrations.json").read_text(encoding="utf-8"))
    made: dict[str, pulumi.Resource] = {}
    waiting = {f"{each['type']} {each['name']}": each for each in records}
    while waiting:
        ready = [key for key, each in waiting.items() if not _needs(each) & waiting.keys()]
        for key in ready:
            made[key] = _register(waiting.pop(key), made)


def _needs(each: dict[str, Any]) -> set[str]:
    return {each["parent"], each["provider"], *each["dependencies"]}


def _register(each: dict[str, Any], made: dict[str, pulumi.Resource]) -> pulumi.Resource:
    options = pulumi.ResourceOptions(
        parent=made.get(each["parent"]), depends_on=[made[key] for key in each["dependencies"] if key in made]
    )
    if not each["custom"]:
        return pulumi.ComponentResource(each["type"], each["name"], None, options)
    kind = each["type"].removeprefix("pulumi:providers:")
    if kind != each["type"]:
        return pulumi.ProviderResource(kind, each["name"], _values(each["inputs"]), options)
    provider = made.get(each["provider"])
    if isinstance(provider, pulumi.ProviderResource):
        options.provider = provider
    return pulumi.CustomResource(each["type"], each["name"], _values(each["inputs"]), options)


def _values(value: Any) -> Any:
    match value:
        case "[unknown]":
            return pulumi.Output.from_input(pulumi.runtime.rpc.UNKNOWN)
        case "[secret]":
            return pulumi.Output.secret("secret")
        case dict():
            return {key: _values(item) for key, item in cast(dict[str, Any], value).items()}
        case list():
            return [_values(item) for item in cast(list[Any], value)]
        case _:
            return value


main()
