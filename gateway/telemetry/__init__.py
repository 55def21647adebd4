"""What operators see of the gateway: metrics, summed over workers, and structured logs."""

from gateway.telemetry.logs import configure
from gateway.telemetry.measures import Telemetry
from gateway.telemetry.render import render
from gateway.telemetry.samples import Gauges, Samples

__all__ = ["Gauges", "Samples", "Telemetry", "configure", "render"]
