"""The embedded stack: Airflow, MLflow and the search page on one machine, in one folder (`make up`, `make down`)."""
