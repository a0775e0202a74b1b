"""What stays when a run is over: the best images so far, in files."""
