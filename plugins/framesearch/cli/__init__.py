"""The command line `framesearch`, for people and for scripts."""
