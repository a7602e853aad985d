"""What the DAGs share, and the only shared code that knows Airflow: between `dags` and the library `framesearch`.

`assets`, `schedules`, `defaults`, `tasks`, `labels`, `links` and `approval` are imported when DAG files are parsed, so
they stay light.
`ingesting`, `retraining` and `rebuilding` hold what the tasks do and are imported inside task bodies only.
"""
