"""The supervisor's part of the gateway's health."""

from collections.abc import Mapping

from gateway.supervisor.bundle_followers import BundleFollowers
from gateway.supervisor.opa_sidecar import Sidecar
from gateway.supervisor.policy_expiry_warnings import ExpiryWarnings


class HealthReporter:
    """Answers `/readyz` for everything except the workers."""

    def __init__(self, sidecar: Sidecar, outlook: ExpiryWarnings) -> None:
        self._sidecar = sidecar
        self._outlook = outlook
        self.draining = False

    def missing(self) -> Mapping[str, str]:
        """Return the missing conditions, each with an explanation."""
        found: dict[str, str] = {}
        if self.draining:
            found["gateway"] = "it is shutting down"
        news, feed = self._sidecar.news, self._sidecar.feed
        if news is not None and not news.first.is_set():
            found["policy"] = news.waiting
        if feed is not None and not feed.stopped.is_set():
            found["stops"] = self._stops_problem or "no stops have been received from the hub yet"
        if not found and self._sidecar.opa is not None and not self._sidecar.opa.pid:
            found["opa"] = "it is not running"
        return found

    def notes(self) -> Mapping[str, str]:
        """Return notes for the operator, which do not affect readiness."""
        news = self._sidecar.news
        found = {"stops_problem": self._stops_problem}
        if news is not None:
            found["policy_problem"] = news.problem
        if isinstance(news, BundleFollowers):
            found["hub_problem"] = news.away
            found["heartbeat_problem"] = news.unheard
            found["clock_problem"] = news.clocks
        return {name: text for name, text in found.items() if text} | dict(self._outlook.notes())

    @property
    def _stops_problem(self) -> str:
        return "" if self._sidecar.stops is None else self._sidecar.stops.problem
