"""Asks vLLM's own parser about command lines, without starting anything.

Standard input: a JSON list of strings per line, what follows `vllm serve`. Standard output: `null` per line that is
accepted, the parser's error as a JSON string per line that is not. Run by the interpreter of vLLM's environment.
"""

import json
import os
import sys

# vLLM and its libraries log to standard output, where only answers belong.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import serve_parser  # noqa: E402


def main() -> None:
    outer, _ = serve_parser.make()
    for line in sys.stdin:
        try:
            serve_parser.parse(outer, json.loads(line))
            answer = None
        except serve_parser.Refused as refused:
            answer = str(refused)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
