"""Settings of these tests: no clock decides whether a property holds."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "pocketproof", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("pocketproof")
