"""What `docs/generate.py` writes: each module a page of the reference, made from the code."""
