"""One realistic instance of every document; ``python -m tests.deploy.documents`` writes ``tests/golden/``.

The files pin the contracts for Swift and Kotlin: every harness decodes them and encodes them again. Rewriting
them is a change of the contract, so ``SCHEMA_VERSION`` moves with it.
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow, DropInterval, EvaluationData, Slice
from deploy.contracts.artifact import (
    Artifact,
    Calibration,
    CalibrationTrial,
    Golden,
    GoldenClip,
    GoldenSample,
    GoldenTensor,
    Parity,
    ParityHop,
    PrecisionProof,
    Source,
    WideOp,
)
from deploy.contracts.base import Contract
from deploy.contracts.bundle import PART_ROLES, Bundle, BundlePart, BundleParts, EncodedPhrases
from deploy.contracts.checkpoint import Checkpoint
from deploy.contracts.decode import BinaryMaskDecode, YoloDecode
from deploy.contracts.lineage import LineageStep
from deploy.contracts.mix import LayerCost, Mix, MixPoint
from deploy.contracts.plan import BenchPlan, ChainPlan, Clip, Frame, WarmUp
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.promptable import (
    EvalProtocol,
    EvaluatorFlag,
    KindPrompts,
    LookedAt,
    PresenceCounts,
    PromptableReport,
    PromptableRow,
    PromptFigure,
    PromptSampling,
    PromptSlice,
    PromptThresholds,
    RelativeFigure,
)
from deploy.contracts.prompts import PromptContract, TokenizerFacts
from deploy.contracts.run import (
    ClipResult,
    DeviceInfo,
    DeviceRun,
    GoldenResult,
    Reading,
    Sample,
    WarmUpResult,
)
from deploy.contracts.tensor import TensorSpec
from deploy.contracts.tiled_report import (
    Candidate,
    SweepPoint,
    TiledFigure,
    TiledProtocol,
    TiledReport,
    TiledRow,
    TiledSlice,
)
from deploy.contracts.tiling import Gate, Merge, Tiling
from deploy.contracts.verdict import Verdict
from deploy.store import sha256_bytes

FOLDER = Path(__file__).parents[1] / "golden"


def sha(text: str) -> str:
    """A stand-in hash that looks like a real one."""
    return sha256_bytes(text.encode())


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
TILES = Tiling(width=640, height=384, full_image=True, merge=Merge(kind="nms", metric="iou"), gate=Gate())
SQUARE = Preprocess(input_name="image", width=128, height=128, antialias=True, tiling=TILES, **IMAGENET)
LETTERBOX = Preprocess(input_name="image", width=640, height=384, resize="letterbox", tiling=TILES)
MASK = BinaryMaskDecode(output="logits")
YOLO = YoloDecode(
    output="head", protos="protos", class_names=("person", "café table"), mask_coefficients=32, iou=0.65
)
VERSIONS = {"python": "3.11.9", "pocketproof": "0.1.0", "torch": "2.15.0"}

GOLDEN = Golden(
    samples=(
        GoldenSample(
            id="held-out-003/00005",
            image="golden/00.png",
            image_sha256=sha("picture"),
            inputs=(GoldenTensor(name="image", file="golden/00.in.image.npy", sha256=sha("in")),),
            outputs=(
                GoldenTensor(name="head", file="golden/00.out.head.npy", sha256=sha("head")),
                GoldenTensor(name="protos", file="golden/00.out.protos.npy", sha256=sha("protos")),
            ),
        ),
        GoldenSample(
            id="noise-1",
            image=None,
            image_sha256=None,
            inputs=(GoldenTensor(name="image", file="golden/01.in.image.npy", sha256=sha("noise")),),
            outputs=(GoldenTensor(name="head", file="golden/01.out.head.npy", sha256=sha("out")),),
        ),
    ),
    clip=GoldenClip(
        frames=("golden/clip/images/00000.png", "golden/clip/images/00001.png"),
        masks=("golden/clip/masks/00000.png", "golden/clip/masks/00001.png"),
        frames_per_second=30.0,
        sha256=sha("clip"),
    ),
    sqnr_db=30.0,
)

PROMPTS = PromptContract(
    student=TokenizerFacts(
        id="words_reversed",
        vocabulary_sha256=sha("student vocabulary"),
        pad_id=8,
        length=4,
        samples={"red disc": (2, 5, 8, 8)},
    ),
    teacher=TokenizerFacts(
        id="words",
        vocabulary_sha256=sha("teacher vocabulary"),
        pad_id=0,
        length=3,
        samples={"red disc": (5, 2, 0)},
    ),
    width=128,
    height=128,
    kinds=("box", "point", "text"),
    points=2,
    phrases=("red disc", "blue ring"),
    neutral="shape",
    **IMAGENET,
)

CHECKPOINT = Checkpoint(
    task="binary_masks",
    model="segmenter",
    model_args={"backbone": "mobilenetv4_conv_small_035", "levels": 3, "width": 16, "dropout": 0.1},
    preprocess=SQUARE,
    decode=MASK,
    weights_file="model.safetensors",
    weights_sha256=sha("weights"),
    data="generated",
    data_sha256=sha("data"),
    seed=7,
    step=1800,
    epoch=5,
    metrics={"miou": 0.8731, "loss": 0.125},
    toolchain=VERSIONS | {"timm": "1.0.31"},
    prompts=PROMPTS,
    lineage=(LineageStep(kind="extended", step=1500, detail="2 more epochs after 5"),),
)

IO = {
    "inputs": (TensorSpec(name="image", shape=(1, 3, 384, 640)),),
    "outputs": (
        TensorSpec(name="head", shape=(1, 38, 5040)),
        TensorSpec(name="protos", shape=(1, 32, 96, 160), dtype="float16"),
    ),
    "preprocess": LETTERBOX,
    "decode": YOLO,
}

ARTIFACT = Artifact(
    name="yolov8n-seg",
    target="executorch",
    precision="fp16",
    task="instance_segmentation",
    model_file="model.pte",
    model_sha256=sha("model"),
    model_bytes=7_012_352,
    **IO,
    source=Source(
        spec="yolov8n-seg.pt", kind="ultralytics", weights_sha256=sha("weights"), code_sha256=sha("code")
    ),
    reference_sha256=sha("reference"),
    proof=PrecisionProof(
        weight_bytes={"float16": 6_800_000, "float32": 131_328},
        ops={"float16": 180, "float32": 2},
        delegated_ops=182,
        total_ops=186,
        partitions=5,
        wide_ops=(
            WideOp(name="mul_7", reason="its output reaches 1.3e+05; fp16 ends at 65504"),
            WideOp(name="div_2", reason="reads mul_7, which leaves the range of fp16"),
        ),
        note="outside the delegate: 4 view_copy.out",
    ),
    parity=Parity(
        status="PASS",
        samples=4,
        hops=(
            ParityHop(
                hop="captured -> fp16 torch graph",
                status="PASS",
                sqnr_db=52.25,
                max_abs=0.0625,
                tolerance_db=30.0,
            ),
            ParityHop(hop="captured -> file", status="UNKNOWN", reason="Core ML predicts only on a Mac"),
        ),
        agreement=0.9875,
        agreement_tolerance=0.85,
    ),
    golden=GOLDEN,
    calibration_sha256=sha("calibration"),
    calibration_samples=(sha("one"), sha("two")),
    calibration=Calibration(
        source="photos",
        samples=64,
        hold_out=13,
        classes_unseen=("toaster",),
        trials=(
            CalibrationTrial(method="minmax", samples=16, divergence=0.36),
            CalibrationTrial(method="entropy", samples=64, divergence=1.75),
        ),
    ),
    mix=Mix(
        metric="box_mAP50-95",
        budget=0.005,
        truth="labels",
        ranked_on=8,
        judged_on=32,
        met=True,
        ranking_helps=True,
        layers=(
            LayerCost(layer="conv2d_42", weights=147456, divergence=0.085, wide=True),
            LayerCost(layer="conv2d", weights=432, divergence=0.017, wide=False),
        ),
        points=(
            MixPoint(wide_layers=0, weight_bytes=147888, drop=0.012, drop_high=0.016, divergence=0.38),
            MixPoint(
                wide_layers=1,
                weight_bytes=590256,
                drop=0.004,
                drop_high=0.005,
                divergence=0.3,
                random_divergence=0.37,
            ),
        ),
    ),
    deployment={"delegate": "XNNPACK", "partitions": "5"},
    toolchain=VERSIONS | {"executorch": "1.5.1"},
    cache_key=sha("key"),
    seed=0,
    export_ms=31250,
)

BUNDLE = Bundle(
    name="prompts",
    target="onnx",
    precision="w8a8",
    task="promptable_masks",
    parts=BundleParts(
        **{
            role: BundlePart(
                folder=role,
                precision="w8a8" if role == "image_encoder" else "fp16",
                reason=None if role == "image_encoder" else "this part takes no pictures",
                model_sha256=sha(role),
                model_bytes=140_000,
                manifest_sha256=sha(f"manifest of {role}"),
            )
            for role in PART_ROLES
        }
    ),
    prompts=PROMPTS,
    encoded=EncodedPhrases(
        file="phrases.npy",
        sha256=sha("phrases"),
        phrases=("red disc", "shape"),
        ids={"red disc": (3, 2, 0, 0), "shape": (4, 0, 0, 0)},
    ),
    thresholds=PromptThresholds(),
    reference_identity=sha("reference bundle"),
    source=Source(spec="runs/prompts", kind="run", weights_sha256=sha("weights"), code_sha256=sha("code")),
    toolchain=VERSIONS,
)

DROP = DropInterval(
    metric="mask_mAP50-95", reference=0.411, value=0.4085, drop=0.0025, low=-0.0005, high=0.0065, samples=64
)

ACCURACY = AccuracyReport(
    task="instance_segmentation",
    reference="yolov8n-seg",
    reference_sha256=sha("reference"),
    data=EvaluationData(path="coco", layout="yolo", samples=64, labelled=True, sha256=sha("pictures")),
    primary_metric="mask_mAP50-95",
    rows=(
        AccuracyRow(
            name="yolov8n-seg",
            target="executorch",
            precision="fp16",
            model_sha256=sha("model"),
            model_bytes=7_012_352,
            taints=("FOREIGN",),
            status="MEASURED",
            figures=(DROP,),
            agreement=0.9931,
            slices=(Slice(axis="size", name="small", figures=DROP),),
            verdict=Verdict(
                outcome="PASS",
                reason="the whole interval is inside the budget",
                metric="mask_mAP50-95",
                budget=0.01,
                drop=0.0025,
                low=-0.0005,
                high=0.0065,
                samples=64,
            ),
        ),
        AccuracyRow(
            name="yolov8n-seg",
            target="coreml",
            precision="fp16",
            model_sha256=sha("package"),
            model_bytes=7_156_337,
            status="UNKNOWN",
            reason="Core ML predicts only on a Mac",
            verdict=Verdict(
                outcome="UNKNOWN",
                reason="Core ML predicts only on a Mac",
                metric="mask_mAP50-95",
                budget=0.01,
                samples_needed=None,
            ),
        ),
    ),
    replicates=1000,
    seed=0,
    threads=1,
    toolchain=VERSIONS,
)

LOOKED_AT = LookedAt(
    who="Kim", when="2025-03-01T12:34:56Z", verdict="rings are found, crosses melt", page_sha256=sha("page")
)

TEXT = KindPrompts(kind="text", prompts=1215, sha256=sha("text prompts"))
PROTOCOL = EvalProtocol(
    task="promptable_masks",
    data_sha256=sha("world"),
    pictures=120,
    prompt_set_sha256=sha("prompts"),
    prompts=(TEXT,),
    sampling=PromptSampling(points=0, boxes=0),
    thresholds=PromptThresholds(),
    matcher="hungarian-iou/1",
    metrics={"mIoU": 1, "presence_F1": 1},
)
MIOU = PromptFigure(kind="text", metric="mIoU", value=0.745, low=0.721, high=0.768, samples=567)
ONE_CLASS = PromptFigure(
    kind="text",
    metric="presence_F1",
    value=None,
    samples=1215,
    reason="one class only: every prompt is there",
)

PROMPTABLE = PromptableReport(
    protocol=PROTOCOL,
    protocol_sha256=PROTOCOL.digest(),
    data=EvaluationData(path="generated", layout="world", samples=120, labelled=True, sha256=sha("world")),
    rows=(
        PromptableRow(
            name="first",
            role="student",
            sha256=sha("weights"),
            asked=(TEXT,),
            figures=(MIOU, ONE_CLASS),
            presence=(
                PresenceCounts(
                    kind="text",
                    true_positives=495,
                    false_positives=0,
                    false_negatives=720,
                    true_negatives=0,
                ),
            ),
            relative=(
                RelativeFigure(
                    kind="text", metric="mIoU", to="teacher sam3", ratio=0.91, low=0.88, high=0.94
                ),
            ),
            slices=(PromptSlice(axis="phrase", name="red disc", figures=(MIOU,)),),
            flags=(
                EvaluatorFlag(
                    id="ONE-CLASS-PRESENCE",
                    kind="text",
                    severity="CANNOT-TELL",
                    sentence="Every prompt asks for something that is there.",
                    remedy="Evaluate on phrases of both kinds.",
                ),
            ),
        ),
        PromptableRow(
            name="first-coreml-fp16",
            role="exported",
            sha256=sha("bundle"),
            asked=(TEXT,),
            figures=(MIOU,),
            presence=(),
            relative=(
                RelativeFigure(
                    kind="text", metric="mIoU", to="student first", ratio=0.999, low=0.997, high=1.001
                ),
            ),
            taints=("EMULATED-COREML",),
            verdict=Verdict(
                outcome="PASS",
                reason="the drop lies between -0.0010 and +0.0030, within the budget of 0.0100",
                metric="text mIoU, relative",
                budget=0.01,
                drop=0.001,
                low=-0.001,
                high=0.003,
                samples=120,
            ),
        ),
    ),
    replicates=1000,
    seed=0,
    page_sha256=sha("page"),
    looked_at=LOOKED_AT,
    toolchain=VERSIONS,
)

PLAN = BenchPlan(
    plan_id="yolov8n-seg-executorch-fp16-0001",
    artifact="yolov8n-seg",
    artifact_sha256=sha("manifest"),
    target="executorch",
    precision="fp16",
    model_file="model.pte",
    model_sha256=sha("model"),
    **IO,
    golden=GOLDEN,
    clips=(
        Clip(
            sequence="blackswan",
            frames_per_second=24.0,
            frames=(
                Frame(file="clips/blackswan/00000.png", sha256=sha("f0"), mask="clips/blackswan/m00000.png"),
                Frame(file="clips/blackswan/00001.png", sha256=sha("f1")),
            ),
        ),
    ),
    mask_classes=("person",),
    warm_up=WarmUp(min_iterations=10),
    duration_ns=20_000_000_000,
    max_iterations=2000,
    threads=2,
    seed=0,
    chain=ChainPlan(
        identity=sha("bundle"),
        model_file="mask_decoder/model.pte",
        model_sha256=sha("decoder"),
        inputs=(TensorSpec(name="features", shape=(1, 32, 16, 16)),),
        outputs=(TensorSpec(name="masks", shape=(1, 5, 16, 16)),),
        golden=GOLDEN,
        phrase="red disc",
        text_file="text.npy",
        text_sha256=sha("text"),
        points=2,
        thresholds=PromptThresholds(),
    ),
)

SAMPLES = (
    Sample(
        i=0, t_ns=81_234_567_890_123, pre_ns=612_345, infer_ns=18_765_432, post_ns=98_765, cpu_ns=36_000_000
    ),
    Sample(i=1, t_ns=81_234_587_890_124, pre_ns=598_001, infer_ns=18_543_210, post_ns=97_001, cpu_ns=None),
)

RUN = DeviceRun(
    plan_id=PLAN.plan_id,
    plan_sha256=sha("plan"),
    status="completed",
    started_at="2025-03-01T12:34:56Z",
    device=DeviceInfo(
        platform="android",
        name="Pixel 8",
        os="Android 15 (API 35)",
        cpu="Tensor G3",
        cores=9,
        memory_bytes=8_053_063_680,
        serial_sha256=sha("serial"),
    ),
    taints=("DEBUGGABLE", "CHARGING"),
    load_ns=Reading(value=123_456_789),
    first_inference_ns=Reading(value=45_678_901),
    warm_up=WarmUpResult(iterations=71, duration_ns=1_500_000_000, steady=True),
    golden=GoldenResult(status="PASS", sqnr_db=51.5, samples=2),
    samples_file="samples.jsonl",
    samples_count=2,
    samples_sha256=sha("samples"),
    peak_memory_bytes=Reading(value=187_654_144),
    memory_kind="PSS",
    energy_uj=Reading(value=None, reason="this phone has no energy counter"),
    load_average_before=None,
    load_average_after=1.25,
    threads=2,
    clips=(ClipResult(sequence="blackswan", mask_files=("masks/blackswan/00000.png",)),),
    toolchain={"executorch": "1.5.1"},
)

_TILED_PROTOCOL = TiledProtocol(
    tiling=Tiling(width=160, height=160, overlap=0.2, full_image=True, merge=Merge(), gate=Gate()),
    classes=("with_helmet", "without_helmet"),
    confidence=(0.45, 0.4),
    floor=0.01,
    iou=0.5,
    ignore_area=0.0002,
    truth_sha256=sha("truth"),
    pictures=96,
    metrics={"F1": 1, "box_mAP50": 1},
)

TILED = TiledReport(
    name="cameras",
    target="onnx",
    precision="w8a8",
    model_sha256=sha("tiled"),
    taints=("LEAKED",),
    leaks="20 of 116 evaluation pictures were seen in training. --allow leak was given.",
    protocol=_TILED_PROTOCOL,
    protocol_sha256=_TILED_PROTOCOL.digest(),
    data=EvaluationData(path="data/unseen", layout="yolo", samples=96, labelled=True, sha256=sha("truth")),
    clusters=48,
    negatives=16,
    rows=(
        TiledRow(
            name="full image",
            figures=(TiledFigure(metric="F1", value=0.836, low=0.81, high=0.86, samples=737),),
            true_positives=562,
            false_positives=45,
            missed=175,
            causes={"duplicate": 0, "background": 45},
        ),
        TiledRow(
            name="sliced + gate",
            figures=(TiledFigure(metric="F1", value=0.948, low=0.93, high=0.96, samples=737),),
            true_positives=708,
            false_positives=49,
            missed=29,
            causes={"duplicate": 2, "background": 47},
            slices=(
                TiledSlice(
                    axis="size",
                    name="8-16 px",
                    figures=(TiledFigure(metric="recall", value=0.96, low=0.95, high=0.98, samples=700),),
                ),
            ),
            unanswered=3,
            over_full_image=TiledFigure(metric="F1", value=0.112, low=0.09, high=0.13, samples=737),
        ),
    ),
    sweep=(SweepPoint(row="full image", confidence=0.05, precision=0.5, recall=0.9, f1=0.643),),
    candidates=(
        Candidate(picture="camera-3/0001", label="with_helmet", score=0.91, box=(10.0, 20.0, 19.5, 33.0)),
    ),
    replicates=1000,
    seed=0,
    toolchain={"numpy": "2.3.5"},
)

ONE_OF_EACH: dict[str, Contract] = {
    "checkpoint": CHECKPOINT,
    "artifact": ARTIFACT,
    "bundle": BUNDLE,
    "accuracy": ACCURACY,
    "promptable": PROMPTABLE,
    "looked_at": LOOKED_AT,
    "tiled": TILED,
    "plan": PLAN,
    "run": RUN,
    "sample": SAMPLES[0],
}


def lines(samples: tuple[Sample, ...] = SAMPLES) -> str:
    """Samples as ``samples.jsonl`` holds them: of a single model without a word on stages."""
    texts = []
    for sample in samples:
        payload = sample.to_json()
        if sample.stages_ns is None:
            del payload["stages_ns"]
        texts.append(json.dumps(payload, separators=(",", ":")) + "\n")
    return "".join(texts)


if __name__ == "__main__":
    from deploy.store import write_atomic, write_json

    for name, document in ONE_OF_EACH.items():
        if name == "sample":
            write_atomic(FOLDER / "samples.jsonl", lines())
        else:
            write_json(FOLDER / f"{name}.json", document.to_json())
