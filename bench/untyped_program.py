"""The floor of a preview: registers what registrations.json says, with no SDK and no plan."""

import json
from pathlib import Path
from typing import Any, cast

import pulumi


def main() -> None:
    graph = json.loads(Path(__file__).with_name("graph.json").read_text(encoding="utf-8"))
    made: dict[str, pulumi.Resource] = {}
    waiting = {f"{each['type']} {each['name']}": each for each in graph["registrations"]}
    while waiting:
        ready = [key for key, each in waiting.items() if not _needs(each) & waiting.keys()]
        for key in ready:
            made[key] = _register(waiting.pop(key), made)
    for name, value in graph["outputs"].items():
        pulumi.export(name, _values(value))


def _needs(each: dict[str, Any]) -> set[str]:
    return {each["parent"], each["provider"], each["options"]["deletedWith"], *each["dependencies"]}


def _register(each: dict[str, Any], made: dict[str, pulumi.Resource]) -> pulumi.Resource:
    said = each["options"]
    options = pulumi.ResourceOptions(
        parent=made.get(each["parent"]),
        depends_on=[made[key] for key in each["dependencies"] if key in made],
        protect=said["protect"],
        deleted_with=made.get(said["deletedWith"]),
        delete_before_replace=said["deleteBeforeReplace"],
        ignore_changes=said["ignoreChanges"],
        replace_on_changes=said["replaceOnChanges"],
        custom_timeouts=pulumi.CustomTimeouts(**said["customTimeouts"]),
        additional_secret_outputs=said["additionalSecretOutputs"],
    )
    kind = each["type"].removeprefix("pulumi:providers:")
    if kind != each["type"]:
        return pulumi.ProviderResource(kind, each["name"], _values(each["inputs"]), options)
    provider = made.get(each["provider"])
    if isinstance(provider, pulumi.ProviderResource):
        options.provider = provider
    if not each["custom"]:
        return pulumi.ComponentResource(
            each["type"], each["name"], _values(each["inputs"]), options, remote=each["remote"]
        )
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
