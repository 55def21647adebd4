"""Settings: read once, complete and frozen; or all their errors."""

from gateway.settings.environment_variables import unknown_variables
from gateway.settings.loading import SettingProblems, load
from gateway.settings.model import (
    MIB,
    AdminSettings,
    DefinitionSettings,
    IdentitySettings,
    JournalSettings,
    LimitSettings,
    ListenSettings,
    ListSettings,
    LogSettings,
    RefusalSettings,
    SealingSettings,
    SecretsSettings,
    Settings,
    StateSettings,
    TlsSettings,
    UpstreamSettings,
)
from gateway.settings.policy_settings import BundleKeySettings, BundleServiceSettings, OpaSettings, PolicySettings
from gateway.settings.readme_table import table
from gateway.settings.setting_sources import SettingOrigin, SettingProblem

__all__ = [
    "MIB",
    "AdminSettings",
    "BundleKeySettings",
    "BundleServiceSettings",
    "DefinitionSettings",
    "IdentitySettings",
    "JournalSettings",
    "LimitSettings",
    "ListSettings",
    "ListenSettings",
    "LogSettings",
    "OpaSettings",
    "PolicySettings",
    "RefusalSettings",
    "SealingSettings",
    "SecretsSettings",
    "SettingOrigin",
    "SettingProblem",
    "SettingProblems",
    "Settings",
    "StateSettings",
    "TlsSettings",
    "UpstreamSettings",
    "load",
    "table",
    "unknown_variables",
]
