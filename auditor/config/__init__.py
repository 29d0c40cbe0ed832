"""accounts.yaml → Config: every fault of the file at once, each with its line and what to write instead."""

from auditor.config.durations import Duration, format_duration, parse_duration
from auditor.config.loading import Config, load_config
from auditor.config.organization import Filter, Organization
from auditor.config.schema import json_schema
from auditor.config.settings import Limits, PolicySettings

__all__ = [
    "Config",
    "Duration",
    "Filter",
    "Limits",
    "Organization",
    "PolicySettings",
    "format_duration",
    "json_schema",
    "load_config",
    "parse_duration",
]
