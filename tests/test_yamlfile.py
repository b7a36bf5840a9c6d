"""YAML with places, and what a model says about it."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sidecar.model.durations import Duration
from sidecar.model.errors import ConfigError
from sidecar.yamlfile import MAX_BYTES, MAX_DEPTH, Document, load, mistakes_of


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, "a.yml")
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("yes", "yes", id="yes is a word"),
        pytest.param("off", "off", id="off is a word"),
        pytest.param("true", True, id="true is true"),
        pytest.param("False", False, id="False is false"),
        pytest.param("~", None, id="a tilde is nothing"),
        pytest.param("", None, id="an absent value is nothing"),
        pytest.param("12", 12, id="a number"),
        pytest.param("-0", 0, id="minus zero is a whole number"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0o17", 15, id="octal with an o"),
        pytest.param("0755", "0755", id="a leading zero leaves it text"),
        pytest.param("1_000", "1_000", id="no underscores in numbers"),
        pytest.param("12:30:45", "12:30:45", id="no numbers to the base of sixty"),
        pytest.param("2026-01-01", "2026-01-01", id="no dates"),
        pytest.param("1.5", 1.5, id="a decimal"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param(".inf", float("inf"), id="infinity"),
        pytest.param("-.Inf", float("-inf"), id="minus infinity"),
        pytest.param("'12'", "12", id="quotes make text"),
        pytest.param("!!str 12", "12", id="a tag makes text"),
        pytest.param("!!float 12", 12.0, id="a tag makes a decimal"),
        pytest.param("9" * 60, 1e60, id="an absurd number is a float"),
        pytest.param("=", "=", id="an equals sign"),
        pytest.param("<<", "<<", id="two smaller signs as a value"),
    ],
)
def test_scalars_are_read_as_yaml_1_2(written, value):
    """A plain scalar means what the core schema of YAML 1.2 says."""
    found = load(f"a: {written}\n", "a.yml").value["a"]

    assert (type(found), found) == (type(value), value)


def test_every_value_has_its_line():
    """A dotted path leads to the line of its value; what is not there has the line of what is around it."""
    document = load("checks:\n  - name: a\n  - name: b\n    every: 5s\nlog: {level: info}\n", "a.yml")

    assert document.line("checks[1].every") == 4
    assert document.line("log.level") == 5
    assert document.line("checks[1].timeout.deeper[3]") == 3
    assert document.line("nothing.like.it") == 1


def test_keys_are_text():
    """A key is what is written, whatever it would be as a value."""
    assert load("200: a\ntrue: b\non: c\n", "a.yml").value == {"200": "a", "true": "b", "on": "c"}


def test_the_text_of_a_number_is_kept():
    """What is no text is also known as it was written, so that a label `1.10` does not become 1.1."""
    document = load("labels: {version: 1.10, on: yes}\n", "a.yml")

    assert document.text("labels.version") == "1.10"
    assert document.text("labels.on") is None


def test_anchors_and_merges_are_followed():
    """An alias is what its anchor was; `<<` fills in what the mapping does not say itself."""
    document = load(
        "base: &b {every: 5s, retries: 1}\nother: &o {every: 9s, extra: x}\none:\n  <<: [*b, *o]\n  retries: 2\n"
        "two: *b\n",
        "a.yml",
    )

    assert document.value["one"] == {"every": "5s", "retries": 2, "extra": "x"}
    assert document.value["two"] == {"every": "5s", "retries": 1}
    assert document.line("one.every") == 1


def test_an_empty_file_is_nothing():
    """A file without a document has the value None."""
    assert load("# only words\n", "a.yml").value is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n",
            [
                "a.yml:5: b.c: is given twice, at line 3 and at line 5",
                "a.yml:6: a: is given twice, at line 1 and at line 6",
            ],
            id="every key that is given twice",
        ),
        pytest.param(
            "a: [1\nb: 2\n", ["a.yml:2: is not YAML: did not find expected ',' or ']'"], id="a bracket left open"
        ),
        pytest.param(
            "a: b: c\n",
            ["a.yml:1: is not YAML: mapping values are not allowed in this context; expected one `key: value` a line"],
            id="two colons",
        ),
        pytest.param(
            "a: 1\nb\n  - c: 1\n",
            ["a.yml:3: is not YAML: could not find expected ':'; is it missing at line 2?"],
            id="no colon",
        ),
        pytest.param("a: 1\n---\nb: 2\n", ["a.yml:2: a second document begins here"], id="two documents"),
        pytest.param("a: *b\n", ["a.yml:1: a: *b names nothing that is complete above"], id="an alias to nowhere"),
        pytest.param(
            "a: &a [*a]\n", ["a.yml:1: a[0]: *a names nothing that is complete above"], id="an alias to itself"
        ),
        pytest.param(
            "a: !!binary abcd\n", ["a.yml:1: a: got the tag !!binary"], id="a tag that is not a plain value's"
        ),
        pytest.param(
            "a: !!python/object:os.system x\n", ["a.yml:1: a: got the tag !!python/object:os.system"], id="code"
        ),
        pytest.param("a: !!int x\n", ["a.yml:1: a: got 'x' for the tag !!int"], id="a tag that does not fit"),
        pytest.param("? [a]\n: b\n", ["a.yml:1: got a list or a mapping as a key"], id="a key that is a list"),
        pytest.param("a: {<<: 3}\n", ["a.yml:1: a: got `<<` with something else"], id="a merge of a number"),
        pytest.param("a: 1\nb: \0\n", ["a.yml:2: got the control character '\\x00'"], id="a NUL"),
        pytest.param(b"a: 1\nb: \xff\n", ["a.yml:2: byte 0xff is not UTF-8"], id="bytes that are not UTF-8"),
        pytest.param("a: \ud800\n", ["a.yml:1: got the control character '\\ud800'"], id="half a character"),
        pytest.param("[" * 2000, [f"is nested deeper than {MAX_DEPTH} levels"], id="endless nesting"),
        pytest.param("a: " + "x" * MAX_BYTES, ["a.yml: has 1,048,579 bytes"], id="an endless file"),
        pytest.param(
            "a:\n\t- a\n",
            ["a.yml:2: is not YAML: found a tab, expected spaces: YAML is not indented with tabs"],
            id="a tab",
        ),
        pytest.param(
            "@a\n", ["a.yml:1: is not YAML: found character that cannot start any token"], id="a reserved mark"
        ),
    ],
)
def test_mistakes_name_their_place(text, expected):
    """A file that cannot be used says at which line and why, for every mistake that can be found."""
    found = problems(text)

    assert len(found) == len(expected)
    for got, part in zip(found, expected, strict=True):
        assert part in got


def test_a_billion_laughs_are_cut_short():
    """Aliases of aliases may not grow a small file into a huge one."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join(f'*a{i - 1}' for _ in range(10))}]" for i in range(1, 12)]

    assert "expands to more than 100,000 values" in problems("\n".join(lines))[0]


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="[]{}:-&*!<>| \n\"'#?,ab1%@`")))
def test_any_text_is_a_document_or_a_config_error(text):
    """Whatever the bytes, reading them ends in a document or in mistakes, never in another exception."""
    try:
        document = load(text, "a.yml")
    except ConfigError:
        return

    assert document.lines[""] >= 1


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z]+$")
    every: Duration = Field(15.0, ge=0.1)
    level: Literal["info", "warning"] = "info"
    critical: bool = False
    retries: int = Field(1, ge=1)
    api_key: str = ""
    for_: Duration = Field(0.0, alias="for")
    labels: dict[str, str] = Field(default_factory=dict)
    to: tuple[Annotated[str, Field(pattern="^[a-z]+$")], ...] = Field(("a",), min_length=1)

    @field_validator("api_key")
    @classmethod
    def short(cls, value: str) -> str:
        if len(value) > 8:
            raise ValueError(f"{value!r} is too long, expected 8 characters")
        return value


class Whole(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: list[Part] = Field(default_factory=list)
    best: Part | None = None


def judge(text: str, model: type[BaseModel] | None = Whole) -> list[str]:
    document = load(text, "a.yml")
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(document.value)
    return [str(mistake) for mistake in mistakes_of(caught.value, document, model=model)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("evry: 5s", "parts[0].evry: unknown key; did you mean 'every'? known: name, every,", id="a slip"),
        pytest.param("zzz: 5s", "parts[0].zzz: unknown key; known: name, every, level,", id="nothing like it"),
        pytest.param("every: 5", "parts[0].every: got 5, expected a duration with its unit", id="a bare number"),
        pytest.param("every: soon", "parts[0].every: got 'soon', expected a duration such as", id="no duration"),
        pytest.param("every: 1ms", "parts[0].every: got 1ms, expected at least 100ms", id="too small"),
        pytest.param("level: inof", "got 'inof', expected 'info' or 'warning'; did you mean 'info'?", id="an enum"),
        pytest.param("critical: maybe", "parts[0].critical: got 'maybe', expected true or false", id="a boolean"),
        pytest.param("retries: x", "parts[0].retries: got 'x', expected a whole number", id="a number"),
        pytest.param("retries: 0", "parts[0].retries: got 0, expected at least 1", id="too few"),
        pytest.param("retries: []", "parts[0].retries: got a list, expected a whole number", id="a list"),
        pytest.param("for: -1s", "parts[0].for: got '-1s', expected a duration such as", id="an alias"),
        pytest.param("labels: {a: 1}", "parts[0].labels.a: got 1, expected text", id="inside a mapping"),
        pytest.param("to: []", "parts[0].to: got 0 entries, expected at least 1", id="an empty list"),
        pytest.param("to: [A]", "parts[0].to[0]: got 'A', expected text that matches", id="a list of wrong entries"),
        pytest.param("labels: x", "parts[0].labels: got a text, expected a mapping", id="no mapping"),
        pytest.param(f"level: {'x' * 200}", "got '" + "x" * 57 + "…', expected", id="an endless value is shortened"),
    ],
)
def test_a_models_errors_become_mistakes(line, message):
    """What pydantic found is said with line, key, what was found and what was expected."""
    found = judge(f"parts:\n  - name: a\n    {line}\n")

    assert len(found) == 1
    assert found[0].startswith("a.yml:3: ")
    assert message in found[0]


def test_secrets_are_not_shown():
    """The value of a field whose name looks like a secret's is in no message, not even in its validator's words."""
    found = judge("best:\n  name: a\n  api_key: sk-hunter2-hunter2\n")

    assert found == ["a.yml:3: best.api_key: got ***: *** is too long, expected 8 characters"]


def test_a_missing_key_has_the_line_of_its_parent():
    """What is missing is told where it belongs."""
    assert judge("best: {}\nparts:\n  - every: 5s\n") == [
        "a.yml:3: parts[0].name: is missing",
        "a.yml:1: best.name: is missing",
    ]


def test_without_the_model_an_unknown_key_is_still_told():
    """A caller who does not say what was validated gets the place without the suggestion."""
    assert judge("prts: []\n", model=None) == ["a.yml:1: prts: unknown key"]


def test_a_prefix_places_a_part_of_the_document():
    """A model that was given one item of a list finds its lines below that item."""
    document: Document = load("parts:\n  - name: a\n  - name: B\n", "a.yml")
    value: Any = document.value["parts"][1]
    with pytest.raises(ValidationError) as caught:
        Part.model_validate(value)

    assert [str(m) for m in mistakes_of(caught.value, document, prefix="parts[1]")] == [
        "a.yml:3: parts[1].name: got 'B', expected text that matches ^[a-z]+$"
    ]
