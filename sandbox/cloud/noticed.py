"""What a refresh finds: the inputs as the program gave them, with what somebody has changed at Google since."""

from typing import Any, cast


def noticed(said: Any, before: Any, now: Any) -> Any:
    """The input `said` after a refresh, if its output was `before` and is `now`, as Google's provider reads it.

    Only properties that the program gave are compared; all others are Google's to choose.
    """
    if before == now:
        return said
    if all(isinstance(each, dict) for each in (said, before, now)):
        inputs, known, today = (cast(dict[str, Any], each) for each in (said, before, now))
        found = {key: noticed(value, known.get(key), today.get(key)) for key, value in inputs.items()}
        return {key: value for key, value in found.items() if value is not None}
    if all(isinstance(each, list) for each in (said, before, now)) and len(said) == len(before) == len(now):
        return [noticed(*each) for each in zip(said, before, now, strict=True)]
    return now
