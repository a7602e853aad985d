"""Strangers' picture files: what they are, and how each kind is decoded in little memory. Used by `images.query`.

A decoder is a function of a file's bytes and `limits.Limits`, and returns RGB uint8 (H, W, 3), upright and small. It
raises `faults.Refused` where a whole picture is not read; any other exception means that the file is damaged.
"""
