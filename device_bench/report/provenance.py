"""Where every number comes from: hashes, versions, conditions."""

from __future__ import annotations

from device_bench.score.model import LatencyScore, Report, RunScore


def provenance(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """Per run: its title and pairs of fact and value."""
    return [(score.title, facts(score)) for score in report.runs]


def facts(score: RunScore) -> list[tuple[str, str]]:
    """The facts of one run, in reading order."""
    run, plan = score.run, score.plan
    pairs = [
        ("folder", str(score.folder)),
        ("started", run.started_at),
        ("device", f"{run.device.name}, {run.device.os}, {run.device.cpu}, {run.device.cores} cores"),
        ("target", f"{plan.target} {plan.precision}, {run.threads} threads"),
        ("taints", ", ".join(score.taints) or "none"),
        (
            "load average",
            f"{_number(run.load_average_before)} before, {_number(run.load_average_after)} after",
        ),
        ("samples", f"{run.samples_count}, SHA-256 {run.samples_sha256[:16]}…"),
        ("model SHA-256", plan.model_sha256),
        ("plan SHA-256", run.plan_sha256),
    ]
    if run.warm_up is not None:
        steady = "steady" if run.warm_up.steady else "never steady"
        seconds = run.warm_up.duration_ns / 1e9
        pairs.append(("warm-up", f"{run.warm_up.iterations} frames, {seconds:.1f} s, {steady}"))
    if plan.mask_classes:
        pairs.append(("mask classes", ", ".join(plan.mask_classes)))
    if plan.chain is not None:
        pairs += [("phrase", plan.chain.phrase), ("mask decoder SHA-256", plan.chain.model_sha256)]
    if score.latency is not None and score.latency.stages:
        pairs.append(("stages, median", stages_text(score.latency)))
    if run.golden is not None:
        level = "" if run.golden.sqnr_db is None else f", worst {run.golden.sqnr_db:.1f} dB"
        pairs.append(("golden self-test", f"{run.golden.status}{level} ({run.golden.samples} samples)"))
    pairs.append(("memory counter", run.memory_kind))
    if score.artifact is not None:
        artifact = score.artifact
        pairs += [
            ("exported from", artifact.source.spec),
            ("reference SHA-256", artifact.reference_sha256),
            ("export tools", _versions(artifact.toolchain)),
        ]
    pairs.append(("run tools", _versions(run.toolchain)))
    return pairs


def stages_text(latency: LatencyScore) -> str:
    """Medians of a chain's stages in their order."""
    return ", ".join(f"{name} {figure.value or 0:.2f} ms" for name, figure in latency.stages.items())


def _versions(toolchain: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in toolchain.items()) or "not recorded"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
