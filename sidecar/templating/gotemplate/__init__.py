"""The part of Go's `text/template` that rule files use: everything but `define`, `template`, `block` and methods.

    template = parse(text, functions=names, variables=("$value",))
    text = execute(template, dot, functions, {"$value": 1.5})

`parse` finds what cannot be read (TemplateError); `execute` raises TemplateError for what cannot be carried out.
"""

from sidecar.templating.gotemplate.execute import execute
from sidecar.templating.gotemplate.nodes import Template, TemplateError
from sidecar.templating.gotemplate.parser import parse

__all__ = ["Template", "TemplateError", "execute", "parse"]
