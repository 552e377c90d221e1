"""Writes the tiled TIFFs that the tests read, and what they contain: `python tiles.py`.

Needs tifffile, imagecodecs and numpy. Each file has 40 x 50 pixels in tiles of 16 x 16; the JPEG tiles are
lossy, so their pixels are stored as libjpeg decodes them.
"""

import json

import numpy
import tifffile

rows, columns = numpy.mgrid[0:40, 0:50]
rgb = numpy.stack([rows * 5, columns * 5, 255 - rows * 3 - columns * 2], axis=2).astype("uint8")
gray16 = (rows * 1000 + columns * 500).astype("uint16")
alpha = numpy.concatenate([rgb, (columns * 5)[..., None].astype("uint8")], axis=2)
files = {
    "tiles-jpeg.tif": (rgb, dict(photometric="ycbcr", compression="jpeg", compressionargs={"level": 95})),
    "tiles-deflate-16.tif": (gray16, dict(photometric="minisblack", compression="zlib", predictor=True)),
    "tiles-lzw-alpha.tif": (alpha, dict(photometric="rgb", compression="lzw", extrasamples=["unassalpha"])),
}
for name, (image, options) in files.items():
    big = name == "tiles-deflate-16.tif"
    with tifffile.TiffWriter(name, bigtiff=big, byteorder=">" if big else "<") as writer:
        writer.write(image, tile=(16, 16), metadata=None, **options)
        # A smaller level, as pyramids have.
        writer.write(image[::2, ::2], tile=(16, 16), metadata=None, **options)
decoded = tifffile.imread("tiles-jpeg.tif", key=0)
with open("tiles-jpeg.json", "w") as file:
    json.dump(decoded.reshape(-1).tolist(), file, separators=(",", ":"))
