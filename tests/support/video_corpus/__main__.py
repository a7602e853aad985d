"""`make corpus`: write the table of the corpus into docs/video.md."""

from video_corpus.table import DOCUMENT, document

DOCUMENT.write_text(document())
