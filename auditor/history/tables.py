"""The tables of the history, as they are at `HEAD`; how they came to be so stands in the migrations."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

HEAD = "r0002"
"""The revision that these tables are at: the newest of `auditor.history.migrations.versions`."""
VERSION_TABLE = "auditor_history"
"""Where the revision of a store stands: its name says whose the other tables are."""

metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")
"""Numbers that the one writer counts itself; in SQLite only an INTEGER is the row's own."""

runs = Table(
    "runs",
    metadata,
    Column("sequence", _Id, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False, unique=True),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),  # null while it goes, and where it died
    Column("config_digest", Text, nullable=False),
    Column("scope", Text, nullable=False),  # full or subset
    Column("versions", Text),  # JSON, as run.json has them
    Column("targets", Text),  # JSON: verdict → number of targets
    Column("coverage_percent", Integer),
    Column("coverage_percent_after_accepted", Integer),
    Column("exit_code", Integer),
    # How many findings the run told of, by status.
    Column("new", Integer, nullable=False),
    Column("recurring", Integer, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("not_seen", Integer, nullable=False),
    Column("resolved", Integer, nullable=False),
    Column(
        "evidence", Text
    ),  # SHA-256, in hex: what the next run's evidence names it by; null where it kept none
)

findings = Table(
    "findings",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("finding_id", Text, nullable=False, unique=True),
    Column("policy", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("resource_arn", Text, nullable=False),
    Column("of_record", Boolean, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("resolution", Text),
    Column("why", Text),
    Column("first_seen", Text, nullable=False),
    Column("first_run", _Id, nullable=False),
    Column("found_run", _Id, nullable=False),  # the last that found it
    Column("told_run", _Id, nullable=False),  # the last that told of it
    Column("found_with", Text, nullable=False),
    Column("looked_with", Text, nullable=False),
    Column("looked_run", _Id, nullable=False),  # the first that looked with these settings
    Column("last_event", _Id),  # the position of the last that tells that it was found
    Column("unsaid", Boolean, nullable=False),  # resolved outside of a run, and told by none yet
)
Index("findings_of_place", findings.c.account_id, findings.c.region)

documents = Table(
    "documents",
    metadata,
    Column("finding", _Id, ForeignKey("findings.id"), primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # JSON, as it was last found
)

transitions = Table(
    "transitions",
    metadata,
    # A row where the status is another than in the run before: 100,000 findings that stay cost nothing a night.
    Column("finding", _Id, ForeignKey("findings.id"), primary_key=True, autoincrement=False),
    Column("run", _Id, ForeignKey("runs.sequence"), primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("resolution", Text),
    Column("why", Text),
    sqlite_with_rowid=False,
)

verdicts = Table(
    "verdicts",
    metadata,
    # Of targets that were not complete; how many were stands with the run.
    Column("run", _Id, ForeignKey("runs.sequence"), primary_key=True, autoincrement=False),
    Column("account_id", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("accepted", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

retirements = Table(
    "retirements",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("account_id", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("findings", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("position", _Id, primary_key=True, autoincrement=False),
    # Not unique to the database: the index would cost a sixth of all that a finding costs here, and only one that may
    # stand there already is looked for.
    Column("event_id", Text, nullable=False),
    Column("finding_id", Text),
    Column("run_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary),  # JSON; null where the finding's document says the same
)

outbox = Table(
    "outbox",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("position", _Id, ForeignKey("events.position"), primary_key=True, autoincrement=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float),  # seconds since the epoch
    Column("last_error", Text),
    sqlite_with_rowid=False,
)
Index("outbox_of_event", outbox.c.position)
