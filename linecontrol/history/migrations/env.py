"""What alembic runs. The connection, inside a transaction, comes from ``linecontrol.history.migrate``."""

from __future__ import annotations

from alembic import context

from linecontrol.history.schema import VERSION_TABLE, metadata

connection = context.config.attributes.get("connection")
if connection is None:  # offline: print the SQL for a database administrator
    context.configure(
        dialect_name=context.config.get_main_option("dialect") or "sqlite",
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        output_buffer=context.config.output_buffer,
    )
else:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,
    )
with context.begin_transaction():
    context.run_migrations()
