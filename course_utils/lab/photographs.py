"""Photographs of any kind, as grey images of a size that is quick to work with."""

import io
import os
import warnings
from contextlib import suppress

import numpy as np
from PIL import Image, ImageOps

LARGEST = 50_000_000  # pixels of a photograph
ENOUGH = 2000  # pixels of its longer side: with more, all would only take longer
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")


def open_grey(source):
    """Return a photograph as a grey image (height, width), uint8, at most 2,000 pixels a side.

    `source` is a path, the bytes of a file, an open file, or an array (height, width) or (height,
    width, 3 or 4) of floats 0–1 or integers 0–255, or 0–65,535 if there are larger ones. It is turned
    as the camera says, and what is transparent becomes white. Raises ValueError if it is no such
    image, or has more than 50 megapixels.
    """
    is_file = isinstance(source, memoryview) or not hasattr(source, "shape")
    image = _from_file(source) if is_file else _from_array(source)
    if image.mode[0] in "IF":  # 16 or 32 bits a pixel, which Pillow would cut off at 255
        image = Image.fromarray(_as_bytes(np.asarray(image)))
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")  # numbers of colours can't be averaged
    elif image.mode in ("1", "LAB", "HSV"):
        image = image.convert("RGB")
    image.thumbnail((ENOUGH, ENOUGH), reducing_gap=2)
    # what a camera says may be broken, and the photograph all right
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA"):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("L"))


def _from_file(source):
    """Return the image in a file, made smaller where its form allows that, or say what is wrong."""
    if isinstance(source, str | os.PathLike):
        with open(os.path.expanduser(source), "rb") as file:
            return _from_file(file)
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if not hasattr(source, "read"):
        raise ValueError(
            "a photograph must be a path, the bytes of a file, an open file or an array, but is a "
            f"{type(source).__name__}"
        )
    start = source.read(12)
    source.seek(0)
    if start[4:8] == b"ftyp":
        raise ValueError(
            "this is a photograph in the form HEIC or AVIF, or a video, which can't be read here: save "
            "it as JPEG or PNG (an iPhone does so by Settings, Camera, Formats, Most Compatible)"
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the camera wrote into the file
            image = Image.open(source, formats=FORMATS)
            width, height = image.size
            if width * height <= LARGEST:
                scale = max(1, max(width, height) / ENOUGH)
                image.draft("L", (int(width / scale), int(height / scale)))  # only JPEG can
                image.load()
    except Image.DecompressionBombError:
        raise _too_large("more than 170") from None
    except Exception as error:  # a broken file can raise almost anything
        raise ValueError(
            "this is no photograph that can be read, or a broken one "
            f"({type(error).__name__}): try to save it again, as JPEG or PNG"
        ) from error
    if width * height > LARGEST:
        raise _too_large(f"{width * height / 1e6:.0f}")
    return image


def _too_large(megapixels):
    return ValueError(
        f"the photograph has {megapixels} megapixels, but may have at most "
        f"{LARGEST / 1e6:.0f}: make it smaller, or cut out the part with the digits"
    )


def _from_array(array):
    """Return an array as an image of bytes, or say what is wrong with it."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ValueError(
            "an array must have the shape (height, width), or (height, width, 3 or 4) for colours, "
            f"but has {array.shape}"
        )
    if array.shape[0] * array.shape[1] > LARGEST:
        raise _too_large(f"{array.shape[0] * array.shape[1] / 1e6:.0f}")
    return Image.fromarray(_as_bytes(array))


def _as_bytes(array):
    """Return numbers as uint8: of floats 0–1, of integers 0–255, or 0–65,535 if there are larger."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"an image must be an array of numbers, but is one of {array.dtype}")
    if array.dtype in (np.uint8, np.dtype(bool)):
        return array if array.dtype == np.uint8 else array * np.uint8(255)
    low, high = array.min(), array.max()
    scales = (1, 255, 65535) if array.dtype.kind == "f" else (255, 65535)
    full = next((scale for scale in scales if high <= scale), None)
    if full is None or not low >= 0:  # nan fails, too
        raise ValueError(
            "an image must have floats from 0 to 1, or integers from 0 to 255 or 65535, but has "
            f"{array.dtype} from {low:g} to {high:g}"
        )
    result = np.empty(array.shape, np.uint8)
    for row, line in zip(result, array, strict=True):  # by rows, which needs no second large array
        row[:] = np.rint(line * (255 / full))
    return result
