"""Which GKE versions a release channel allows for a new cluster or an upgrade."""

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.versions import NO_CHANNEL, at_least, offered

rules = Rules()


@rules(
    "cluster-version-offered",
    "cloud.google.com/kubernetes-engine/versioning; the message as GKE gave it in 2026-09",
    Stage.CREATE,
    Stage.UPDATE,
)
def version_is_offered_in_the_channel(request: Request) -> str | None:
    wanted = request.inputs.text("minMasterVersion")
    running = request.before.properties.text("masterVersion") if request.before else None
    # The version that a cluster already runs is not checked.
    if wanted is None or (running and at_least(running, wanted)):
        return None
    if offered(wanted, request.inputs.text("releaseChannel.channel") or NO_CHANNEL):
        return None
    return f'Error 400: No valid versions with the prefix "{wanted}" found., badRequest'
