"""Programs that fit the constants of the search itself."""
