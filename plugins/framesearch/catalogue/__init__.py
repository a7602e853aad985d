"""The catalogue: what is known of playlists, videos and index builds.

`contract` says what a catalogue does. One implementation today, `sql`; every implementation passes the same suite
(tests/catalogue/test_catalogue_contract.py).
"""
