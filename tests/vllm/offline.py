"""Run in vLLM's environment without a hub: prints the folder that vLLM takes for a model's name, and what it serves."""

import json
import sys

from vllm.engine.arg_utils import EngineArgs

model = sys.argv[1]
arguments = EngineArgs(model=model, served_model_name=model)
print(json.dumps({"folder": arguments.model, "served": arguments.served_model_name}))
