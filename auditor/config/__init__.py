"""accounts.yaml → Config: every fault of the file at once, each with its line and what to write instead."""

from auditor.config.acceptances import AcceptedGap, Waiver
from auditor.config.config import Config
from auditor.config.destinations import Receiver
from auditor.config.digest import settings_digest
from auditor.config.durations import Duration, format_duration, parse_duration
from auditor.config.history import History, PostgreSQLStore, S3Store, SQLiteStore, Store
from auditor.config.loading import load_config
from auditor.config.organization import Filter, Organization
from auditor.config.own import ExpressionSettings
from auditor.config.patterns import is_pattern, matcher
from auditor.config.schema import json_schema
from auditor.config.settings import DestinationSettings, Limits, PolicySettings

__all__ = [
    "AcceptedGap",
    "Config",
    "DestinationSettings",
    "Duration",
    "ExpressionSettings",
    "Filter",
    "History",
    "Limits",
    "Organization",
    "PolicySettings",
    "PostgreSQLStore",
    "Receiver",
    "S3Store",
    "SQLiteStore",
    "Store",
    "Waiver",
    "format_duration",
    "is_pattern",
    "json_schema",
    "load_config",
    "matcher",
    "parse_duration",
    "settings_digest",
]
