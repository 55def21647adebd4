"""What the supervisor itself knows of the gateway's health."""

from collections.abc import Mapping

from gateway.supervisor.sidecar import Sidecar


class Condition:
    """Answers `/readyz` for everything that is not a worker's."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self.draining = False

    def missing(self) -> Mapping[str, str]:
        """Return what is missing, with what is known about it."""
        found: dict[str, str] = {}
        if self.draining:
            found["gateway"] = "it is shutting down"
        news = self._sidecar.news
        if news is not None and not news.first.is_set():
            found["policy"] = "it is being built"
        elif self._sidecar.opa is not None and not self._sidecar.opa.pid:
            found["opa"] = "it is not running"
        return found

    def notes(self) -> Mapping[str, str]:
        """Return what an operator should see although the gateway may be ready."""
        news = self._sidecar.news
        return {"policy_problem": news.problem} if news is not None and news.problem else {}
