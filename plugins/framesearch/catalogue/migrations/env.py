"""Alembic's environment: on the connection, and in the transaction, that `framesearch.catalogue.upgrade` holds."""

from alembic import context

from framesearch.catalogue.upgrade import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
