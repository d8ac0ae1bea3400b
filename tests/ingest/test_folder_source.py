from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.codecs import decode, pixel_digest
from ingest.errors import BadImageError, BadRecordError, SourceError
from ingest.line import Line, LineCamera
from ingest.records import EncodedFrame, Encoding, bytes_digest
from ingest.sources import folder
from ingest.sources.folder import FolderSource
from ingest.sources.layout import natural_key

ROWS, COLUMNS = 20, 30


def picture(seed: int = 0, height: int = ROWS, width: int = COLUMNS) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def write(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture() if image is None else image)
    return path


def source(directory: Path, line: Line | None = None, **options: object) -> FolderSource:
    return FolderSource(directory, line="line-1", coil="coil-1", line_description=line, **options)  # type: ignore[arg-type]


def line_of(*cameras: LineCamera) -> Line:
    return Line(name="line-1", cameras=cameras)


def camera(name: str, columns: int = COLUMNS, **where: Path | str) -> LineCamera:
    return LineCamera.model_validate(
        {
            "side": "top",
            "camera": name,
            "across_mm": 5,
            "columns": columns,
            "mm_per_row": 0.5,
            "mm_per_column": 0.25,
            **where,
        }
    )


def unreadable_reason(frame: EncodedFrame) -> str:
    with pytest.raises(BadImageError) as caught:
        decode(frame.data, frame.header)
    return str(caught.value)


def test_a_flat_folder_is_one_camera_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        write(tmp_path / f"frame-{number}.png", picture(number))
    coil = source(tmp_path, mm_per_px=2.0)
    frames = list(coil.frames())
    assert coil.total_frames == 3
    assert [frame.header.along_mm for frame in frames] == [0.0, 40.0, 80.0]
    assert [frame.header.sequence for frame in frames] == [0, 1, 2]
    assert frames[2].data == (tmp_path / "frame-10.png").read_bytes()
    np.testing.assert_array_equal(decode(frames[1].data, frames[1].header), picture(9))
    (band,) = coil.opened().cameras
    assert (band.side, band.camera, band.columns, band.right_mm) == ("top", "camera", COLUMNS, 60.0)
    (closed,) = coil.closed()
    assert (closed.frames, closed.end_mm) == (3, 120.0)


def test_frames_carry_no_capture_time(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    assert [frame.header.captured_at for frame in source(tmp_path).frames()] == [None]


def test_sub_folders_are_cameras_side_by_side(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name / "1.png")
        write(tmp_path / name / "2.png")
    (tmp_path / "empty").mkdir()
    coil = source(tmp_path)
    assert [(band.camera, band.across_mm) for band in coil.opened().cameras] == [("a", 0.0), ("b", 30.0)]
    order = [(frame.header.camera, frame.header.sequence) for frame in coil.frames()]
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert [closed.frames for closed in coil.closed()] == [2, 2]


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("top", "bottom"), {("bottom", "bottom", 0.0), ("top", "top", 0.0)}),
        (("bottom", "c", "a"), {("top", "a", 0.0), ("bottom", "bottom", 0.0), ("top", "c", 30.0)}),
        (("Bottom", "x"), {("top", "Bottom", 0.0), ("top", "x", 30.0)}),
    ],
    ids=["two sides", "a side among cameras", "no side"],
)
def test_a_sub_folder_named_after_a_side_is_of_it(
    tmp_path: Path, names: tuple[str, ...], places: set[tuple[str, str, float]]
) -> None:
    for name in names:
        write(tmp_path / name / "1.png")
    cameras = source(tmp_path).opened().cameras
    assert {(band.side, band.camera, band.across_mm) for band in cameras} == places


def test_a_pattern_tells_cameras_and_sides_by_name(tmp_path: Path) -> None:
    for name in ("top_x_1", "bottom_x_1", "top_y_1", "other"):
        write(tmp_path / f"{name}.png")
    coil = source(tmp_path, pattern=r"(?P<side>top|bottom)_(?P<camera>\w)_\d+\.png")
    found = [(band.side, band.camera, band.across_mm) for band in coil.opened().cameras]
    assert found == [("bottom", "x", 0.0), ("top", "x", 0.0), ("top", "y", 30.0)]
    assert coil.total_frames == 3


def test_a_line_gives_bands_and_folders(tmp_path: Path) -> None:
    write(tmp_path / "images" / "one" / "1.png")
    write(tmp_path / "two" / "1.png")
    line = line_of(camera("first", folder=Path("images/one")), camera("two"))
    coil = source(tmp_path, line)
    assert coil.opened().cameras == line.bands
    assert [frame.header.mm_per_column for frame in coil.frames()] == [0.25, 0.25]
    assert [closed.end_mm for closed in coil.closed()] == [10.0, 10.0]


def test_heights_may_differ(tmp_path: Path) -> None:
    for name, height in (("1", 20), ("2", 50), ("3", 20)):
        write(tmp_path / f"{name}.png", picture(height=height))
    frames = list(source(tmp_path).frames())
    assert [(frame.header.along_mm, frame.header.height) for frame in frames] == [(0, 20), (20, 50), (70, 20)]
    assert all(decode(frame.data, frame.header).shape[1] == COLUMNS for frame in frames)


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".tiff"])
def test_other_formats_are_encoded_without_loss(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"a{suffix}")
    (frame,) = source(tmp_path).frames()
    np.testing.assert_array_equal(decode(frame.data, frame.header), picture())


def test_jpeg_files_travel_byte_for_byte(tmp_path: Path) -> None:
    file = write(tmp_path / "A.JPG")
    (frame,) = source(tmp_path).frames()
    assert frame.data == file.read_bytes()
    assert frame.header.digest == pixel_digest(decode(frame.data, frame.header))


@pytest.mark.parametrize("encoding", ["raw", "png", "zstd"])
def test_a_given_encoding_is_used(tmp_path: Path, encoding: Encoding) -> None:
    write(tmp_path / "a.png")
    (frame,) = source(tmp_path, encoding=encoding).frames()
    assert frame.header.encoding == encoding
    np.testing.assert_array_equal(decode(frame.data, frame.header), picture())


def test_frames_made_jpeg_have_the_digest_of_what_their_reader_sees(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    (frame,) = source(tmp_path, encoding="jpeg").frames()
    assert frame.header.encoding == "jpeg"
    assert decode(frame.data, frame.header).shape == (ROWS, COLUMNS)


def bad_file(directory: Path, kind: str) -> Path:
    mono = picture()
    colour = np.dstack([mono, mono, mono])
    images: dict[str, NDArray[np.uint8] | NDArray[np.uint16]] = {
        "colour.png": colour,
        "colour.jpg": colour,
        "colour.bmp": colour,
        "deep.png": mono.astype(np.uint16) * 200,
        "deep.tif": mono.astype(np.uint16) * 200,
        "narrow.png": mono[:, :8],
    }
    path = directory / kind
    if kind in images:
        return write(path, images[kind])
    if kind == "empty.png":
        path.write_bytes(b"")
    elif kind == "text.png":
        path.write_bytes(b"not an image")
    else:
        write(path)
        path.write_bytes(path.read_bytes()[:-40])
    return path


BAD_FILES = {
    "colour.png": "got 20 x 30 8-bit colour",
    "colour.jpg": "got 20 x 30 8-bit colour",
    "colour.bmp": "got 20 x 30 8-bit colour",
    "deep.png": "got 20 x 30 16-bit mono",
    "deep.tif": "got 20 x 30 16-bit mono",
    "narrow.png": "expected 20 x 30 8-bit mono pixels, got 20 x 8 8-bit mono",
    "empty.png": "got 0 bytes",
    "text.png": "got 12 bytes beginning 6e 6f 74 20",
    "truncated.png": "expected a PNG image that ends with IEND",
    "truncated.jpg": "expected a JPEG image that ends with EOI",
}


@pytest.mark.parametrize(("kind", "reason"), BAD_FILES.items(), ids=BAD_FILES)
def test_a_bad_file_costs_no_other_frame(tmp_path: Path, kind: str, reason: str) -> None:
    write(tmp_path / "a.png", picture(1))
    bad_file(tmp_path, kind)
    write(tmp_path / "z.png", picture(2))
    coil = source(tmp_path)
    before, bad, after = coil.frames()
    assert (bad.header.height, bad.header.width) == (ROWS, COLUMNS)
    assert bad.header.digest == bytes_digest(bad.data)
    assert reason in unreadable_reason(bad)
    assert [before.header.along_mm, bad.header.along_mm, after.header.along_mm] == [0.0, 20.0, 40.0]
    np.testing.assert_array_equal(decode(after.data, after.header), picture(2))
    assert coil.closed()[0].frames == 3


@pytest.mark.parametrize("target", ["gone.png", "b.png"], ids=["dangling", "loop"])
def test_a_link_that_leads_nowhere_is_an_unreadable_frame(tmp_path: Path, target: str) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(target)
    write(tmp_path / "c.png", picture(2))
    before, bad, after = source(tmp_path).frames()
    assert "got 0 bytes" in unreadable_reason(bad)
    assert [before.header.along_mm, bad.header.along_mm, after.header.along_mm] == [0.0, 20.0, 40.0]


def test_the_nominal_size_is_that_of_the_first_readable_file(tmp_path: Path) -> None:
    bad_file(tmp_path, "empty.png")
    write(tmp_path / "z.png")
    first, _ = source(tmp_path).frames()
    assert (first.header.height, first.header.width) == (ROWS, COLUMNS)


def test_a_bitmap_that_claims_too_much_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.png")
    bomb = bytearray(bad_file(tmp_path, "colour.bmp").read_bytes())
    bomb[18:26] = (40_000).to_bytes(4, "little") * 2
    (tmp_path / "colour.bmp").write_bytes(bomb)
    decoded: list[int] = []
    imdecode = cv2.imdecode
    monkeypatch.setattr(
        folder.cv2, "imdecode", lambda data, flags: decoded.append(len(data)) or imdecode(data, flags)
    )
    _, frame = source(tmp_path).frames()
    assert frame.data == bomb
    assert len(bomb) not in decoded


def test_described_columns_win_over_the_first_file(tmp_path: Path) -> None:
    write(tmp_path / "a.png", picture(width=8))
    write(tmp_path / "b.png")
    first, second = source(tmp_path, line_of(camera("one"))).frames()
    assert "got 20 x 8" in unreadable_reason(first)
    assert decode(second.data, second.header).shape == (ROWS, COLUMNS)


def test_a_camera_whose_files_are_all_bad_still_speaks(tmp_path: Path) -> None:
    write(tmp_path / "good" / "1.png")
    (tmp_path / "zbad").mkdir()
    bad_file(tmp_path / "zbad", "text.png")
    coil = source(tmp_path)
    frames = list(coil.frames())
    assert [closed.frames for closed in coil.closed()] == [1, 1]
    assert frames[1].header.height == ROWS


def test_a_file_too_large_to_travel_becomes_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.source.MAX_FRAME_BYTES", 2000)
    monkeypatch.setattr(folder, "OVERSIZE_KEPT_BYTES", 500)
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", picture(height=90))
    _, large = source(tmp_path).frames()
    assert len(large.data) == 500
    assert "ends with IEND" in unreadable_reason(large)


def test_a_file_that_grows_when_it_is_encoded_anew_travels_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = np.full((90, COLUMNS), 80, np.uint8)
    file = write(tmp_path / "a.png", flat)
    monkeypatch.setattr("ingest.sources.source.MAX_FRAME_BYTES", 2000)
    (frame,) = source(tmp_path, encoding="raw").frames()
    assert (frame.header.encoding, frame.data) == ("png", file.read_bytes())
    assert np.array_equal(decode(frame.data, frame.header), flat)


def test_an_empty_folder_names_what_it_looked_for(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no image")
    with pytest.raises(SourceError, match=r"no images in .*expected files \.png, \.jpg"):
        source(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a folder of images, got .*nowhere: No such file"):
        source(tmp_path / "nowhere")


def test_a_folder_of_bad_images_says_why(tmp_path: Path) -> None:
    bad_file(tmp_path, "colour.png")
    with pytest.raises(SourceError, match=r"no readable image in .*colour\.png is the first: .*8-bit colour"):
        source(tmp_path)


def test_columns_that_no_image_has_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(
        SourceError, match=r"says 31 columns for top/one, but no image has them \(one has 30\)"
    ):
        source(tmp_path, line_of(camera("one", columns=31)))


def test_a_described_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(SourceError, match=r"no images in .*one"):
        source(tmp_path, line_of(camera("one")))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "expected a regular expression"),
        ("(?P<camera>a{99999999999})", r"expected a regular expression, got '\(\?P<camera>.*too large"),
        ("(" * 5_000, r"expected a regular expression, got '\({80}': maximum recursion depth exceeded"),
        ("(?a)(?u)(?P<camera>x+)", "expected a regular expression, got .*incompatible"),
        (r".*\.png", "group"),
        ("(?P<camera>x+)", "no images"),
    ],
    ids=["syntax", "repetition", "nested", "flags", "no group", "no match"],
)
def test_useless_patterns_are_refused(tmp_path: Path, pattern: str, message: str) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(SourceError, match=message):
        source(tmp_path, pattern=pattern)


def test_a_sub_folder_that_is_no_camera_id_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "my camera" / "a.png")
    with pytest.raises(SourceError, match=r"camera id: expected .*got 'my camera'"):
        source(tmp_path)


def test_a_coil_id_with_a_separator_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(BadRecordError, match=r"coil: .*got '\.\./coil'"):
        FolderSource(tmp_path, line="line-1", coil="../coil")


def test_natural_order() -> None:
    names = ["b2.png", "b10.png", "10.png", "9.png", "b.png", "b2a.png"]
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert [path.name for path in ordered] == ["9.png", "10.png", "b.png", "b2.png", "b2a.png", "b10.png"]
