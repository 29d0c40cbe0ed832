"""What is accepted until a date: findings that are waived, gaps that are known; and a report on both."""

from auditor.waivers.acceptances import AcceptedGaps, Waivers
from auditor.waivers.looking import Looked
from auditor.waivers.reporting import log_report, report
from auditor.waivers.standing import Standing, ended, standing

__all__ = ["AcceptedGaps", "Looked", "Standing", "Waivers", "ended", "log_report", "report", "standing"]
