"""A Claude API that misbehaves on request."""
