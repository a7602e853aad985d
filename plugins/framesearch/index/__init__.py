"""Index bundles: vectors, local features and what their rows mean, and which bundle is published."""
