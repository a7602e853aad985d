from video_corpus_entry import Entry

ENTRIES: list[Entry] = []
