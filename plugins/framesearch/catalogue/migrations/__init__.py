"""How the catalogue's schema came about: one Alembic revision a change, never edited once released."""
