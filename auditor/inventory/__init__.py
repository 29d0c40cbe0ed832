"""What is to be audited: which accounts, which Regions, and so which targets."""

from auditor.inventory.plan import Filters, Plan, compared, make_plan

__all__ = ["Filters", "Plan", "compared", "make_plan"]
