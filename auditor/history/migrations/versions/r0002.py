"""What each run's evidence is known by."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Add the column; of the runs so far it is not known."""
    op.add_column("runs", sa.Column("evidence", sa.Text))
