"""The search page: widgets and routes only; everything it knows comes from `framesearch.search.finder`."""
