"""What is to be audited: which accounts, which Regions, and so which targets."""

from auditor.inventory.accounts import Excluded, Inventory, choose, listed
from auditor.inventory.plan import Filters, Plan, check_filters, make_plan

__all__ = ["Excluded", "Filters", "Inventory", "Plan", "check_filters", "choose", "listed", "make_plan"]
