"""The corpus that the video reader is held to, and its table in the documentation.

Run as a program, it writes the table into docs/video.md: `python tests/video_corpus.py`.
"""

from pathlib import Path

import video_corpus_codecs
import video_corpus_containers
import video_corpus_faults
import video_corpus_geometry
import video_corpus_refusals
import video_corpus_timing
import video_corpus_tracks
from video_corpus_entry import Entry
from video_corpus_not_yet import NOT_YET

DOCUMENT = Path(__file__).parent.parent / "docs" / "video.md"

CHAPTERS: dict[str, list[Entry]] = {
    "Containers": video_corpus_containers.ENTRIES,
    "Codecs": video_corpus_codecs.ENTRIES,
    "Time": video_corpus_timing.ENTRIES,
    "Geometry": video_corpus_geometry.ENTRIES,
    "Tracks": video_corpus_tracks.ENTRIES,
    "Faults": video_corpus_faults.ENTRIES,
    "Refusals": video_corpus_refusals.ENTRIES,
}
CORPUS = [entry for entries in CHAPTERS.values() for entry in entries]

_START, _END = "<!-- corpus: written by tests/video_corpus.py -->\n", "<!-- end of the corpus -->\n"


def table() -> str:
    """The corpus as Markdown."""
    lines: list[str] = []
    for chapter, entries in CHAPTERS.items():
        lines += [f"**{chapter}** ({len(entries)} files)", "", "| file | what it is | right |", "| --- | --- | --- |"]
        for entry in entries:
            note = f". Unlike ffmpeg: {entry.unlike_ffmpeg}" if entry.unlike_ffmpeg else ""
            if entry.name in NOT_YET:
                note += f". **Not yet:** {NOT_YET[entry.name][1]}"
            lines.append(f"| {entry.name} | {entry.what} | {entry.right}{note} |")
        lines.append("")
    return "\n".join(lines)


def document() -> str:
    """The document with the corpus's table as it should be."""
    text = DOCUMENT.read_text()
    before, rest = text.split(_START)
    return f"{before}{_START}\n{table()}\n{_END}{rest.split(_END)[1]}"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
