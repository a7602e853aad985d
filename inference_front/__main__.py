"""Start the search page: `python -m inference_front`."""

import logging

from framesearch.settings import settings
from inference_front.server import app, options

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
app.run(config=options(settings()))
