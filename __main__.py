"""The Pulumi program: a stack's configuration becomes a plan, the plan becomes resources."""

import pulumi

from config import ConfigurationError
from config.pulumi_config import read_pulumi_config
from planning.platform import plan_platform


def main() -> None:
    try:
        settings, project = read_pulumi_config()
        plan = plan_platform(settings, pulumi.get_stack())
    except ConfigurationError as error:
        # RunError is printed without a traceback, and nothing has been registered yet.
        raise pulumi.RunError(str(error)) from None

    # Importing Google's SDK takes seconds: whoever mistyped a key should not wait for it, nor anyone for what is unused.
    from stacks.sdk_on_demand import load_on_demand

    load_on_demand("pulumi_gcp")
    from stacks.platform import build_platform

    for name, value in build_platform(plan, project=project).outputs().items():
        pulumi.export(name, value)


main()
