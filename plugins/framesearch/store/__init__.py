"""Where immutable objects lie: the storage contract, its implementations, paths and Parquet tables."""
