"""Whether a challenger finds frames better than the champion."""
