"""The audit itself: plan, read, judge, account for it, write it down. The only room that starts tasks."""

from auditor.audit.options import FormatRequest, Observer, Progress, RunOptions
from auditor.audit.pipeline import audit
from auditor.audit.record import Gap, Result

__all__ = ["FormatRequest", "Gap", "Observer", "Progress", "Result", "RunOptions", "audit"]
