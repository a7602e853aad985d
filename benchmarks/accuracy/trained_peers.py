"""Peers that framesearch itself can train or fetch: its other families of encoders, each alone, one vector a frame.

`convolutional` is the published system of our kind, a 64 x 64 autoencoder whose latent is compared; `vgg16` and
`resnet50` are ImageNet networks whose weights Keras fetches.
"""

import logging
from pathlib import Path

from benchmarks.accuracy.descriptors import EncoderFile
from framesearch.errors import FramesearchError
from framesearch.models import training_process
from framesearch.models.registry import Registry
from framesearch.settings import Settings

log = logging.getLogger(__name__)

CONVOLUTIONAL = "convolutional"
NAMES = {CONVOLUTIONAL: "64x64 autoencoder", "vgg16": "VGG16", "resnet50": "ResNet50"}


class CannotBeHad(Exception):
    """A peer that needs what is not here; the message says what."""


def trained_peer(settings: Settings, family: str, minutes: float) -> EncoderFile:
    """The newest version of a family in the home's registry; trained, never promoted, where there is none.

    Raises:
        CannotBeHad: it could not be trained; the message says why.
    """
    registry = Registry(settings)
    try:
        version = next((one.version for one in registry.versions() if one.family == family), None)
        if version is None:
            log.info("%s: training it, %.1f min at most", NAMES[family], minutes)
            version = training_process.train(settings, family=family, minutes=minutes, on_line=log.debug).model_version
        file: Path = registry.encoder_file(version)
    except FramesearchError as error:
        raise CannotBeHad(f"{NAMES[family]}: {str(error).splitlines()[0]}") from error
    return EncoderFile(NAMES[family], file, f"family {family}, model version {version}, flat search, cosine")
