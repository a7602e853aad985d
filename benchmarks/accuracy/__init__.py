"""How often framesearch and its peers find the frame: the same stored frames, the same queries, side by side.

`python -m benchmarks.accuracy FOLDER` runs it; docs/accuracy.md tells the protocol and how to read the tables.
"""
