"""From stored frames to a fitted, exported encoder."""
