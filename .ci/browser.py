"""Uses the page as a person would and compares it with the command line: ADDRESS, folder of programs, folder
for files. With SHOTS=folder it also saves images of the page, wide and narrow, light and dark."""

import base64
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import zipfile

from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

ADDRESS, PROGRAMS, DIR = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
MODELS = pathlib.Path("crates/predict/tests/models").resolve()
DIGITS = pathlib.Path("apps/browser/page/digits").resolve()
SHOTS = os.environ.get("SHOTS")

# Strokes of digits as a hand draws them, in shares of the side of the area.
DRAWINGS = {
    "0": [[(0.5 + 0.2 * math.sin(t / 10), 0.5 - 0.33 * math.cos(t / 10)) for t in range(0, 64)]],
    "1": [[(0.38, 0.32), (0.52, 0.15), (0.52, 0.85)]],
    "2": [[(0.3, 0.3), (0.38, 0.18), (0.55, 0.16), (0.67, 0.28), (0.6, 0.46), (0.3, 0.82), (0.72, 0.82)]],
    "3": [[(0.3, 0.22), (0.5, 0.15), (0.66, 0.28), (0.6, 0.42), (0.45, 0.48), (0.65, 0.56), (0.68, 0.72),
           (0.5, 0.85), (0.3, 0.78)]],
    "4": [[(0.55, 0.15), (0.28, 0.58), (0.75, 0.58)], [(0.6, 0.38), (0.6, 0.88)]],
    "5": [[(0.68, 0.17), (0.36, 0.17), (0.34, 0.46), (0.55, 0.42), (0.68, 0.56), (0.64, 0.76), (0.48, 0.84),
           (0.3, 0.78)]],
    "6": [[(0.62, 0.15), (0.42, 0.32), (0.34, 0.6), (0.4, 0.8), (0.55, 0.84), (0.66, 0.7), (0.58, 0.55),
           (0.44, 0.56), (0.37, 0.66)]],
    "7": [[(0.3, 0.18), (0.7, 0.18), (0.45, 0.85)]],
    "8": [[(0.62, 0.26), (0.48, 0.15), (0.36, 0.27), (0.48, 0.45), (0.64, 0.62), (0.6, 0.8), (0.46, 0.85),
           (0.34, 0.74), (0.42, 0.56), (0.58, 0.42), (0.62, 0.26)]],
    "9": [[(0.64, 0.3), (0.5, 0.17), (0.36, 0.3), (0.42, 0.46), (0.58, 0.46), (0.65, 0.3), (0.63, 0.6),
           (0.55, 0.85)]],
}


def run(program, *arguments):
    command = [f"{PROGRAMS}/{program}", *map(str, arguments)]
    ran = subprocess.run(command, cwd=DIR, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def command_line(program, model, file):
    return [json.loads(line) for line in run(program, "predict", "--run", model, "--json", file).splitlines()]


def assert_close(found, expected, path=""):
    """Equal but for numbers that differ by less than 1e-6, or that share where they are above 1."""
    if isinstance(expected, dict):
        keys = set(expected) - {"input", "output"}
        assert set(found) - {"input"} == keys, (path, found, expected)
        return max([assert_close(found[key], expected[key], f"{path}.{key}") for key in keys], default=0)
    if isinstance(expected, list):
        assert len(found) == len(expected), (path, found, expected)
        return max([assert_close(f, e, path) for f, e in zip(found, expected)], default=0)
    if isinstance(expected, float) and not isinstance(found, bool):
        difference = abs(found - expected) / max(1, abs(expected))
        assert difference < 1e-6, f"{path}: {found} is not {expected}"
        return difference
    assert found == expected, (path, found, expected)
    return 0


class Browser:
    def __init__(self, page):
        self.page, self.problems, self.urls = page, [], []
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and self.problems.append(line.text))
        page.on("dialog", lambda dialog: self.problems.append(dialog.message))

    def count(self):
        return self.page.evaluate("performance.getEntriesByName('predict').length")

    def answer(self, act):
        """The lines of the prediction that `act` asks for."""
        before = self.count()
        act()
        self.page.wait_for_function("n => performance.getEntriesByName('predict').length > n", arg=before)
        self.settle()
        return json.loads(self.page.evaluate("performance.getEntriesByName('predict').at(-1).detail.text"))

    def settle(self):
        """Waits until nothing is computed."""
        self.page.wait_for_function("() => document.getElementById('prediction').ariaBusy === 'false'")

    def open(self, field, path):
        name = self.page.inner_text("#model")
        before = self.page.evaluate("performance.getEntriesByName('open model').length")
        self.page.set_input_files(field, path)
        self.page.wait_for_function("n => performance.getEntriesByName('open model').length > n", arg=before)
        assert self.page.inner_text("#model") != name and self.page.is_hidden("#error")

    def error(self, act):
        act()
        self.page.wait_for_selector("#error:not([hidden])")
        return self.page.inner_text("#error")

    def draw(self, digit):
        self.page.click("#clear")
        box = self.page.locator("#pad").bounding_box()
        at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])
        for stroke in DRAWINGS[digit]:
            self.page.mouse.move(*at(*stroke[0]))
            self.page.mouse.down()
            for x, y in stroke[1:]:
                self.page.mouse.move(*at(x, y), steps=4)
            self.page.mouse.up()

    def drawing(self, file):
        url = self.page.evaluate("document.getElementById('pad').toDataURL('image/png')")
        file.write_bytes(base64.b64decode(url.split(",")[1]))
        return file

    def shot(self, name):
        if not SHOTS:
            return
        for scheme in ["light", "dark"]:
            self.page.emulate_media(color_scheme=scheme)
            for width in [1280, 390]:
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
        self.page.set_viewport_size({"width": 1280, "height": 900})


def digits(browser):
    page = browser.page
    best = math.inf
    # The other programs of this computer have a say in each try.
    for _ in range(3):
        page.goto(ADDRESS)
        page.wait_for_function("() => performance.getEntriesByName('warm up').length > 0")
        opened = page.evaluate("performance.getEntriesByName('open model').map(it => it.startTime + it.duration)[0]")
        load, cold = page.evaluate("['open model', 'warm up'].map(name => performance.getEntriesByName(name)[0].detail)")
        best = min(best, cold)
        browser.settle()
        browser.answer(lambda: browser.draw("3"))
        times = page.evaluate("performance.getEntriesByName('predict').map(it => it.duration)")
        print(f"digits: usable {opened:.0f} ms after opening; {load:.1f} ms to load the model, {cold:.1f} ms to its first "
              f"answer, {times[0]:.1f} ms to the first drawing's, {sorted(times)[len(times) // 2]:.1f} ms later")
    assert best <= 100, f"{best} ms from the loaded model to its first answer"
    right, worst = 0, 0
    for digit in DRAWINGS:
        found = browser.answer(lambda: browser.draw(digit))
        expected = command_line("vision", DIGITS, browser.drawing(DIR / "drawing.png"))
        worst = max(worst, assert_close(found, expected))
        right += found[0]["label"] == digit
        assert page.inner_text("#answer") == found[0]["label"]
        if digit == "4":
            browser.shot("digits")
    print(f"digits: {right} of 10 drawings are read, largest difference {worst:.1e}")
    assert right >= 9
    page.click("#tab-photo")
    photo = MODELS / "image-classifier.in.png"
    found = browser.answer(lambda: page.set_input_files("#image", photo))
    worst = assert_close(found, command_line("vision", DIGITS, photo))
    # A photo of a sheet of paper.
    large = Image.new("RGB", (900, 700), (225, 220, 205))
    ImageDraw.Draw(large).line([(300, 150), (600, 150), (420, 560)], fill=(40, 45, 90), width=50, joint="curve")
    large.save(DIR / "paper.jpg")
    found = browser.answer(lambda: page.set_input_files("#image", DIR / "paper.jpg"))
    worst = max(worst, assert_close(found, command_line("vision", DIGITS, DIR / "paper.jpg")))
    print(f"image files: largest difference {worst:.1e}")
    browser.shot("image")


def table(browser):
    page = browser.page
    packed = DIR / "cells.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for entry in (MODELS / "table-model").iterdir():
            file.write(entry, f"model/{entry.name}")
    browser.open("#zip", packed)
    rows = MODELS / "table-model.in.csv"
    expected = command_line("tabular", MODELS / "table-model", rows)
    page.click("#tab-table")
    worst = assert_close(browser.answer(lambda: page.set_input_files("#rows", rows)), expected)
    browser.shot("table")
    page.click("#tab-row")
    names, cells = [line.split(",") for line in rows.read_text().splitlines()[:2]]
    for name, cell in zip(names, cells):
        page.fill(f'#cells [name="{name}"]', cell)
    found = browser.answer(lambda: page.click("#row button[type=submit]"))
    worst = max(worst, assert_close(found, expected[:1]))
    print(f"table: a file and a row, largest difference {worst:.1e}")
    browser.shot("row")
    page.fill(f'#cells [name="{names[0]}"]', "wide")
    text = browser.error(lambda: page.click("#row button[type=submit]"))
    assert "wide" in text and names[0] in text, text


def photos(browser):
    """Small models of masks, boxes and points."""
    noise = random.Random(0)
    for kind in ["cutout", "detect", "landmarks"]:
        data = DIR / kind
        data.mkdir()
        if kind == "cutout":
            (data / "images").mkdir()
            (data / "masks").mkdir()
        points = [",0,1,2,3,4,5,6,7"]
        for at in range(20):
            left, top, side = 6 + 5 * at % 17, 8 + 7 * at % 13, 26
            photo = Image.effect_noise((64, 64), 20).convert("RGB")
            corners = (left, top, left + side, top + side)
            ImageDraw.Draw(photo).rectangle(corners, fill=(235, 205 + noise.randrange(20), 90))
            name = f"{at:02}.png"
            if kind == "cutout":
                photo.save(data / "images" / name)
                mask = Image.new("L", photo.size)
                ImageDraw.Draw(mask).rectangle(corners, fill=255)
                mask.save(data / "masks" / name)
            else:
                photo.save(data / name)
            if kind == "detect":
                middle = [(edge + side / 2) / 64 for edge in (left, top)]
                (data / f"{at:02}.txt").write_text(f"0 {middle[0]} {middle[1]} {side / 64} {side / 64}\n")
            right, bottom = left + side, top + side
            points.append(f"{name},{left},{top},{right},{top},{right},{bottom},{left},{bottom}")
        if kind == "detect":
            (data / "classes.txt").write_text("sheet\n")
        if kind == "landmarks":
            (data / "points.csv").write_text("\n".join(points) + "\n")
        settings = {
            "cutout": ["model.kind=unet", "model.depth=1", "model.base_channels=4", "data.size=64",
                       "optimizer.learning_rate=0.02"],
            "detect": ["model.channels=[4,8,8,8,8]", "model.neck_channels=8", "model.blocks_per_stage=0",
                       "data.size=64", "optimizer.learning_rate=0.02"],
            "landmarks": ["augment.flip=0", "average_flip=false", "data.size=24", "model.block_channels=[4,8]",
                          "model.d_hidden=16", "model.modes=4"],
        }[kind]
        settings = [part for setting in settings for part in ("--set", setting)]
        run("vision", "train", "--quiet", "--no-baseline", "--no-report", "--recipe", kind, "--data", data, "--batch-size", 4,
            "--epochs", 30, "--out", DIR / f"{kind}-run", *settings)
        photo = data / "images/03.png" if kind == "cutout" else data / "03.png"
        browser.open("#folder", DIR / f"{kind}-run" / "model")
        found = browser.answer(lambda: browser.page.set_input_files("#image", photo))
        expected = command_line("vision", DIR / f"{kind}-run", photo)
        print(f"{kind}: largest difference {assert_close(found, expected):.1e}, "
              f"{browser.page.inner_text('#answer')}, {browser.page.inner_text('#time')}")
        assert browser.page.locator("#details canvas").count() == 1
        browser.shot(kind)


def changed(name, change):
    """A copy of the stored image classifier with another `model.json`."""
    folder = DIR / name
    folder.mkdir()
    spec = json.loads((MODELS / "image-classifier/model.json").read_text())
    change(spec)
    (folder / "model.json").write_text(json.dumps(spec))
    (folder / "weights.safetensors").write_bytes((MODELS / "image-classifier/weights.safetensors").read_bytes())
    return folder


def mistakes(browser):
    page = browser.page
    if page.is_visible("#first"):
        page.click("#first")
        page.wait_for_selector("#tab-draw:not([hidden])")
    newer = changed("newer", lambda spec: spec.update(format=99, versions={"tinderbox": "9.0.0"}))
    text = browser.error(lambda: page.set_input_files("#folder", newer))
    assert "its format is 99 (Tinderbox 9.0.0)" in text and "update this program" in text, text
    browser.shot("newer")
    works(browser)
    text = browser.error(lambda: page.set_input_files("#folder", MODELS / "text-model"))
    assert "models of texts do not run in a page" in text, text
    works(browser)
    (DIR / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    text = browser.error(lambda: page.set_input_files("#zip", DIR / "broken.zip"))
    assert "`broken.zip` is damaged" in text, text
    works(browser)
    markup = "<img src=x onerror=alert(1)>"
    browser.open("#folder", changed("markup", lambda spec: spec["labels"].__setitem__(3, markup)))
    browser.answer(lambda: browser.draw("3"))
    assert markup in page.inner_text("#details") and page.locator("#details img").count() == 0
    page.click("#tab-photo")
    (DIR / "no-image.png").write_text("this is text")
    text = browser.error(lambda: page.set_input_files("#image", DIR / "no-image.png"))
    assert "no-image.png" in text, text
    print("mistakes: a newer model, texts, a damaged ZIP file, markup, no image")


def crash(browser):
    """The program in the page ends when it has no memory left; the page starts it again, with its model."""
    page = browser.page
    page.goto(ADDRESS)
    page.wait_for_selector("main:not([hidden])")
    works(browser)
    Image.new("RGB", (7000, 5000), (225, 220, 205)).save(DIR / "large.png")
    page.click("#tab-photo")
    text = browser.error(lambda: page.set_input_files("#image", DIR / "large.png"))
    assert "the program crashed" in text and "memory" in text, text
    page.click("#tab-draw")
    works(browser)
    print("crash: the page goes on")


def works(browser):
    """The page goes on with the model of digits."""
    assert browser.answer(lambda: browser.draw("1"))[0]["label"] == "1"
    assert browser.page.is_hidden("#error")


with sync_playwright() as playwright:
    path = os.environ.get("CHROMIUM") or None
    chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    browser = Browser(chromium.new_page(viewport={"width": 1280, "height": 900}))
    for part in [digits, table, photos, mistakes]:
        part(browser)
    # Pages of memory of 64 KiB.
    tight = playwright.chromium.launch(
        executable_path=path, args=["--no-sandbox", "--js-flags=--wasm-max-mem-pages=800"])
    crash(Browser(tight.new_page()))
    tight.close()
    narrow = chromium.new_page(viewport={"width": 390, "height": 800})
    narrow.goto(ADDRESS)
    narrow.wait_for_selector("main:not([hidden])")
    wide = narrow.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, f"the page is {wide} pixels wide on a screen of 390"
    foreign = [url for url in browser.urls if not url.startswith((ADDRESS, f"blob:{ADDRESS}"))]
    assert not foreign, foreign
    # Nothing was refused by the policy, and nothing failed unseen.
    assert not browser.problems, browser.problems
    chromium.close()
print("the page does what the command line does")
