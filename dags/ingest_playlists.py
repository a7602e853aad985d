"""### Ingest playlists

Lists every playlist, compares it with the catalogue, and stores the frames of each new video: one mapped task a
video, labelled by its title. Announces the asset `frames` when something new is there; `retrain_encoder` and
`rebuild_index` follow it.

**Owner:** framesearch. **When:** daily, and again at once while more than 500 videos are due.

**Triage**

- *A `list_playlist` is red*: its log names the playlist and what to do. Private, deleted and misspelt playlists fail
  at once, network trouble is retried first. The other playlists were ingested all the same.
- *An `extract_frames` is pink*: that video can't be had for good (private, deleted, too long, ...) or is still live;
  the reason stands in its label. Trigger with `force` to try it again all the same.
- *An `extract_frames` is red*: it failed this time (network, disk full, ...) and is tried again on later days, up to
  `FRAMESEARCH_MAX_ATTEMPTS` times. Clear the task to try it now: clearing any task here is safe.
- *`report_failures` is red* only to say that some other task is.
"""

from airflow.sdk import Param, dag

from framesearch.settings import settings
from orchestration.assets import BACKLOG, FRAMES
from orchestration.defaults import DAG_DEFAULTS, TAG
from orchestration.labels import MACROS, PLAYLIST, VIDEO
from orchestration.schedules import daily_or
from orchestration.tasks import task


@dag(
    schedule=daily_or(BACKLOG),
    description="Daily: list playlists, store the frames of their new videos.",
    tags=[TAG, "daily"],
    doc_md=__doc__,
    user_defined_macros=MACROS,
    params={
        "playlists": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Playlists",
            description="Addresses or folders, one a line; none: all followed ones. New ones are followed from now on.",
        ),
        "limit": Param(None, type=["null", "integer"], minimum=1, title="Limit", description="At most so many videos."),
        "force": Param(False, type="boolean", title="Force", description="Also videos given up as out of reach."),
    },
    **DAG_DEFAULTS,
)
def ingest_playlists():
    """List playlists, store the frames of their new videos."""

    @task
    def choose_playlists(params=None):
        from orchestration import ingesting

        return ingesting.playlists_to_list(params)

    @task(map_index_template=PLAYLIST)
    def list_playlist(url):
        from orchestration import ingesting

        return ingesting.list_playlist(url)

    @task(trigger_rule="all_done")
    def choose_videos(listings, params=None):
        from orchestration import ingesting

        return ingesting.videos_to_extract(params)

    @task(map_index_template=VIDEO, max_active_tis_per_dag=settings().parallel_videos, retries=1)
    def extract_frames(video_id):
        from orchestration import ingesting

        return ingesting.extract_frames(video_id)

    @task(trigger_rule="all_done", outlets=[FRAMES])
    def announce_frames(counts, **context):
        from orchestration import ingesting

        yield from ingesting.announce_frames(counts, context)

    @task(trigger_rule="all_done", outlets=[BACKLOG])
    def announce_backlog(video_ids, params=None, **context):
        from orchestration import ingesting

        yield from ingesting.announce_backlog(video_ids, params, context)

    @task(trigger_rule="all_done", retries=0)
    def report_failures(**context):
        from orchestration import failures

        return failures.report_failures(context)

    listings = list_playlist.expand(url=choose_playlists())
    videos = choose_videos(listings)
    frames = extract_frames.expand(video_id=videos)
    [listings, frames] >> report_failures()
    frames >> announce_backlog(videos)
    announce_frames(frames)


ingest_playlists()
