"""What speaks with the daemon. It knows nothing of images, and a host's pack carries a copy of its files."""
