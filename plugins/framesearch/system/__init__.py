"""This machine: disk, locks, memory, who may read what."""
