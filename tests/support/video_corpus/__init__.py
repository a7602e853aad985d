"""The files that the video reader is held to: drawn, muxed and damaged by these modules themselves."""
