"""Settings: read once, complete, frozen; or all that is wrong with them."""

from gateway.settings.environment_variables import unknown_variables
from gateway.settings.following import BundleKey, BundleService, Opa, Policy
from gateway.settings.load import Problems, load
from gateway.settings.model import (
    MIB,
    Admin,
    Definitions,
    Identity,
    Journal,
    Limits,
    Listen,
    Lists,
    Logs,
    Refusal,
    Sealing,
    Secrets,
    Settings,
    State,
    Tls,
    Upstreams,
)
from gateway.settings.source import Place, Problem
from gateway.settings.table import table

__all__ = [
    "MIB",
    "Admin",
    "BundleKey",
    "BundleService",
    "Definitions",
    "Identity",
    "Journal",
    "Limits",
    "Listen",
    "Lists",
    "Logs",
    "Opa",
    "Place",
    "Policy",
    "Problem",
    "Problems",
    "Refusal",
    "Sealing",
    "Secrets",
    "Settings",
    "State",
    "Tls",
    "Upstreams",
    "load",
    "table",
    "unknown_variables",
]
