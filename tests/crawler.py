"""Looks at a site that lies in a folder, without a browser: what is dead, loaded from elsewhere, or without words."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

#: What a browser loads by itself as soon as it shows a page, and what else a page names.
LOADED = {"src", "srcset", "poster", "data", "background"}
NAMED = {"href", "xlink:href"}
LOADING_LINKS = {"stylesheet", "preload", "prefetch", "modulepreload", "icon", "manifest"}
ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
IN_SCRIPT = re.compile(r"""https?://|["'`]//""")
IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Crawler:
    """All pages and styles of a folder; what it found, in lists of sentences."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.pages = {
            path: BeautifulSoup(path.read_text("utf-8"), "html.parser")
            for path in sorted(self.folder.rglob("*.html"))
            if "_static" not in path.parts  # templates of a theme, to which no page leads
        }
        self.dead, self.loaded_elsewhere, self.without_alt = [], [], []
        self.count_elsewhere, self.images = 0, 0
        self._ids = {
            path: {tag.get("id") or tag.get("name") for tag in page.select("[id], a[name]")}
            for path, page in self.pages.items()
        }
        for path, page in self.pages.items():
            self._look_at(path, page)
        for path in self.folder.rglob("*.css"):
            self._look_at_style(path, path.read_text("utf-8"))

    def _look_at(self, path: Path, page: BeautifulSoup) -> None:
        for tag in page.find_all(True):
            for name, value in tag.attrs.items():
                if name in LOADED or (name in NAMED and self._loads(tag)):
                    self._follow(path, value, loads=True)
                elif name in NAMED:
                    self._follow(path, value, loads=False)
                elif name == "style":
                    self._look_at_style(path, value)
            if tag.name == "style":
                self._look_at_style(path, tag.text)
            if tag.name == "script" and not tag.get("src") and IN_SCRIPT.search(tag.text):
                self.loaded_elsewhere.append(f"{path.name}: a script names {tag.text.strip()[:80]}")
        for image in page.select("img, svg[role=img], input[type=image]"):
            self.images += 1
            if not (image.get("alt") or image.get("aria-label") or "").strip():
                self.without_alt.append(f"{path.name}: {str(image)[:80]}")

    def _loads(self, tag) -> bool:
        return tag.name != "a" and (tag.name != "link" or bool({*tag["rel"]} & LOADING_LINKS))

    def _look_at_style(self, path: Path, text: str) -> None:
        for first, second in IN_CSS.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
            self._follow(path, first or second, loads=True)

    def _follow(self, path: Path, address: str, *, loads: bool) -> None:
        if ELSEWHERE.match(address):
            if loads:
                self.loaded_elsewhere.append(f"{path.name}: {address}")
            self.count_elsewhere += 1
            return
        parts = urlsplit(address)
        if parts.scheme in ("data", "mailto"):
            return
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        inside = target.is_relative_to(self.folder) and target.is_file()
        fragment = unquote(parts.fragment)
        if not inside or (fragment and target in self._ids and fragment not in self._ids[target]):
            self.dead.append(f"{path.name}: {address}")
