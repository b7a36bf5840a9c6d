"""What a good answer over HTTP is, and what is wrong with one that is not."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from sidecar.checks._answers import Answer, JsonPath, NotJson, Unreadable, as_text, number, same, shown
from sidecar.checks._http import is_telling, quoted
from sidecar.checks._patterns import Pattern, compiled
from sidecar.checks._values import Bounds
from sidecar.model.durations import Duration, show
from sidecar.outbound import safe_url
from sidecar.secrets import MASK


class Complaint(NamedTuple):
    """One thing that is wrong; *of_body*: whether the body has to be seen to understand it."""

    text: str
    of_body: bool = False


def unreadable(what: str, exc: Unreadable) -> Complaint:
    """That *what* could not be read. A body that is no JSON is so for all who read it, and they say the same."""
    return Complaint(str(exc) if isinstance(exc, NotJson) else f"{what}: {exc}", of_body=True)


def sentence(complaints: list[Complaint], answer: Answer) -> str:
    """All *complaints* about *answer* in one line, each once."""
    said = "; ".join(dict.fromkeys(text for text, _ in complaints))
    return f"{said}; got: {answer.said}" if any(of_body for _, of_body in complaints) else said


def _several(value: Any) -> Any:
    """One status is a list of one, and a number is its text."""
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in several)


def _texts(value: Any) -> Any:
    """One text is a list of one; none is none."""
    return tuple(value) if isinstance(value, list | tuple) else (value,) if value != "" else ()


def _equals(value: Any) -> Any:
    """`Content-Type: text/plain` is `{equals: text/plain}`."""
    if isinstance(value, bool | dict | BaseModel):
        return value
    return {"equals": str(value) if isinstance(value, int | float) else value}


Status = Annotated[str, StringConstraints(pattern=r"^[1-5](xx|[0-9]{2})$")]
_Text = Annotated[str, StringConstraints(min_length=1)]
_Texts = Annotated[tuple[_Text, ...], BeforeValidator(_texts)]
_Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_texts)]


class HeaderExpectation(BaseModel):
    """What a header of a good answer is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    equals: str | None = Field(None, description="The header's whole value.", examples=["application/json"])
    matches: Pattern | None = Field(None, description="What its value matches somewhere, as RE2.", examples=["json"])
    exists: bool | None = Field(
        None, description="Whether there is such a header; it has to be, without this.", examples=[True]
    )
    absent: bool = Field(False, description="Whether there is no such header; the same as `exists: false`.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.absent and self.exists:
            raise ValueError("has both `absent` and `exists`; expected one of them")
        if self._is_absent and (self.equals is not None or self.matches is not None):
            raise ValueError("a header that is absent has no value; remove `equals` and `matches`, or `absent`")
        return self

    @property
    def _is_absent(self) -> bool:
        return self.absent or self.exists is False

    def complaint(self, name: str, values: list[str]) -> str:
        """What is wrong with a header's *values*, one for each time it was sent; or nothing."""
        found = f"the header {name} is {MASK if is_telling(name) else ', '.join(map(shown, values[:5]))}"
        if self._is_absent:
            return f"{found}, expected none" if values else ""
        expected = [] if self.equals is None else [shown(self.equals)]
        expected += [] if self.matches is None else [f"a match of {self.matches!r}"]
        if not values:
            return f"the header {name} is missing, expected {' and '.join(expected) or 'one'}"
        if any(self._is_good(value) for value in values):
            return ""
        return f"{found}, expected {' and '.join(expected)}"

    def _is_good(self, value: str) -> bool:
        if self.equals is not None and value.strip() != self.equals.strip():
            return False
        return self.matches is None or bool(compiled(self.matches).search(_bytes(value)))


class JsonExpectation(Bounds):
    """What a path into a good answer's JSON selects. All values that it selects have to be good, and there is one.

    For the bounds, the text of a number is one, and a boolean is 1 or 0.
    """

    path: JsonPath = Field(description="Where to look, as RFC 9535 has it.", examples=["$.status"])
    equals: JsonValue = Field(
        None, description="What the value is; a number is not its text, and 1 is not true.", examples=["ok"]
    )
    matches: Pattern | None = Field(
        None, description="What its text matches somewhere, as RE2.", examples=["^(ok|degraded)$"]
    )
    exists: bool = Field(True, description="Whether the path selects anything.")
    count: Bounds | None = Field(
        None, description="How many values the path selects: `{min: 1}`.", examples=[{"min": 1}]
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if not self.exists and (self.count is not None or list(self._conditions())):
            raise ValueError("what does not exist has no value; remove `exists: false`, or what it should be")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if "equals" not in self.model_fields_set:
            values.pop("equals", None)  # null would be a value to be equal to
        return values

    def judge(self, found: list[Any]) -> Complaint | None:
        """What is wrong with the values that were *found*, or nothing."""
        conditions = list(self._conditions())
        if not self.exists:
            return Complaint(f"{self.path} is {self._shown(found[0])}, expected none") if found else None
        if self.count and (said := self.count.complaint(f"the number of {self.path}", len(found))):
            return Complaint(said, of_body=True)
        if not found and (conditions or self.count is None):
            expected = " and ".join(words for words, _ in conditions) or "a value"
            return Complaint(f"{self.path} is missing, expected {expected}", of_body=True)
        for value in found:
            if wrong := [words for words, is_good in conditions if not is_good(value)]:
                return Complaint(f"{self.path} is {self._shown(value)}, expected {' and '.join(wrong)}")
        return None

    def _conditions(self) -> Iterator[tuple[str, Callable[[Any], bool]]]:
        """What a value has to be, in words, and whether it is."""
        if "equals" in self.model_fields_set:
            yield shown(self.equals), lambda value: same(value, self.equals)
        if self.matches is not None:
            expression = compiled(self.matches)
            yield f"a match of {self.matches!r}", lambda value: bool(expression.search(_bytes(as_text(value))))
        if (least := self.min) is not None:
            yield f"at least {least:.15g}", lambda value: (n := number(value)) is not None and n >= least
        if (most := self.max) is not None:
            yield f"at most {most:.15g}", lambda value: (n := number(value)) is not None and n <= most

    def _shown(self, value: Any) -> str:
        return MASK if is_telling(self.path) and isinstance(value, str) else shown(value)


class Expectations(BaseModel):
    """What a good answer is."""

    status: Annotated[tuple[Status, ...], BeforeValidator(_several)] = Field(
        ("2xx",), description="Statuses of a good answer: codes such as 204, or classes such as 2xx.", min_length=1
    )
    body_contains: _Texts = Field(
        (), description="A text that the body of a good answer holds, or several.", examples=["healthy"]
    )
    body_lacks: _Texts = Field(
        (), description="A text that the body of a good answer does not hold, or several.", examples=["Exception"]
    )
    body_matches: _Patterns = Field(
        (),
        description="What the body of a good answer matches somewhere, as RE2, or several.",
        examples=["version: [0-9.]+"],
    )
    expect_json: tuple[JsonExpectation, ...] = Field(
        (),
        description="What its JSON holds, by path (RFC 9535): `{path: $.status, equals: ok}`; also `matches`, `min`, "
        "`max`, `exists: false` and `count: {min: 1}`.",
        examples=[[{"path": "$.status", "equals": "ok"}]],
    )
    expect_headers: dict[str, Annotated[HeaderExpectation, BeforeValidator(_equals)]] = Field(
        default_factory=dict,
        description="Its headers: `Content-Type: application/json`, or `{matches: json}`, `{exists: true}`, "
        "`{absent: true}`.",
        examples=[{"Content-Type": "application/json"}],
    )
    final_url: Pattern | None = Field(
        None,
        description="What the URL that answered matches somewhere, as RE2; for redirects.",
        examples=["^https://login[.]example/"],
    )
    max_duration: Duration | None = Field(
        None, description="The longest that it takes, from the request to the last byte.", gt=0, examples=["2s"]
    )

    def is_good(self, status: int) -> bool:
        """Whether *status* is one of a good answer."""
        return str(status) in self.status or f"{status // 100}xx" in self.status

    def complaints(self, answer: Answer) -> Iterator[Complaint]:
        """Whatever is wrong with *answer*, apart from its status."""
        if self.max_duration is not None and answer.seconds > self.max_duration:
            yield Complaint(f"took {answer.seconds:.3g}s, expected at most {show(self.max_duration)}")
        if self.final_url is not None and not compiled(self.final_url).search(_bytes(answer.url)):
            yield Complaint(f"the answer came from {quoted(safe_url(answer.url))}, expected {self.final_url!r}")
        for name, expected in self.expect_headers.items():
            if said := expected.complaint(name, answer.headers.getall(name, [])):
                yield Complaint(said)
        yield from self._of_json(answer)
        yield from self._of_text(answer)

    def _of_json(self, answer: Answer) -> Iterator[Complaint]:
        for one in self.expect_json:
            try:
                complaint = one.judge(answer.select(one.path))
            except Unreadable as exc:
                complaint = unreadable(one.path, exc)
            if complaint:
                yield complaint

    def _of_text(self, answer: Answer) -> Iterator[Complaint]:
        for text in self.body_contains:
            if text not in answer.text:
                yield Complaint(f"the body lacks {_short(text)}", of_body=True)
        for text in self.body_lacks:
            if text in answer.text:
                yield Complaint(f"the body holds {_short(text)}", of_body=True)
        for pattern in self.body_matches:
            if not compiled(pattern).search(_bytes(answer.text)):
                yield Complaint(f"the body does not match {pattern!r}", of_body=True)


_SHORT: Final = 100


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHORT else f"{text[:_SHORT]}…")


def _bytes(text: str) -> bytes:
    """What RE2 searches: half of a surrogate pair, which JSON can write, is no text for it."""
    return text.encode("utf-8", "replace")
