"""Runs, findings with their documents and transitions, verdicts, retirements, events and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _runs()
    _findings()
    _outbox()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("sequence", _ID, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.Text, nullable=False, unique=True),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.Column("config_digest", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("versions", sa.Text),
        sa.Column("targets", sa.Text),
        sa.Column("coverage_percent", sa.Integer),
        sa.Column("coverage_percent_after_accepted", sa.Integer),
        sa.Column("exit_code", sa.Integer),
        sa.Column("new", sa.Integer, nullable=False),
        sa.Column("recurring", sa.Integer, nullable=False),
        sa.Column("reopened", sa.Integer, nullable=False),
        sa.Column("not_seen", sa.Integer, nullable=False),
        sa.Column("resolved", sa.Integer, nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("run", _ID, sa.ForeignKey("runs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("region", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("accepted", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )


def _findings() -> None:
    op.create_table(
        "findings",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("finding_id", sa.Text, nullable=False, unique=True),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("resource_arn", sa.Text, nullable=False),
        sa.Column("of_record", sa.Boolean, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("resolution", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("first_seen", sa.Text, nullable=False),
        sa.Column("first_run", _ID, nullable=False),
        sa.Column("found_run", _ID, nullable=False),
        sa.Column("told_run", _ID, nullable=False),
        sa.Column("found_with", sa.Text, nullable=False),
        sa.Column("looked_with", sa.Text, nullable=False),
        sa.Column("looked_run", _ID, nullable=False),
        sa.Column("last_event", _ID),
        sa.Column("unsaid", sa.Boolean, nullable=False),
    )
    op.create_index("findings_of_place", "findings", ["account_id", "region"])
    op.create_table(
        "documents",
        sa.Column("finding", _ID, sa.ForeignKey("findings.id"), primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "transitions",
        sa.Column("finding", _ID, sa.ForeignKey("findings.id"), primary_key=True, autoincrement=False),
        sa.Column("run", _ID, sa.ForeignKey("runs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("resolution", sa.Text),
        sa.Column("why", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "retirements",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
    )


def _outbox() -> None:
    op.create_table(
        "events",
        sa.Column("position", _ID, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("finding_id", sa.Text),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_table(
        "outbox",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("position", _ID, sa.ForeignKey("events.position"), primary_key=True, autoincrement=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.Float),
        sa.Column("last_error", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_of_event", "outbox", ["position"])
