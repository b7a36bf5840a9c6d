"""Which pod speaks and which pod pays for probes; each module of this package is a way to agree on it."""
