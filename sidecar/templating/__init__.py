"""Texts made from alerts: annotations and message bodies."""
