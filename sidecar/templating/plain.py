"""A message as plain text."""

from collections.abc import Iterable, Iterator

from sidecar.templating.messages import Item, Message


def plain(message: Message) -> str:
    """*message* as lines of plain text; the headline is the first."""
    blocks = [message.headline]
    if message.lead:
        blocks.append(message.lead)
    blocks += ["\n".join(_item(item, message)) for item in message.items]
    if message.more:
        blocks.append(message.more)
    blocks.append(footer(message))
    return "\n\n".join(blocks) + "\n"


def footer(message: Message) -> str:
    """Which cluster speaks, and the message's name."""
    return " · ".join(filter(None, (label_text(message.labels), f"claude-sidecar, notification {message.id}")))


def label_text(labels: Iterable[tuple[str, str]]) -> str:
    """`check=claude, model=haiku`: readable, not meant to be parsed."""
    return ", ".join(f"{name}={value}" for name, value in labels)


def _item(item: Item, message: Message) -> Iterator[str]:
    if not message.alone:
        yield item.heading
    if item.summary not in message.headline:
        yield f"  {item.summary}"
    if item.description:
        yield f"  {item.description}"
    rows = [("What to do next", item.next_step)] if item.next_step else []
    rows += [(fact.name, fact.text) for fact in item.facts]
    if item.labels:
        rows.append(("Labels", label_text(item.labels)))
    rows += [(link.text, link.url) for link in item.links]
    rows += [(command.text, command.line) for command in item.commands]
    width = max((len(name) for name, _ in rows), default=0) + 1
    for name, value in rows:
        yield f"  {name + ':':<{width}} {value}"
