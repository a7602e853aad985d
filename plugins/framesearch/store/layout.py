"""Where every object lies: the only module that computes a storage path.

Paths are relative to the root of a `storage.Storage` and use "/" on every system.
"""

FRAMES = "frames/"
FEATURES = "features/"
EMBEDDINGS = "embeddings/"
INDEX = "index/"

# The parts of an index bundle, below `bundle(index_id)`.
BUNDLE_FAISS = "index.faiss"
BUNDLE_FEATURES = "features.npy"
BUNDLE_ROWS = "rows.parquet"
BUNDLE_VIDEOS = "videos.parquet"
BUNDLE_ENCODER = "encoder.onnx"
BUNDLE_CARD = "card.json"  # written last: a bundle without its card is not a bundle

INDEX_POINTER = "index/current.json"

FIRST_CODEBOOK = "38960a228de4"
"""Features by it lie in `FEATURES` itself: there was no other codebook when they were stored."""


def frames(video_id: str) -> str:
    """The frames of a video: one immutable Parquet object."""
    return f"{FRAMES}{video_id}.parquet"


def features(video_id: str, codebook: str) -> str:
    """The local features of a video's frames by one codebook: one immutable Parquet object, whatever model is champion.

    Args:
        codebook: its digest.
    """
    folder = FEATURES if codebook == FIRST_CODEBOOK else f"{FEATURES}{codebook}/"
    return f"{folder}{video_id}.parquet"


def has_codebook(path: str, codebook: str) -> bool:
    """Whether the local features under this path are by this codebook."""
    return path == features(video_id_of(path), codebook)


def embeddings(model_version: str, video_id: str) -> str:
    """The embeddings of a video by one model version: one immutable Parquet object."""
    return f"{embeddings_of(model_version)}{video_id}.parquet"


def embeddings_of(model_version: str) -> str:
    """The folder of all embeddings by one model version."""
    return f"{EMBEDDINGS}v{model_version}/"


def bundle(index_id: str) -> str:
    """The folder of an index bundle."""
    return f"{INDEX}{index_id}/"


def video_id_of(path: str) -> str:
    """The video whose frames or embeddings lie under this path: `frames/a.parquet` is of `a`."""
    return path.rsplit("/", 1)[-1].removesuffix(".parquet")
