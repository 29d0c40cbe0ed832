"""What is to be audited: which accounts, which Regions, and so which targets."""

from auditor.inventory.accounts import Excluded, Inventory, choose, listed
from auditor.inventory.plan import Filters, Plan, check_filters, compared, make_plan, policies_of

__all__ = [
    "Excluded",
    "Filters",
    "Inventory",
    "Plan",
    "check_filters",
    "choose",
    "compared",
    "listed",
    "make_plan",
    "policies_of",
]
