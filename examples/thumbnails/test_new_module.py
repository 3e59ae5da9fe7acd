"""Tests of the function; in its folder run: python3 -m unittest (needs Pillow)."""

import base64
import io
import sys
import unittest
from types import SimpleNamespace
from unittest import mock

from PIL import Image


class Response(SimpleNamespace):
    """What stands for ``pratai.Response``, which is there in the container alone."""

    def __init__(self, body, status=200, headers=None):
        super().__init__(body=body, status=status, headers=headers)


CONTEXT = SimpleNamespace(event={"datacontentencoding": "base64"})
with mock.patch.dict(sys.modules, pratai=SimpleNamespace(context=CONTEXT, Response=Response)):
    from new_module import main


def picture(width, height, orientation=None):
    """Return a PNG, or a JPEG of a camera that was held in another way."""
    output = io.BytesIO()
    image = Image.new("RGB", (width, height), "teal")
    if orientation is None:
        image.save(output, "PNG")
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(output, "JPEG", exif=exif)
    return base64.b64encode(output.getvalue()).decode()


def size(answer):
    """Return the width and height of the JPEG that was answered."""
    assert answer.headers == {"Content-Type": "image/jpeg"}
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.format == "JPEG"
        return image.size


class Thumbnails(unittest.TestCase):
    """What main answers."""

    def test_it_keeps_the_proportions(self):
        """The longer side is 128 pixels."""
        self.assertEqual(size(main(picture(640, 320))), (128, 64))

    def test_it_is_turned_as_the_camera_was_held(self):
        """6 is a quarter turn."""
        self.assertEqual(size(main(picture(640, 320, orientation=6))), (64, 128))

    def test_a_small_picture_stays_as_it_is(self):
        """Nothing is made larger."""
        self.assertEqual(size(main(picture(20, 10))), (20, 10))

    def test_what_is_no_picture_is_refused(self):
        """The caller is told, and the run is no failure."""
        self.assertEqual(main(base64.b64encode(b"text").decode()).status, 415)
        with mock.patch.object(CONTEXT, "event", {}):
            self.assertEqual(main({"json": 1}).status, 415)


if __name__ == "__main__":
    unittest.main()
