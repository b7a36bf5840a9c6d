"""The kinds of panels that the dashboards are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.models import common, dashboard, units
from grafana_foundation_sdk.models import heatmap as heat_models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from dashboards.source import styles
from dashboards.source.limits import Limit
from dashboards.source.queries import RANGE
from dashboards.source.styles import State

SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
T = TypeVar("T")
HEIGHT: Final = 7
STAT_HEIGHT: Final = 4
COUNTED: Final = "2m"
"""The least step of what counts: two scrapes, since one sample has no increase."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question, and what its answers are called: `{{label}}` of the series."""

    expr: str
    legend: str = ""


def number(
    title: str,
    text: str,
    expr: str,
    *,
    unit: str = units.Short,
    limits: Sequence[Limit] = (),
    alerts: Sequence[str] = (),
    states: Sequence[State] = (),
    none: str = "no data",
    width: int = 4,
) -> dashboard.Panel:
    """One number of now, coloured by what the rules think of it; of the whole chosen time if it asks for that."""
    judged = bool(limits or states)
    whole = RANGE in expr  # once is enough, and for each point of a curve it would be dear
    curve = common.BigValueGraphMode.NONE if states or whole else common.BigValueGraphMode.AREA
    panel = (
        stat.Panel()
        .graph_mode(curve)
        .color_mode(common.BigValueColorMode.BACKGROUND if judged else common.BigValueColorMode.NONE)
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(common.BigValueTextMode.VALUE)
        .no_value(none)
        .mappings(styles.mappings(states))
        .thresholds(styles.thresholds(limits, styles.GOOD))
        .color_scheme(styles.by_threshold())
        .build()
    )
    panel.field_config.defaults.decimals = 0 if unit == units.Short else None  # counts, which Prometheus estimates
    found = _finish(panel, title, text, [], unit=unit, limits=limits, alerts=alerts, width=width, height=STAT_HEIGHT)
    target = _target(Query(expr), "A")
    found.targets = [(target.instant() if whole else target.range()).build()]
    return found


def graph(
    title: str,
    text: str,
    *queries: Query,
    unit: str = units.Short,
    limits: Sequence[Limit] = (),
    alerts: Sequence[str] = (),
    stacked: bool = False,
    bars: bool = False,
    share: bool = False,
    width: int = 12,
) -> dashboard.Panel:
    """Values over time. *limits* are drawn as lines; *stacked* are parts of a whole, *bars* counts per step."""
    style = common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE
    lines = common.GraphTresholdsStyleMode.DASHED if limits else common.GraphTresholdsStyleMode.OFF
    stacking = common.StackingMode.NORMAL if stacked or bars else common.StackingMode.NONE
    panel = (
        timeseries.Panel()
        .draw_style(style)
        .stacking(build.StackingConfig().mode(stacking).group("A"))
        .fill_opacity(60 if bars else 25 if stacked else 5)
        .line_width(1)
        .show_points(common.VisibilityMode.NEVER)
        .axis_soft_min(0)
        .legend(styles.legend())
        .tooltip(build.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .thresholds(styles.thresholds(limits, "transparent"))
        .thresholds_style(build.GraphThresholdsStyleConfig().mode(lines))
        .color_scheme(styles.by_name())
        .build()
    )
    if bars:
        panel.interval = COUNTED
        panel.field_config.defaults.no_value = "none in this time"
        panel.field_config.defaults.decimals = 0
    panel.field_config.defaults.max_val = 1 if share else None
    return _finish(panel, title, text, queries, unit=unit, limits=limits, alerts=alerts, width=width, height=HEIGHT)


def timeline(
    title: str,
    text: str,
    query: Query,
    states: Sequence[State],
    *,
    alerts: Sequence[str] = (),
    width: int = 12,
    height: int = HEIGHT,
) -> dashboard.Panel:
    """States over time, a bar for each series."""
    panel = (
        statetimeline.Panel()
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(styles.legend())
        .mappings(styles.mappings(states))
        .thresholds(styles.thresholds((), styles.UNKNOWN))
        .color_scheme(styles.by_threshold())
        .build()
    )
    return _finish(panel, title, text, [query], unit=units.NoUnit, limits=(), alerts=alerts, width=width, height=height)


def listing(
    title: str,
    text: str,
    queries: Sequence[str],
    columns: Mapping[str, str],
    *,
    unit: str = units.Short,
    states: Sequence[State] = (),
    alerts: Sequence[str] = (),
    width: int = 12,
    height: int = HEIGHT,
) -> dashboard.Panel:
    """A table of now: *columns* are labels, and `Value` or `Value #A`, `Value #B` … of *queries*, by their headings.

    *unit* is that of every value.
    """
    hidden = dict.fromkeys(["Time", *([] if "Value" in columns or len(queries) > 1 else ["Value"])], True)
    options: dict[str, object] = {
        "excludeByName": hidden,
        "indexByName": {name: place for place, name in enumerate(columns)},
        "renameByName": dict(columns),
    }
    panel = (
        table.Panel()
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .mappings(styles.mappings(states))
        .thresholds(styles.thresholds((), styles.UNKNOWN))
        .no_value("")
        .transformations(
            [
                *([dashboard.DataTransformerConfig(id_val="merge", options={})] if len(queries) > 1 else []),
                dashboard.DataTransformerConfig(id_val="organize", options=options),
            ]
        )
        .build()
    )
    if states:
        panel.field_config.defaults.custom = {"cellOptions": {"type": "color-text"}}
    found = _finish(panel, title, text, [], unit=unit, limits=(), alerts=alerts, width=width, height=height)
    found.targets = [
        _target(Query(expr), ref).instant().format(PromQueryFormat.TABLE).build() for ref, expr in _lettered(queries)
    ]
    return found


def ranking(
    title: str,
    text: str,
    query: Query,
    *,
    unit: str = units.Short,
    limits: Sequence[Limit] = (),
    alerts: Sequence[str] = (),
    lowest: float | None = 0,
    highest: float | None = None,
    width: int = 12,
) -> dashboard.Panel:
    """A bar for each series, as long as its value of now."""
    panel = (
        bargauge.Panel()
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(styles.thresholds(limits, styles.GOOD))
        .color_scheme(styles.by_threshold())
    )
    if lowest is not None:
        panel.min(lowest)
    if highest is not None:
        panel.max(highest)
    found = _finish(panel.build(), title, text, [], unit=unit, limits=limits, alerts=alerts, width=width, height=HEIGHT)
    found.targets = [_target(query, "A").instant().build()]
    return found


def heat(title: str, text: str, expr: str, *, unit: str = units.Seconds, width: int = 12) -> dashboard.Panel:
    """How often a histogram's values were in each of its buckets; *expr* is a sum by `le`."""
    colors = heatmap.HeatmapColorOptions().mode(heat_models.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    panel = (
        heatmap.Panel()
        .calculate(False)
        .color(colors)
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(common.HeatmapCellLayout.LE))
        .show_tooltip()
        .build()
    )
    panel.interval = COUNTED
    found = _finish(panel, title, text, [], unit=unit, limits=(), alerts=(), width=width, height=HEIGHT)
    found.targets = [_target(Query(expr, "{{le}}"), "A").range().format(PromQueryFormat.HEATMAP).build()]
    return found


def linked(panel: dashboard.Panel, title: str, path: str) -> dashboard.Panel:
    """*panel*, whose series lead to a page of the sidecar; *path* is Grafana's: `/checks/${__field.labels.check}`."""
    url = f"${{status_page}}{path}"
    panel.field_config.defaults.links = [dashboard.DashboardLink(title=title, url=url, target_blank=True)]
    return panel


def _finish(
    panel: dashboard.Panel,
    title: str,
    text: str,
    queries: Iterable[Query],
    *,
    unit: str,
    limits: Sequence[Limit],
    alerts: Sequence[str],
    width: int,
    height: int,
) -> dashboard.Panel:
    """What every panel has."""
    panel.title = title
    panel.description = _described(text, limits, alerts)
    panel.datasource = SOURCE
    panel.grid_pos = dashboard.GridPos(w=width, h=height)
    panel.targets = [_target(query, ref).range().build() for ref, query in _lettered(queries)]
    panel.field_config.defaults.unit = unit
    return panel


def _described(text: str, limits: Sequence[Limit], alerts: Sequence[str]) -> str:
    """*text*, and the alerts about what the panel shows, so that whoever is paged finds it by the alert's name."""
    names = dict.fromkeys([*(limit.alert for limit in limits if limit.alert), *alerts])
    return f"{text} Alerts: {', '.join(f'`{name}`' for name in names)}." if names else text


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE)
    return target.editor_mode(QueryEditorMode.CODE).legend_format(query.legend or "__auto")


def _lettered(items: Iterable[T]) -> list[tuple[str, T]]:
    return [(chr(ord("A") + place), item) for place, item in enumerate(items)]
