"""What is written can be done: every block of every page is what it says, every link leads somewhere."""

import re

import pytest

from tests.docs import judges
from tests.docs.blocks import PAGES, ROOT, Block, anchors, blocks, links, prose

BY_PAGE = {str(path.relative_to(ROOT)): path for path in PAGES}


def wrong(block: Block, folder) -> list[str]:
    judge = judges.JUDGES.get((block.language, block.kind))
    if judge is None:
        known = ", ".join(" ".join(filter(None, key)) for key in judges.JUDGES)
        return [f"{block}: got ```{block.language} {block.kind}, expected one of: {known}"]
    return [f"{block}: {mistake}" for mistake in judge(block, folder)]


@pytest.mark.parametrize("page", BY_PAGE)
def test_every_example_works(page, tmp_path):
    """Each block is marked as what it is, and is that."""
    found = [mistake for block in blocks(BY_PAGE[page]) for mistake in wrong(block, tmp_path)]

    assert found == []


@pytest.mark.parametrize("page", [*BY_PAGE, "README.md"])
def test_every_link_leads_somewhere(page):
    """A link within the repository names a file that is there, and a heading in it."""
    path = ROOT / page
    lost = []
    for link in links(path):
        target, _, heading = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (heading and heading not in anchors(file)):
            lost.append(link)

    assert lost == []


@pytest.mark.parametrize("page", BY_PAGE)
def test_every_row_has_its_cells(page):
    """A bar within a cell would begin another one, which GitHub then leaves out."""
    wrong, columns = [], 0
    for line in prose(BY_PAGE[page]).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        wrong += [line] if columns and cells and cells != columns else []
        columns = cells

    assert wrong == []


@pytest.mark.parametrize(
    ("language", "kind", "text", "said"),
    [
        pytest.param("yaml", "", "checks: []\n", "expected one of: yaml configuration", id="unmarked"),
        pytest.param("yaml", "configuration", "cheks: []\n", "did you mean 'checks'", id="a misspelt key"),
        pytest.param("yaml", "rules", "groups: [{name: a, rules: [{alert: A, expr: up ==}]}]\n", "expr", id="PromQL"),
        pytest.param("sh", "", "sidecar check --no-such a.yml\n", "No such option", id="an option"),
        pytest.param("sh", "", "sidecar chekc\n", "no command 'chekc'", id="a command"),
        pytest.param("sh", "", "curl http://127.0.0.1:9797/api/v1/nothing\n", "answers no GET", id="a route"),
        pytest.param("sh", "", "curl -X DELETE http://127.0.0.1:9797/metrics\n", "answers no DELETE", id="a method"),
        pytest.param("sh", "", "wget http://127.0.0.1:9797/metrics\n", "no program", id="a program"),
        pytest.param("json", "events", '{"type": "request"}\n', "model", id="an event"),
        pytest.param("promql", "", "sum(\n", "", id="an expression"),
    ],
)
def test_what_is_wrong_is_found(language, kind, text, said, tmp_path):
    """The judges are no rubber stamps."""
    found = wrong(Block("page.md", 1, language, kind, text), tmp_path)

    assert found
    assert said in found[0]
