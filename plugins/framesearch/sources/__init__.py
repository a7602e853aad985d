"""Playlists and their videos: folders on this machine, and anything yt-dlp lists. The only user of yt_dlp."""
