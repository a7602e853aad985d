"""framesearch: which video is this picture from, and when?

The library: finds playlists' videos, keeps their frames, indexes them with the champion encoder and answers
pictures. No Airflow, TensorFlow or Streamlit in here; see docs/architecture.md for who may import whom.
"""
