"""Checks of the Claude API, direct or through a gateway."""
