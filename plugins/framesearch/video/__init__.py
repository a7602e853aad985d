"""Video files, frame by frame, each with the time at which players show it. The only user of PyAV (FFmpeg).

`reader` is the way in. It reads a file's packets (`containers`) of the track that is the film (`tracks`), puts them on
one rising time line (`clock`), decodes what is needed (`decoding`, with `h264` and `av1`), hands out frames whose
pictures are made upright and square on demand (`frames`, `geometry`), and says what was missing (`damage`).
"""

from framesearch.video.decoding import DECODER_THREADS
from framesearch.video.frames import LUMA, DecodedFrame
from framesearch.video.reader import VideoFile

__all__ = ["DECODER_THREADS", "LUMA", "DecodedFrame", "VideoFile"]
