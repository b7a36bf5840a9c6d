"""Annotations say what Prometheus would make them say."""
# ruff: noqa: E501 -- a table of texts is read one case a line

import subprocess

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.templating.annotations import Facts, expand, parse
from sidecar.templating.gotemplate import TemplateError
from sidecar.templating.gotemplate.parser import MAX_LENGTH
from tests.programs import program

LABELS = {"instance": "gw-1:9090", "job": "gateway", "code": "529", "path": "/v1/<a> b"}
EXTERNAL = {"cluster": "eu"}

CASES = [
    # text, value, what Prometheus shows
    ("plain words, {} and } too", 1.0, "plain words, {} and } too"),
    ("{{ $value }}", 1.5, "1.5"),
    ("{{ $value }}", 100000.0, "100000"),
    ("{{ $value }}", 1000000.0, "1e+06"),
    ("{{ $value }}", 123456789.0, "1.23456789e+08"),
    ("{{ $value }}", 0.0001, "0.0001"),
    ("{{ $value }}", 0.00001, "1e-05"),
    ("{{ $value }}", float("inf"), "+Inf"),
    ("{{ .Value }} {{.Labels.job}}", 0.1, "0.1 gateway"),
    ("{{ $labels.instance }} of {{ $labels.job }}", 1.0, "gw-1:9090 of gateway"),
    ("{{ $labels.missing }}|", 1.0, "|"),
    ("{{ $labels }}", 1.0, "map[__name__:x code:529 instance:gw-1:9090 job:gateway path:/v1/<a> b]"),
    ("{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", 1.0, "eu eu"),
    ('{{ printf "%.2f s" $value }}', 1.005, "1.00 s"),
    ('{{ $value | printf "%.1f%%" }}', 12.34, "12.3%"),
    ('{{ printf "%d" $value }}', 3.0, "%!d(float64=3)"),
    ('{{ printf "%s and %q" $labels.job $labels.code }}', 1.0, 'gateway and "529"'),
    ('{{ printf "%5s|%-5s|%05d|%x|%T" "a" "b" 42 255 $value }}', 1.0, "    a|b    |00042|ff|float64"),
    ('{{ printf "%d %d" 1 }}', 1.0, "1 %!d(MISSING)"),
    ('{{ printf "%d" 1 2 }}', 1.0, "1%!(EXTRA int=2)"),
    ('{{ printf "%v %t %8.3f|% d|%+d" true false $value 5 5 }}', 2.5, "true false    2.500| 5|+5"),
    ('{{ printf "%6.2f|%-8.1e|%G" $value $value $value }}', 1e-7, "  0.00|1.0e-07 |1E-07"),
    ("{{ $value | humanize }}", 1234567.0, "1.235M"),
    ("{{ $value | humanize }}", 0.00234, "2.34m"),
    ("{{ $value | humanize }}", 999.99, "1000"),
    ("{{ $value | humanize }}", 0.0, "0"),
    ("{{ $value | humanize }}", -1500.0, "-1.5k"),
    ("{{ humanize $value }}", float("inf"), "+Inf"),
    ("{{ $value | humanize1024 }}", 1048576.0, "1Mi"),
    ("{{ $value | humanize1024 }}", 1023.0, "1023"),
    ("{{ $value | humanize1024 }}", 0.5, "0.5"),
    ("{{ $value | humanizeDuration }}", 3661.5, "1h 1m 1s"),
    ("{{ $value | humanizeDuration }}", 90061.0, "1d 1h 1m 1s"),
    ("{{ $value | humanizeDuration }}", 59.4999, "59.5s"),
    ("{{ $value | humanizeDuration }}", 61.9, "1m 1s"),
    ("{{ $value | humanizeDuration }}", 0.0123, "12.3ms"),
    ("{{ $value | humanizeDuration }}", -75.0, "-1m 15s"),
    ("{{ $value | humanizeDuration }}", 0.0, "0s"),
    ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
    ("{{ $value | humanizePercentage }}", 1.0, "100%"),
    ("{{ $value | humanizeTimestamp }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
    ("{{ $value | humanizeTimestamp }}", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
    ('{{ "12.5" | humanize }}', 1.0, "12.5"),
    ('{{ $labels.job | toUpper }} {{ toLower "ABC" }}', 1.0, "GATEWAY abc"),
    ("{{ title $labels.job }}", 1.0, "Gateway"),
    ('{{ title "two words-three" }}', 1.0, "Two Words-Three"),
    ('{{ if match "gate.*" $labels.job }}yes{{ else }}no{{ end }}', 1.0, "yes"),
    ('{{ if match "^way" $labels.job }}yes{{ else }}no{{ end }}', 1.0, "no"),
    ('{{ reReplaceAll "(.*):(\\\\d+)" "$2 on $1" $labels.instance }}', 1.0, "9090 on gw-1"),
    ('{{ reReplaceAll "(?P<h>[^:]+):.*" "${h}!" $labels.instance }}', 1.0, "gw-1!"),
    ('{{ $labels.instance | reReplaceAll ":.*" "" }}', 1.0, "gw-1"),
    ('{{ $labels.instance | stripPort }} {{ stripPort "[::1]:80" }} {{ stripPort "plain" }}', 1.0, "gw-1 ::1 plain"),
    ('{{ stripDomain "a.b.c:80" }} {{ stripDomain "10.0.0.1:80" }}', 1.0, "a:80 10.0.0.1:80"),
    ('{{ if eq $labels.code "529" }}overloaded{{ end }}', 1.0, "overloaded"),
    ('{{ if eq $labels.code "1" "2" "529" }}one of{{ end }}', 1.0, "one of"),
    ('{{ if ne $labels.code "529" }}x{{ else if eq $labels.job "gateway" }}y{{ else }}z{{ end }}', 1.0, "y"),
    ("{{ if gt $value 2.0 }}high{{ else }}low{{ end }}", 2.5, "high"),
    ("{{ if and (ge $value 1.0) (lt $value 2.0) }}between{{ end }}", 1.5, "between"),
    ("{{ if or false $labels.missing $labels.job }}some{{ end }}", 1.5, "some"),
    ('{{ or $labels.missing "fallback" }} {{ not true }}', 1.5, "fallback false"),
    ("{{ with $labels.job }}<{{ . }}>{{ end }}{{ with $labels.missing }}no{{ else }}none{{ end }}", 1.0, "<gateway>none"),
    ("{{ range $k, $v := $externalLabels }}{{ $k }}={{ $v }};{{ end }}", 1.0, "cluster=eu;"),
    ("{{ range $labels }}{{ . }},{{ end }}", 1.0, "x,529,gw-1:9090,gateway,/v1/<a> b,"),
    ("{{ range $labels }}{{ break }}{{ end }}{{ range $i, $l := $labels }}{{ continue }}{{ end }}ok", 1.0, "ok"),
    ('{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ $x := "c" }}{{ end }}{{ $x }}', 1.0, "b"),
    ("{{ $v := $value }}{{ $v | humanize }}{{ $v }}", 2000.0, "2k2000"),
    ("a  {{- $value -}}  b", 1.0, "a1b"),
    ("a {{/* a comment */}} b {{- /* trimmed */ -}} c", 1.0, "a  bc"),
    ("{{ `raw \\n` }} {{ \"tab\\t\\u00e9\\x41\" }} {{ 'a' }} {{ 0x10 }} {{ 1.50 }} {{ -3 }}", 1.0, "raw \\n tab\téA 97 16 1.5 -3"),
    ('{{ index $labels "job" }} {{ len $labels.job }}', 1.0, "gateway 7"),
    ('{{ print 1 2 "a" "b" 3 4.5 }}|{{ println "x" 1 }}', 1.0, "1 2ab3 4.5|x 1\n"),
    ("{{ urlquery $labels.path }} {{ html $labels.path }}", 1.0, "%2Fv1%2F%3Ca%3E+b /v1/&lt;a&gt; b"),
    ('{{ graphLink "up == 0" }} {{ tableLink "up" }}', 1.0, "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"),
    ('{{ (query "up{instance=\'a\'}" | first).Labels.job }} {{ query "up > 0" | first | value }}', 1.0, "gateway 1"),
    ('{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value }} {{ end }}', 1.0, "a=1 b=0 "),
    ('{{ range query "up" | sortByLabel "instance" }}{{ . | label "instance" }}{{ end }}', 1.0, "ab"),
    ('{{ with query "up{instance=\'b\'}" }}{{ . | first | value | printf "%.1f" }}{{ end }}', 1.0, "0.0"),
    ('{{ $labels.job | printf "%s-%s" ($labels.code | toUpper) }}', 1.0, "529-gateway"),
    ("{{ true }}{{ false }}{{ $value }}", 1.0, "truefalse1"),
]  # fmt: skip


def results(expression: str):
    up = [({"__name__": "up", "instance": "a", "job": "gateway"}, 1.0), ({"__name__": "up", "instance": "b"}, 0.0)]
    return {"up": up[::-1], "up{instance='b'}": up[1:]}.get(expression, up[:1])


def shown(text: str, value: float = 1.0) -> str:
    labels = {"__name__": "x", **LABELS}
    return expand(parse(text), Facts(labels, value, EXTERNAL, "http://sidecar:9797/x", results))


@pytest.mark.parametrize(("text", "value", "expected"), [pytest.param(*case, id=case[0][:60]) for case in CASES])
def test_texts_are_those_of_prometheus(text, value, expected):
    """A template shows what Prometheus shows."""
    assert shown(text, value) == expected


def test_promtool_agrees(tmp_path):
    """The real promtool expects, for each text of the table, exactly what the table says."""
    rules = [{"alert": f"A{i}", "expr": f"x{i}", "annotations": {"text": text}} for i, (text, _, _) in enumerate(CASES)]
    inside = ",".join(f'{name}="{value}"' for name, value in LABELS.items())
    series = [
        {"series": f"x{i}{{{inside}}}", "values": "+Inf" if value == float("inf") else repr(value)}
        for i, (_, value, _) in enumerate(CASES)
    ]
    series += [
        {"series": 'up{instance="a",job="gateway"}', "values": "1"},
        {"series": 'up{instance="b"}', "values": "0"},
    ]
    tests = [
        {
            "eval_time": "0s",
            "alertname": f"A{i}",
            "exp_alerts": [{"exp_labels": LABELS, "exp_annotations": {"text": named(expected, i)}}],
        }
        for i, (_, _, expected) in enumerate(CASES)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump(
            {
                "rule_files": ["rules.yml"],
                "tests": [{"input_series": series, "external_labels": EXTERNAL, "alert_rule_test": tests}],
            }
        )
    )

    result = subprocess.run(
        [program("promtool"), "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr


def named(expected: str, i: int) -> str:
    """The table calls every series x; promtool has one name per case."""
    return expected.replace("__name__:x", f"__name__:x{i}").replace("x,529", f"x{i},529")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("{{ $value ", "1:11: got the end", id="an action without an end"),
        pytest.param('a\n{{ "open }}', "2:4: got '\"'", id="a string without an end"),
        pytest.param("{{ /* open }}", "got a comment without an end", id="a comment without an end"),
        pytest.param("{{ nofunc 1 }}", "got the function 'nofunc', expected one of: and, eq,", id="an unknown function"),
        pytest.param("{{ $nothing }}", "got the variable $nothing, which is not set before", id="an unknown variable"),
        pytest.param("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "got the variable $x", id="a variable out of its block"),
        pytest.param("{{ if }}x{{ end }}", "got nothing, expected a value or a function", id="an if without a condition"),
        pytest.param("{{ if true }}x", "got the end of the text inside {{ if }}", id="a block without an end"),
        pytest.param("{{ end }}", "got {{ end }} without", id="an end without a block"),
        pytest.param("{{ if true }}{{ else }}{{ else }}{{ end }}", "got an `else` behind an `else`", id="two elses"),
        pytest.param('{{ template "x" }}', "which alert templates of this daemon do not have", id="template"),
        pytest.param("{{ break }}", "outside of a `range`", id="break outside"),
        pytest.param("{{ $value | 5 }}", "got a value behind `|`", id="a pipe into a number"),
        pytest.param("{{ (1 }}", "got the end of the action, expected `)`", id="a parenthesis left open"),
        pytest.param("{{ 1 ) }}", "got ')' behind the command", id="a parenthesis too many"),
        pytest.param('{{ toUpper"a" }}', "expected a space before it", id="no space"),
        pytest.param('{{ "\\d" }}', "expected a literal with Go's escapes", id="an escape that Go does not have"),
        pytest.param("{{ end", "got the end", id="no closing braces"),
        pytest.param("{{" + "(" * 5000 + "}}", "nested deeper than 50", id="endless parentheses"),
        pytest.param("{{ if true }}" * 500, "nested deeper than 50", id="endless blocks"),
        pytest.param("x" * (MAX_LENGTH + 1), "expected at most", id="an endless text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error(text, problem):
    """A template that Prometheus would not load is refused with a word on what is wrong."""
    with pytest.raises(TemplateError) as caught:
        parse(text)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('{{ query "nothing" | first | value }}|{{ $x := query "none" }}{{ first "a" }}', "error calling first", id="no first"),
        pytest.param("{{ if gt $value 5 }}{{ end }}", "error calling gt: incompatible types for comparison", id="float and int"),
        pytest.param("{{ .Nope }}", "can't evaluate field Nope", id="a field that is not there"),
        pytest.param('{{ humanize "abc" }}', 'parsing "abc": invalid syntax', id="no number"),
        pytest.param("{{ toUpper }}", "wrong number of args for toUpper: got 0", id="no argument"),
        pytest.param("{{ toUpper 5 }}", "expected string; got int", id="a number for a text"),
        pytest.param('{{ match "(" "a" }}', "got the regular expression '('", id="no regular expression"),
        pytest.param("{{ humanizeTimestamp 1e300 }}", "overflows int64", id="no such time"),
        pytest.param("{{ $value 1 }}", "a value was given arguments", id="a value that is called"),
        pytest.param("{{ index $labels 5 }}", "can't index", id="a wrong key"),
        pytest.param('{{ range $i, $x := printf "%1000s" "" }}{{ end }}', "range can't iterate over", id="no list"),
        pytest.param(
            '{{ $x := "xxxxxxxxxx" }}' + "{{ $x = print $x $x $x $x $x $x $x $x $x $x }}" * 5 + "{{ $x }}",
            "is longer than 65,536 characters",
            id="an endless result",
        ),
        pytest.param(
            '{{ $x := "xxxxxxxxxx" }}' + "{{ $x = print $x $x $x $x $x $x $x $x $x $x }}" * 20,
            "error calling print: the result is longer than 65,536 characters",
            id="an endless value that nobody sees",
        ),
    ],
)  # fmt: skip
def test_what_fails_becomes_an_error_marker(text, problem):
    """A template that fails is replaced by the error; the alert goes out."""
    found = shown(text)

    assert found.startswith("<error expanding template: ")
    assert problem in found


WORDS = ["{{", "}}", "{{-", "-}}", "$value", "$labels.a", ".", "if", "end", "else", "range", "with", "|", "(", ")", ":=",
         "$x", "=", ",", "printf", '"%d%s%*v"', "1", "1e9", "len", "index", "query", '"up"', "first", "eq", " ", "a", "'"]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)))
def test_any_text_is_expanded_or_refused(text):
    """Whatever stands in an annotation, the outcome is a text or a TemplateError."""
    try:
        template = parse(text)
    except TemplateError:
        return

    assert isinstance(expand(template, Facts({"a": "b"}, 1.0, query=results)), str)
