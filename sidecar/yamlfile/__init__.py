"""YAML with places: plain values, and the line at which each of them stands.

Read as YAML 1.2 reads it (`on`, `yes` and `0123` are text, `0x1F` and `0o17` are numbers), with `<<` merges. Keys are
always text. Files are bounded in size, depth and what their aliases expand to.
"""

from sidecar.yamlfile.document import Document, join
from sidecar.yamlfile.merging import merge
from sidecar.yamlfile.mistakes import mistakes_of
from sidecar.yamlfile.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, load

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "Document", "join", "load", "merge", "mistakes_of"]
