"""Telemetry for operators: metrics, summed over workers, and structured logs."""

from gateway.telemetry.logs import configure
from gateway.telemetry.metric_samples import Gauges, Samples
from gateway.telemetry.prometheus_text import render
from gateway.telemetry.worker_metrics import Telemetry

__all__ = ["Gauges", "Samples", "Telemetry", "configure", "render"]
