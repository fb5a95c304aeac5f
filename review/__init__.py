"""Reports what a change does to a stack, for the person who must approve it, from Pulumi's events and two plans.

Nothing here runs the Pulumi engine or knows a cloud; the events may come from anywhere that Pulumi runs.
"""

from review.base import Planned
from review.build import Review, build_review
from review.events import EventLog, read_events
from review.html import to_html
from review.markdown import COMMENT_LIMIT, to_comment
from review.plans import PlanView, read_plan

__all__ = [
    "COMMENT_LIMIT",
    "EventLog",
    "PlanView",
    "Planned",
    "Review",
    "build_review",
    "read_events",
    "read_plan",
    "to_comment",
    "to_html",
]
