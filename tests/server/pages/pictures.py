"""Pictures of pages: several on one sheet, made small, and compared with a tolerance. The browser itself draws and decodes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "images" / "pages"
NOTICED = 56
"""Of 255: a pixel that differs by more is another one; edges of letters differ by less between versions of a font."""
TOLERATED = 0.02
"""The share of other pixels that is still the same picture."""

_COMPOSE = """async ([shots, columns, scale]) => {
  const images = await Promise.all(shots.map(async (data) => createImageBitmap(await (await fetch(data)).blob())));
  const [w, h] = [Math.round(images[0].width * scale), Math.round(images[0].height * scale)];
  const canvas = new OffscreenCanvas(columns * w, Math.ceil(images.length / columns) * h);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  images.forEach((image, i) => pen.drawImage(image, (i % columns) * w, Math.floor(i / columns) * h, w, h));
  const bytes = new Uint8Array(await (await canvas.convertToBlob({type: "image/webp", quality: 0.6})).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""
_COMPARE = """async ([one, other, noticed]) => {
  const pixels = async (data) => {
    const image = await createImageBitmap(await (await fetch(data)).blob());
    const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
    pen.drawImage(image, 0, 0);
    return pen.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await pixels(one), await pixels(other)];
  if (a.width !== b.width || a.height !== b.height) return 1;
  let others = 0;
  const apart = (i) => Math.abs(a.data[i] - b.data[i]) > noticed;
  for (let i = 0; i < a.data.length; i += 4) if (apart(i) || apart(i + 1) || apart(i + 2)) others += 1;
  return others / (a.width * a.height);
}"""


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


async def composed(browser: Browser, shots: Sequence[bytes], *, columns: int, scale: float) -> bytes:
    """PNG pictures as one WebP."""
    page = await browser.new_page()
    text = await page.evaluate(_COMPOSE, [[_data("png", shot) for shot in shots], columns, scale])
    await page.close()
    return base64.b64decode(text)


async def compare(browser: Browser, path: Path, shots: Sequence[bytes], *, columns: int, update: bool) -> None:
    """With the kept sheet of the same name, which is written anew when `update` says so."""
    picture = await composed(browser, shots, columns=columns, scale=0.5)
    if update:
        _write(path, picture)
    await assert_same(browser, path, picture)


async def assert_same(browser: Browser, path: Path, picture: bytes) -> None:
    kept = _read(path)
    assert kept, f"{path.name} was never made; look at the page, then: pytest --update-golden"
    page = await browser.new_page()
    share = await page.evaluate(_COMPARE, [_data("webp", kept), _data("webp", picture), NOTICED])
    await page.close()
    assert share <= TOLERATED, f"{share:.1%} of {path.name} is other; look at it, then: pytest --update-golden"


def _write(path: Path, picture: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
