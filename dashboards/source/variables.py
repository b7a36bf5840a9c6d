"""What a reader chooses above a dashboard."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from dashboards.source.panels import SOURCE
from dashboards.source.queries import of
from sidecar.model.families import BUILD_INFO
from sidecar.model.samples import Family

STATUS_PAGE: Final = "http://localhost:9797"
"""Where the status page is after `kubectl port-forward`; a reader or `sidecar dashboards` says otherwise."""

_LABEL_VALUES: Final = 1
"""How Grafana's editor of variables numbers `label_values(…)`."""
_ALL: Final = dashboard.VariableOption(selected=True, text="All", value="$__all")


def common() -> list[dashboard.VariableModel]:
    """The variables of every dashboard: which Prometheus, whose pods, and where their status page is."""
    build = BUILD_INFO.name
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus").build(),
        _query("cluster", "Cluster", f"label_values({build}, cluster)"),
        _query("namespace", "Namespace", f'label_values({build}{{cluster=~"$cluster"}}, namespace)'),
        _query("job", "Job", f'label_values({build}{{cluster=~"$cluster", namespace=~"$namespace"}}, job)'),
        _told_apart(),
        _query(
            "pod", "Pod", f'label_values({build}{{cluster=~"$cluster", namespace=~"$namespace", job=~"$job"}}, $by)'
        ),
    ]


def status_page() -> dashboard.VariableModel:
    """Where the links to the status page lead."""
    option = dashboard.VariableOption(selected=True, text=STATUS_PAGE, value=STATUS_PAGE)
    return (
        builders.TextBoxVariable("status_page")
        .label("Status page")
        .description("Where this browser reaches a sidecar: the links to the status page lead there.")
        .default_value(STATUS_PAGE)
        .current(option)
        .options([option])
        .build()
    )


def label(name: str, title: str, family: Family, *matchers: str) -> dashboard.VariableModel:
    """The values that a label of *family* has."""
    return _query(name, title, f"label_values({of(family, *matchers)}, {name})")


def choice(name: str, title: str, *values: str) -> dashboard.VariableModel:
    """Some or all of a few words."""
    options = [_ALL, *(dashboard.VariableOption(selected=False, text=value, value=value) for value in values)]
    variable = builders.CustomVariable(name).label(title).values(",".join(values)).options(options).current(_ALL)
    return variable.multi(True).include_all(True).all_value(".*").build()


def _query(name: str, title: str, query: str) -> dashboard.VariableModel:
    """Any number of values; "All" is whatever there is, series without the label among them."""
    return (
        builders.QueryVariable(name)
        .label(title)
        .datasource(SOURCE)
        .query({"qryType": _LABEL_VALUES, "query": query, "refId": f"variable-{name}"})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(_ALL)
        .build()
    )


def _told_apart() -> dashboard.VariableModel:
    """Kubernetes' discovery gives each series its pod; where somebody wrote the targets down there is the instance."""
    options = [dashboard.VariableOption(selected=name == "pod", text=name, value=name) for name in ("pod", "instance")]
    return (
        builders.CustomVariable("by")
        .label("Tell apart by")
        .description("The label that tells pods apart: instance outside of Kubernetes.")
        .values("pod,instance")
        .options(options)
        .current(options[0])
        .build()
    )
