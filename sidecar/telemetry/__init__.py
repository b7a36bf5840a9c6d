"""Logs of the daemon itself."""
