"""Expressions in CEL (Common Expression Language) over a record and its facts: checked before a run, bounded in it."""

from auditor.expressions.checking import Checked, Fault, checked, library_is_there
from auditor.expressions.evaluating import Program
from auditor.expressions.schema import FACT_FIELDS, SCHEMA
from auditor.expressions.template import Template, template_facts, template_faults

__all__ = [
    "FACT_FIELDS",
    "SCHEMA",
    "Checked",
    "Fault",
    "Program",
    "Template",
    "checked",
    "library_is_there",
    "template_facts",
    "template_faults",
]
