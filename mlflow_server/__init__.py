"""How the MLflow tracking server and model registry start, from the same settings as everything else."""
