"""All files of the corpus, and their table in the documentation."""

from pathlib import Path

from video_corpus import codecs, containers, faults, geometry, refusals, timing, tracks
from video_corpus.entry import Entry

DOCUMENT = Path(__file__).parents[3] / "docs" / "video.md"

CHAPTERS: dict[str, list[Entry]] = {
    "Containers": containers.ENTRIES,
    "Codecs": codecs.ENTRIES,
    "Time": timing.ENTRIES,
    "Geometry": geometry.ENTRIES,
    "Tracks": tracks.ENTRIES,
    "Faults": faults.ENTRIES,
    "Refusals": refusals.ENTRIES,
}
CORPUS = [entry for entries in CHAPTERS.values() for entry in entries]

_START, _END = "<!-- corpus: written by `make corpus` -->\n", "<!-- end of the corpus -->\n"


def table() -> str:
    """The corpus as Markdown."""
    lines: list[str] = []
    for chapter, entries in CHAPTERS.items():
        lines += [f"**{chapter}** ({len(entries)} files)", "", "| file | what it is | right |", "| --- | --- | --- |"]
        for entry in entries:
            note = f". Unlike ffmpeg: {entry.unlike_ffmpeg}" if entry.unlike_ffmpeg else ""
            lines.append(f"| {entry.name} | {entry.what} | {entry.right}{note} |")
        lines.append("")
    return "\n".join(lines)


def document() -> str:
    """The document with the corpus's table as it should be."""
    text = DOCUMENT.read_text()
    before, rest = text.split(_START)
    return f"{before}{_START}\n{table()}\n{_END}{rest.split(_END)[1]}"
