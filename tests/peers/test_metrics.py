"""Counting requests by kube-apiserver's own metrics."""

from tests.peers.metrics import Request, request_counts


def sample(verb: str, group: str, resource: str, subresource: str, code: str, value: int, *, dry_run: str = "") -> str:
    """A line of the counter as kube-apiserver 1.37 writes it."""
    labels = {"code": code, "component": "apiserver", "dry_run": dry_run, "group": group, "resource": resource}
    labels |= {"scope": "resource", "subresource": subresource, "verb": verb, "version": "v1"}
    written = ",".join(f'{key}="{label}"' for key, label in labels.items())
    return f"apiserver_request_total{{{written}}} {value}\n"


TEXT = (
    "# HELP apiserver_request_terminations_total [ALPHA] Number of requests which apiserver terminated.\n"
    "# TYPE apiserver_request_terminations_total counter\n"
    'apiserver_request_terminations_total{code="0",group="",resource="",subresource="",verb=""} 1\n'
    "# HELP apiserver_request_total [STABLE] Counter of apiserver requests broken out for each verb.\n"
    "# TYPE apiserver_request_total counter\n"
    + sample("APPLY", "apps", "deployments", "status", "200", 3)
    + sample("APPLY", "apps", "deployments", "status", "200", 2, dry_run="All")
    + sample("GET", "", "pods", "", "404", 1)
    + "# HELP apiserver_response_sizes [STABLE] Response size distribution in bytes.\n"
)


def test_requests_are_counted_by_verb_resource_and_code() -> None:
    assert request_counts(TEXT) == {
        Request("APPLY", "apps", "deployments", "status", "200"): 5,
        Request("GET", "", "pods", "", "404"): 1,
    }


def test_a_server_that_has_answered_nothing_has_no_counts() -> None:
    assert request_counts("# HELP go_goroutines n\n# TYPE go_goroutines gauge\ngo_goroutines 3\n") == {}
