"""What a run does, step by step: the use cases that the command line and the DAGs share."""
