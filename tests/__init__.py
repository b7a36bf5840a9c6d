"""Tests of the daemon, laid out as the package is."""
