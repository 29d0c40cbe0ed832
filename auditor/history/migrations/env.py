"""What Alembic runs for each upgrade: the steps, on the connection that the history has opened."""

from alembic import context

from auditor.history.tables import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, version_table=VERSION_TABLE, transactional_ddl=True
)
context.run_migrations()
