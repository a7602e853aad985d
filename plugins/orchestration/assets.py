"""The assets that join the DAGs: each says that something new lies in storage, never where or how it got there."""

from airflow.sdk import Asset

FRAMES = Asset("frames", uri="framesearch://frames", group="framesearch")
"""Frames of new videos are stored. Extra: videos, index_frames, probe_frames of this DAG run."""

BACKLOG = Asset("backlog", uri="framesearch://backlog", group="framesearch")
"""More videos are due than one DAG run takes. Extra: videos, how many."""

CHAMPION = Asset("champion", uri="framesearch://champion", group="framesearch")
"""The alias `champion` moved to another model version. Extra: model_version, reason."""

INDEX = Asset("index", uri="framesearch://index", group="framesearch")
"""An index bundle was published. Extra: index_id, model_version, rows, videos."""
