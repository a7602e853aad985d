"""### Rebuild the index

Embeds with the champion what it has not embedded yet (one mapped task a video, labelled by its title), builds a
self-contained bundle of all embeddings, checks it, and moves the pointer `index/current.json` to it. The search page
picks it up by itself. Announces the asset `index`.

**Owner:** framesearch. **When:** new frames are stored, or there is a new champion.

**Triage**

- *`find_champion` is pink*: no model was promoted yet; `retrain_encoder` makes the first one. *Red*: MLflow did not
  answer.
- *An `embed_videos` is red*: its log names the video. The index is built without it; clear the task and the tasks
  after it to bring it in, or wait for the next DAG run.
- *`build_index` is red*: the bundle did not find its own frames, or belongs to another encoder; nothing was published,
  the page keeps answering from the last bundle. `framesearch index` lists bundles and moves back to an older one.
- *`publish_index` is pink*: the published bundle already holds everything.
- *`report_failures` is red* only to say that some other task is.
"""

from airflow.sdk import dag

from framesearch.settings import settings
from orchestration.assets import CHAMPION, FRAMES, INDEX
from orchestration.defaults import DAG_DEFAULTS, TAG
from orchestration.labels import MACROS, VIDEOS
from orchestration.tasks import mlflow_task, task


@dag(
    schedule=(FRAMES | CHAMPION),
    description="After new frames or a new champion: embed what is new, build, check and publish a bundle.",
    tags=[TAG],
    doc_md=__doc__,
    user_defined_macros=MACROS,
    **DAG_DEFAULTS,
)
def rebuild_index():
    """Embed what is new, build, check and publish a bundle."""

    @mlflow_task
    def find_champion():
        from orchestration import rebuilding

        return rebuilding.find_champion()

    @task
    def choose_videos(champion):
        from orchestration import rebuilding

        return rebuilding.videos_to_embed(champion)

    @task(map_index_template=VIDEOS, max_active_tis_per_dag=settings().parallel_videos)
    def embed_videos(video_ids, champion):
        from orchestration import rebuilding

        return rebuilding.embed_videos(video_ids, champion)

    # Also without the videos that could not be embedded, and where nothing was left to embed.
    @task(trigger_rule="all_done")
    def build_index(champion, **context):
        from orchestration import rebuilding

        return rebuilding.build_index(champion, context)

    @task(outlets=[INDEX])
    def publish_index(built, **context):
        from orchestration import rebuilding

        yield from rebuilding.publish_index(built, context)

    @task
    def clean_storage():
        from orchestration import rebuilding

        return rebuilding.clean_storage()

    @task(trigger_rule="all_done", retries=0)
    def report_failures(**context):
        from orchestration import failures

        return failures.report_failures(context)

    champion = find_champion()
    embedded = embed_videos.partial(champion=champion).expand(video_ids=choose_videos(champion))
    embedded >> report_failures()
    embedded >> (built := build_index(champion))
    publish_index(built) >> clean_storage()


rebuild_index()
