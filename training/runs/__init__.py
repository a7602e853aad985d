"""What becomes one MLflow run: a training, an import, a judgement."""
