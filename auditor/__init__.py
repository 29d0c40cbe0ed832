"""Audits Amazon Lightsail export snapshot records across accounts and Regions, and says what it could not see."""

__version__ = "0.1.0"
