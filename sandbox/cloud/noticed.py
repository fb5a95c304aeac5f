"""What a refresh finds: inputs as the program gave them, but for what somebody changed at Google since."""

from typing import Any, cast


def noticed(said: Any, before: Any, now: Any) -> Any:
    """The input `said`, where its output was `before` and is `now`; as Google's provider reads a resource anew.

    Only what the program said is noticed: the rest is Google's own to choose.
    """
    if before == now or now is None:
        return said
    if not (isinstance(said, dict) and isinstance(now, dict)):
        return now
    known: dict[str, Any] = cast(dict[str, Any], before) if isinstance(before, dict) else {}
    today = cast(dict[str, Any], now)
    return {key: noticed(value, known.get(key), today.get(key)) for key, value in cast(dict[str, Any], said).items()}
