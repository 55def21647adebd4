"""Settings: read once, complete, frozen; or all that is wrong with them."""

from gateway.settings.environment_variables import unknown_variables
from gateway.settings.loading import Problems, load
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
from gateway.settings.policy_settings import BundleKey, BundleService, Opa, Policy
from gateway.settings.readme_table import table
from gateway.settings.setting_sources import Place, Problem

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
