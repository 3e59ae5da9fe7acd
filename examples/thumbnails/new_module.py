"""Answers a picture with a small one: who calls sends the bytes of an image, and gets a JPEG."""

import base64
import io
import os

from PIL import Image, ImageOps
from pratai import Response, context

SIDE = int(os.environ.get("SIDE", "128"))
# Of twice as many it is refused before it is decoded, for which the function would lack memory.
Image.MAX_IMAGE_PIXELS = 10_000_000


def main(payload=None):
    """Return the thumbnail; the payload of bytes is base64, as ``datacontentencoding`` says."""
    if context.event.get("datacontentencoding") != "base64":
        return Response("send the bytes of an image", 415)
    try:
        content = thumbnail(base64.b64decode(payload))
    except (OSError, Image.DecompressionBombError) as error:
        return Response(str(error), 415)
    return Response(content, headers={"Content-Type": "image/jpeg"})


def thumbnail(content, side=SIDE):
    """Return a JPEG of at most ``side`` pixels each way, turned as the camera was held."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (2 * side, 2 * side))
        small = ImageOps.exif_transpose(image).convert("RGB")
    small.thumbnail((side, side))
    print(f"{len(content)} bytes, {image.width}x{image.height} -> {small.width}x{small.height}")
    output = io.BytesIO()
    small.save(output, "JPEG", quality=85)
    return output.getvalue()
