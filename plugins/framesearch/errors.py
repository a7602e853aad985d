"""What can go wrong, as facts.

Each message names the thing it is about and the next step. The library raises these; `orchestration` turns them
into skip, fail or retry for Airflow, the page and the command line into a sentence for a person.
"""

from datetime import datetime


class FramesearchError(Exception):
    """Base of every error that framesearch raises on purpose."""


# ---- playlists and videos


class PlaylistUnavailable(FramesearchError):
    """The playlist can't be listed (does not exist, is private, is empty) and asking again will not help."""


class PlaylistUnreachable(FramesearchError):
    """The playlist could not be listed this time (network, rate limit): a later attempt may succeed."""


class VideoUnavailable(FramesearchError):
    """This video can't be had, for good: private, deleted, members-only, blocked, too long, no picture, corrupt.

    Attributes:
        reason: one of `records.Reason`, why.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class VideoNotYet(FramesearchError):
    """This video can't be had now, but may be later: live, upcoming, network trouble, rate limit.

    Attributes:
        reason: one of `records.Reason`, why.
        retry_at: not before this time (aware UTC) where the site says when, else None.
    """

    def __init__(self, message: str, reason: str, retry_at: datetime | None = None) -> None:
        super().__init__(message, reason, retry_at)
        self.reason = reason
        self.retry_at = retry_at

    def __str__(self) -> str:
        return str(self.args[0])


class NoVideo(FramesearchError):
    """The catalogue holds no video of this id."""


# ---- storage


class NotStored(FramesearchError):
    """Storage holds no object under this path."""


class ObjectDamaged(FramesearchError):
    """A stored object can't be read; the message names its file. Delete it and run its step again."""


class StorageFull(FramesearchError):
    """The storage or scratch folder has no space left; nothing half-written was kept."""


class PointerMoved(FramesearchError):
    """Someone else moved the pointer since it was read: read it again before moving it."""


class CatalogueIncompatible(FramesearchError):
    """The catalogue's database was made by a newer version of framesearch."""


class InvalidSetting(FramesearchError):
    """A setting has a value that can't be used; the message names the setting."""


# ---- models and index


class NoChampion(FramesearchError):
    """No version of the registered model carries the alias `champion` yet."""


class NoModelVersion(FramesearchError):
    """The registry holds no such version of the model."""


class ChallengerNotBetter(FramesearchError):
    """A model version was judged not better than the champion, and stays a challenger."""


class ChampionMoved(FramesearchError):
    """A model version was judged against a champion that is champion no more: judge it again."""


class RegistryUnreachable(FramesearchError):
    """The MLflow server or its database did not answer: a later attempt may succeed."""


class TrainingFailed(FramesearchError):
    """The training process ended without a model."""


class WeightsUnavailable(FramesearchError):
    """The weights that an encoder family starts from can't be fetched; the message says how else to get them."""


class NotEnoughFrames(FramesearchError):
    """There are too few frames to train or judge a model on."""


class EncoderInvalid(FramesearchError):
    """An ONNX file does not keep the encoder contract: uint8 (N, H, W, 3) in, unit-norm float32 (N, D) out."""


class NoIndex(FramesearchError):
    """No index bundle has been published yet."""


class IndexIncompatible(FramesearchError):
    """An index bundle is damaged, or its parts do not belong together."""


class NothingToIndex(FramesearchError):
    """There are no embeddings of this model version to build an index from."""


# ---- queries


class ImageUnreadable(FramesearchError):
    """A query is not a picture, or not one that can be read safely."""
