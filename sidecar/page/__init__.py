"""The status page: what the daemon knows, for people."""
