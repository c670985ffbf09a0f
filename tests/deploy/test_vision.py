"""Pictures reach a model exactly as the libraries that trained it would bring them there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.geometry import Geometry, to_picture, to_picture_plane
from deploy.vision.images import list_images, read_mask, read_rgb, write_png
from deploy.vision.preprocess import place, prepare

RNG = np.random.default_rng(5)
SIZES = [(int(h), int(w)) for h, w in RNG.integers(9, 700, (24, 2))] + [(640, 640), (320, 640), (480, 640)]


def picture(height: int, width: int) -> np.ndarray:
    """Random colours with some structure: uint8 (height, width, 3)."""
    rng = np.random.default_rng(height * 1000 + width)
    coarse = rng.integers(0, 256, (max(1, height // 8), max(1, width // 8), 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def spec(height: int, width: int, **changes: object) -> Preprocess:
    return Preprocess(input_name="image", height=height, width=width, **changes)  # type: ignore[arg-type]


# resize


@pytest.mark.parametrize("shape", [(640, 640), (384, 640), (320, 256)])
def test_letterbox_is_ultralytics_to_the_byte(shape: tuple[int, int]) -> None:
    letterbox = pytest.importorskip("ultralytics.data.augment").LetterBox(shape, auto=False)
    for height, width in SIZES:
        image = picture(height, width)
        placed, geometry = place(image, spec(*shape, resize="letterbox"))
        assert np.array_equal(placed, letterbox(image=image)), (height, width)
        assert geometry.picture == (height, width)
        assert geometry.input == shape


def test_letterbox_of_a_sliver_keeps_a_pixel() -> None:
    for image in (picture(1, 3000), picture(3000, 1)):
        placed, _ = place(image, spec(64, 64, resize="letterbox"))
        assert placed.shape == (64, 64, 3)
        assert (placed != 114).any()


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "fraction"), [(224, 0.875), (256, 0.95), (128, 1.0)])
def test_shortest_crop_is_timms_evaluation(name: str, size: int, fraction: float) -> None:
    from PIL import Image
    from timm.data.transforms_factory import transforms_imagenet_eval

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    transform = transforms_imagenet_eval(size, crop_pct=fraction, interpolation=name, mean=mean, std=std)
    ours = spec(
        size,
        size,
        resize="shortest_crop",
        crop_fraction=fraction,
        interpolation=name,
        antialias=True,
        mean=mean,
        std=std,
    )
    pixels = ours.model_copy(update={"input_kind": "image"})
    for height, width in SIZES:
        image = picture(height, width)
        raw = transforms_imagenet_eval(
            size, crop_pct=fraction, interpolation=name, normalize=False, use_prefetcher=True
        )(Image.fromarray(image))
        assert np.array_equal(prepare(image, pixels)[0][0], np.asarray(raw, np.float32)), (height, width)
        theirs = transform(Image.fromarray(image)).numpy()
        # torch folds x / 255 and (x - mean) / std in the same order, so the last bit agrees too
        assert np.array_equal(prepare(image, ours)[0][0], theirs), (height, width)


def test_stretch_is_opencv() -> None:
    image = picture(100, 70)
    placed, geometry = place(image, spec(33, 50))
    assert np.array_equal(placed, cv2.resize(image, (50, 33), interpolation=cv2.INTER_LINEAR))
    assert geometry.scale == (50 / 70, 33 / 100)


def test_no_resize_demands_the_exact_size() -> None:
    image = picture(20, 30)
    assert place(image, spec(20, 30, resize="none"))[0] is image
    with pytest.raises(DeployError) as caught:
        place(image, spec(30, 20, resize="none"))
    assert caught.value.error_id == "PICTURE-SIZE"
    assert "30x20" in caught.value.summary
    assert "20x30" in caught.value.summary


# values


def test_every_pixel_value_is_divided_not_multiplied() -> None:
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tensor, _ = prepare(image, spec(16, 16))
    divided = np.arange(256, dtype=np.float32) / np.float32(255)
    assert np.array_equal(tensor[0, 0].ravel(), divided)
    multiplied = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
    assert not np.array_equal(divided, multiplied)


def test_channels_are_ordered_as_declared() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 0] = 255
    rgb = prepare(image, spec(4, 4))[0]
    bgr = prepare(image, spec(4, 4, color="BGR"))[0]
    gray = prepare(image, spec(4, 4, color="GRAY", mean=(0.0,), std=(1.0,)))[0]
    assert (rgb[0, :, 0, 0].tolist(), bgr[0, :, 0, 0].tolist()) == ([1, 0, 0], [0, 0, 1])
    assert gray.shape == (1, 1, 4, 4)
    assert gray[0, 0, 0, 0] == np.float32(76) / np.float32(255)


def test_an_image_input_takes_raw_pixels_and_a_tensor_input_the_normalised_ones() -> None:
    block = spec(16, 16, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    image = picture(16, 16)
    raw, _ = prepare(image, block.model_copy(update={"input_kind": "image"}))
    ready, _ = prepare(image, block)
    assert np.array_equal(raw[0].transpose(1, 2, 0), image)
    assert raw.dtype == ready.dtype == np.float32
    expected = (image.astype(np.float64) / 255 - block.mean) / np.asarray(block.std)
    np.testing.assert_allclose(ready[0].transpose(1, 2, 0), expected, rtol=0, atol=2e-6)


# the way back


@given(
    st.sampled_from(["stretch", "letterbox", "shortest_crop"]),
    st.integers(20, 900),
    st.integers(20, 900),
    st.sampled_from([(224, 224), (320, 640), (97, 64)]),
    st.data(),
)
def test_boxes_come_back_where_they_were(
    resize: str, height: int, width: int, size: tuple[int, int], data: st.DataObject
) -> None:
    blank = np.zeros((height, width, 3), np.uint8)
    _, geometry = place(blank, spec(*size, resize=resize, crop_fraction=0.9))
    x = sorted(data.draw(st.tuples(*[st.floats(0, width)] * 2)))
    y = sorted(data.draw(st.tuples(*[st.floats(0, height)] * 2)))
    box = np.array([[x[0], y[0], x[1], y[1]]], np.float32)
    scale, offset = np.tile(geometry.scale, 2), np.tile(geometry.offset, 2)
    placed = (box * scale + offset).astype(np.float32)
    np.testing.assert_allclose(to_picture(placed, geometry), box, atol=0.01)


def test_boxes_are_clipped_to_the_picture() -> None:
    geometry = Geometry((50, 80), (64, 64), (0.8, 0.8), (0.0, 12.0))
    boxes = to_picture(np.array([[-10, -10, 100, 100]], np.float32), geometry)
    assert boxes.tolist() == [[0, 0, 80, 50]]


@pytest.mark.parametrize("cells", [(16, 16), (7, 13), (40, 56)])
@pytest.mark.parametrize("size", [(33, 51), (8, 8), (112, 40)])
def test_planes_come_back_as_torch_would_bring_them(cells: tuple[int, int], size: tuple[int, int]) -> None:
    import torch

    plane = np.random.default_rng(1).normal(size=cells).astype(np.float32)
    geometry = Geometry(size, (64, 48), (48 / size[1], 64 / size[0]), (0.0, 0.0))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(plane)[None, None], size, mode="bilinear", align_corners=False
    )
    ours = to_picture_plane(plane, geometry)
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=2e-5)
    assert ours.dtype == np.float32
    window = (2, 7, 1, 6)
    assert np.array_equal(to_picture_plane(plane, geometry, window), ours[2:7, 1:6])


def test_a_letterboxed_plane_is_cut_out_of_its_padding() -> None:
    """A disc drawn in the picture, letterboxed, and brought back covers itself."""
    mask = np.zeros((90, 160, 3), np.uint8)
    cv2.circle(mask, (100, 40), 25, (255, 255, 255), -1)
    placed, geometry = place(mask, spec(128, 128, resize="letterbox", pad_value=0))
    back = to_picture_plane(placed[..., 0].astype(np.float32), geometry) > 127
    truth = mask[..., 0] > 127
    assert (back & truth).sum() / (back | truth).sum() > 0.97


# files


def test_png_round_trip(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    gray = RNG.integers(0, 2, (9, 7), np.uint8) * 255
    write_png(tmp_path / "deep" / "c.png", colour)
    write_png(tmp_path / "g.png", gray)
    assert np.array_equal(read_rgb(tmp_path / "deep" / "c.png"), colour)
    assert np.array_equal(read_mask(tmp_path / "g.png"), gray > 0)
    assert list_images(tmp_path) == [tmp_path / "deep" / "c.png", tmp_path / "g.png"]


@pytest.mark.parametrize("payload", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_broken_picture_is_an_error_not_a_black_frame(tmp_path: Path, payload: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(payload)
    for read in (read_rgb, read_mask):
        with pytest.raises(DeployError) as caught:
            read(path)
        assert caught.value.error_id == "IMAGE-UNREADABLE"
        assert str(path) in caught.value.summary


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_picture_that_is_cut_short_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    ok, encoded = cv2.imencode(suffix, np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8))
    assert ok
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(encoded.tobytes()[: int(encoded.size * share)])
    with pytest.raises(DeployError) as caught:
        read_rgb(path)
    assert caught.value.error_id == "IMAGE-UNREADABLE"


def test_a_picture_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeployError) as caught:
        read_rgb(tmp_path / "absent.png")
    assert caught.value.error_id == "FILE-UNREADABLE"
