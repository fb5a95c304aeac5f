"""Asks a model server for one token, and ends with its answer where none comes."""

import json
import os
import sys
import time
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.error import HTTPError
from urllib.request import Request, urlopen

NOT_YET = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What stands between says so while no server of this revision is ready."""
NO_SUCH_SERVER = 3
NO_TOKEN = 4


def main() -> None:
    """Waits for a server, never for a token: one that takes the request and generates nothing has failed."""
    server, model = os.environ["SERVER"], os.environ["MODEL"]
    patience, token_seconds = float(os.environ["PATIENCE_SECONDS"]), float(os.environ["TOKEN_SECONDS"])
    wanted = {"model": model, "prompt": "Kubernetes is", "max_tokens": 1, "temperature": 0}
    request = Request(
        f"{server}/v1/completions", json.dumps(wanted).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    deadline = time.monotonic() + patience
    while True:
        try:
            with urlopen(request, timeout=token_seconds) as response:
                text = response.read().decode(errors="replace")
        except HTTPError as error:
            refusal = f"{server} answered {error.code}: {error.read().decode(errors='replace').strip()}"
            if error.code not in NOT_YET:
                fail(NO_TOKEN, refusal)
        except TimeoutError:
            fail(NO_TOKEN, f"{server} took the request and generated nothing in {token_seconds:.0f} s")
        except OSError as error:
            refusal = f"{server} does not answer: {error}"
        else:
            judge(text, f"{server} answered: {text.strip()}")
            return
        if time.monotonic() > deadline:
            fail(NO_SUCH_SERVER, f"{refusal} (for {patience:.0f} s)")
        time.sleep(2)


def judge(text: str, told: str) -> None:
    try:
        answer: Any = json.loads(text)
        tokens = int(answer["usage"]["completion_tokens"])
    except (ValueError, KeyError, TypeError):
        fail(NO_TOKEN, told)
    if tokens < 1:
        fail(NO_TOKEN, told)
    print(f"{answer['model']} generated {tokens} token: {answer['choices'][0]['text']!r}")


def fail(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
