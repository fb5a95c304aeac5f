"""Lets a preflight's measuring pod judge the test's output, with the shell and awk of Google's images."""

from catalog.workloads import workloads
from planning.plan import PreflightPlan

TOO_LITTLE = 42
"""The exit status of a test that ran and measured too little. No program of the test ends with it."""

_OUTPUT = "/tmp/all-gather.log"

_JUDGE = r"""
nccl == "" && match($0, /NCCL version [0-9][0-9.]*/) { nccl = substr($0, RSTART + 13, RLENGTH - 13) }
$1 ~ /^[0-9]+$/ && NF == 13 {
  if ($8 + 0 > peak) peak = $8 + 0
  if ($12 + 0 > peak) peak = $12 + 0
  wrong += $9 + $13
}
/Avg bus bandwidth/ { ended = 1 }
function fail(problem) { print "error: " problem; exit TOO_LITTLE }
END {
  print "preflight: measured with NCCL " (nccl == "" ? "of an unknown version" : nccl) " of " ENVIRON["IMAGE"]
  count = split(ENVIRON["SERVERS"], servers, "\n")
  for (i = 1; i <= count; i++) {
    split(servers[i], server, " ")
    print "preflight: " server[1] " will use NCCL " server[2] " of " server[3]
    if (nccl != server[2]) print "preflight: warning: NCCL " server[2] " of " server[1] " was not measured"
  }
  pool = "the fabric of pool " ENVIRON["POOL"]
  if (!ended) fail(pool " was not measured: the test ended without its last line, Avg bus bandwidth")
  if (wrong) fail(pool " is broken: " wrong " values came out wrong")
  floor = ENVIRON["FLOOR"] " GB/s are the floor"
  if (peak < ENVIRON["FLOOR"] + 0)
    fail(pool " has too little bandwidth: " peak " GB/s between two nodes, and " floor " (" ENVIRON["FLOOR_REASON"] \
      "). No server is built on it. Which network NCCL took is said above (Using network). To go on with what " \
      "there is, write preflight: {minimumBusBandwidth: " int(peak) "}")
  print "preflight: " pool " has " peak " GB/s between two nodes, and " floor
}
"""


def variables(plan: PreflightPlan) -> dict[str, str]:
    """The environment variables that the script's lines read."""
    return {
        "IMAGE": plan.image,
        "POOL": plan.node_pool,
        "FLOOR": f"{plan.floor_gbytes_per_second:g}",
        "FLOOR_REASON": plan.floor_reason,
        "SERVERS": "\n".join(f"{each.server} {each.nccl} {each.image}" for each in plan.servers),
    }


def lines(plan: PreflightPlan) -> list[str]:
    """The lines of the script that measures and judges.

    A test that dies is tried again once all pods answer, since the other node may have been lost. The script does that
    itself, because the Job must fail by its own limit of tries: Pulumi hears of no other failure before its deadline
    (pulumi/cloud-ready-checks v1.3.0, pkg/kubernetes/job, read 2026-11-28).
    """
    numbers = workloads().preflight
    tries = numbers.tries
    limit = f"timeout --kill-after={numbers.kill_after_seconds} {numbers.measure_seconds}"
    return [
        "tries=0",
        f"until {limit} {plan.measure} 2>&1 | tee {_OUTPUT}; do",
        f"tries=$((tries + 1)); [ $tries -lt {tries} ] || {{ echo 'error: the test died {tries} times'; exit 1; }}",
        f"sleep {numbers.pause_seconds}",
        *plan.meet,
        "done",
        f"awk -v TOO_LITTLE={TOO_LITTLE} '{_JUDGE}' {_OUTPUT}",
    ]
