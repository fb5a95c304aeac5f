"""The Pulumi program: it plans the stack's configuration, and makes resources of the plan."""

import gc

import pulumi


def main() -> None:
    from config import ConfigurationError
    from config.pulumi_config import read_pulumi_config
    from planning.platform import plan_platform

    try:
        settings, project = read_pulumi_config()
        plan = plan_platform(settings, pulumi.get_stack())
    except ConfigurationError as error:
        # Pulumi prints a RunError without a traceback, and nothing has been registered yet.
        raise pulumi.RunError(str(error)) from None

    # Google's SDK takes long to import: nobody should wait for it to read of a misspelt key, or for unused parts.
    from stacks.sdk_on_demand import load_on_demand

    load_on_demand("pulumi_gcp")
    from stacks.platform import build_platform

    for name, value in build_platform(plan, project=project).outputs().items():
        pulumi.export(name, value)


# What is imported, planned and built stays to the end: to search it for garbage, now or while the Pulumi engine is at
# work, would be a seventh of the program. What an earlier program in this process left may go.
gc.unfreeze()
gc.disable()
try:
    main()
finally:
    gc.freeze()
    gc.enable()
