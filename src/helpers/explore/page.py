"""What all pages with controls share: showing, hearing, uploads.

A page is two things. Its state, and what it shows of it (``sentence``, ``html()``, ``figure()``),
know no controls: see `helpers.explore.album` and `helpers.classroom.steps`. The controls are
made when the page is first shown to a person, or by ``page.make_controls()``; then
``page.controls.radius.value = 3`` does what a hand would do. Where nobody can use controls, since
a program runs the notebook, the page shows a figure of itself and a sentence instead.
"""

from __future__ import annotations

import html
import io
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

from IPython import get_ipython
from IPython.display import display
from PIL import Image

from helpers import Problem
from helpers.classroom import plots, steps
from helpers.explore import album

#: The largest upload that Jupyter Server takes by default, and the largest one after `make lab`.
#: Jupyter drops larger files without an error.
UPLOAD_MEGABYTES, LAB_UPLOAD_MEGABYTES = 10, 100
_LABEL_WIDTH = "155px"
_STYLE = f"<style>\n{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


def is_run_by_a_person() -> bool:
    """Whether a person runs this cell, and not a program.

    Returns
    -------
    bool
        False outside of Jupyter, too. A program that runs notebooks tells the kernel that it
        cannot be asked anything.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if hasattr(kernel, "get_parent") else {}
    return bool(request.get("content", {}).get("allow_stdin"))


def widgets_module() -> ModuleType:
    """The module ipywidgets, which is imported only when controls are made.

    Returns
    -------
    module
        The package ``ipywidgets``.

    Raises
    ------
    Problem
        If it is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise Problem(
            "controls need ipywidgets, which is not installed: "
            'run  python -m pip install "image-fingerprints[notebooks]"  and restart the kernel'
        ) from error
    return ipywidgets


def in_a_row(*controls: object) -> object:
    """Put controls side by side; below one another where the window is narrow.

    Parameters
    ----------
    *controls : ipywidgets.Widget
        The controls, from left to right.

    Returns
    -------
    ipywidgets.HBox
        The row.
    """
    row = widgets_module().HBox(controls)
    row.layout.flex_flow = "row wrap"
    return row


def as_html(image: Image.Image | None, words: str, width: int | None = None) -> str:
    """A picture as HTML, sharp at a zoom of 200 %.

    Parameters
    ----------
    image : PIL.Image.Image or None
        The picture; None if there is none, since its file cannot be read.
    words : str
        What it shows, for those who cannot see it.
    width : int, optional
        How wide a photograph is shown, and how high at most, in pixels of the page. Left out for
        squares from `helpers.classroom.steps`, which know how large they are to be shown.

    Returns
    -------
    str
        HTML that holds the picture.
    """
    if image is None:
        return f'<span style="width:{width}px">cannot be read</span>'
    content = io.BytesIO()
    if width is None:
        kind, style = "png", f"width:{image.width // steps.SHARP}px"
        image.save(content, "PNG", compress_level=3)
    else:
        kind, style = "jpeg", f"width:{width}px;max-height:{width}px"
        small = image.copy()
        small.thumbnail((steps.SHARP * width, steps.SHARP * width))
        small.convert("RGB").save(content, "JPEG", quality=85)
    source = f"data:image/{kind};base64,{b64encode(content.getvalue()).decode()}"
    return f'<img src="{source}" alt="{html.escape(words)}" style="{style}">'


class Page:
    """What all pages share: showing, hearing, uploads.

    A page has the text ``name``, the properties ``sentence`` and ``remarks``, and the methods
    ``html()`` and ``figure()``. Of its controls it knows how to make the rows (``_make_rows``), how
    to put its state into them (``_fill``), how to read the picture that was typed (``_read``), and
    what to do with a picture (``_take_picture``).
    """

    def __init__(self) -> None:
        self.controls: SimpleNamespace | None = None
        self._quiet = False
        self._problem = ""

    def __repr__(self) -> str:
        return f"{self.name} {self.sentence}"

    # showing

    def make_controls(self) -> SimpleNamespace:
        """Make the controls, if they are not there yet.

        Returns
        -------
        SimpleNamespace
            The controls by name, and all of them together as ``page``; kept as ``controls``.
        """
        if self.controls is None:
            widgets = widgets_module()
            self.controls = SimpleNamespace(status=widgets.HTML(), results=widgets.HTML())
            rows = [*self._make_rows(self.controls), self.controls.status, self.controls.results]
            self.controls.page = widgets.VBox(rows)
            self._render()
        return self.controls

    def _ipython_display_(self) -> None:
        why = "; run the cell in JupyterLab to use it"
        if is_run_by_a_person():
            try:
                view = {"version_major": 2, "version_minor": 0}
                view["model_id"] = self.make_controls().page.model_id
                live = {"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}
                display(live, raw=True)
                why = ""
            except Problem as problem:
                why = f": {problem}"
        # For people who open the saved notebook. Where the page is live, its style hides this.
        plots.show(*self.figure())
        if why:
            print(f"{self.name} This is a picture of it{why}.")

    def _render(self) -> None:
        if self.controls is not None:
            with self._unheard():  # after a failure, too, so that the controls say what is shown
                self._fill()
            self._tell(self.sentence, self.remarks, self._problem)
            self.controls.results.value = self.html()

    def _tell(self, sentence: str, remarks: list[str] | None = None, problem: str = "") -> None:
        told = f'<p role="status">{html.escape(sentence)}</p>'
        if problem:
            alert = f"<b>Problem:</b> {html.escape(problem)}"
            told = f'<p role="alert" class="problem">{alert}</p>{told}'
        if remarks:
            told += f"<p><small>{html.escape(' '.join(remarks))}</small></p>"
        self.controls.status.value = f'{_STYLE}<div class="explore explore-live">{told}</div>'

    def _report(self, sentence: str) -> None:
        self._tell(f"{sentence} To stop: Kernel, then Interrupt.")

    # hearing

    def _observe(self, control: object, act: Callable[[object], None]) -> None:
        """Call `act` with each new value of a control."""

        def heard(event: dict) -> None:
            if not self._quiet:
                self._try(lambda: act(event["new"]))

        control.observe(heard, "value")

    def _try(self, act: Callable[[], None]) -> None:
        """Do what a control asks for; an error becomes a sentence, and the page stays as it was."""
        self._problem = ""
        try:
            act()
        except Problem as problem:
            self._problem = str(problem).replace("run this again", "try again")
        except KeyboardInterrupt:
            self._problem = "interrupted; nothing has changed"
        except Exception as error:  # else it would only be written to a log
            self._problem = f"that did not work ({type(error).__name__}: {error})"
        self._render()

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Set controls without the page acting on it."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    # controls that both have. Each has a label that is tied to it, for screen readers.

    def _text(self, control: object, label: str, example: str) -> object:
        """A text that counts when Enter is pressed or the control is left."""
        control.description, control.tooltip = label, label
        control.placeholder, control.continuous_update = f"{example}, then Enter", False
        control.style.description_width = _LABEL_WIDTH
        control.layout = {"width": "560px", "max_width": "98%"}
        return control

    def _number(self, label: str, low: int, high: int, value: int) -> tuple:
        """A number to type, and a slider that follows it.

        A slider of ipywidgets has no name for screen readers, so that it cannot stand alone.
        """
        widgets = widgets_module()
        number = widgets.BoundedIntText(value, min=low, max=high, description=label)
        number.style.description_width = _LABEL_WIDTH
        number.layout.width = "225px"
        slider = widgets.IntSlider(value, min=low, max=high, readout=False)
        slider.layout = {"flex": "1 1 160px", "min_width": "120px", "max_width": "320px"}
        number.tooltip = slider.tooltip = f"{label}: {low} to {high}"
        widgets.link((number, "value"), (slider, "value"))
        return number, in_a_row(number, slider)

    def _button(self, label: str, act: Callable[[], None]) -> object:
        button = widgets_module().Button(description=label, tooltip=label)
        button.layout = {"width": "auto", "flex": "none"}
        button.on_click(lambda _: self._try(act))
        return button

    def _uploads(self, controls: SimpleNamespace) -> object:
        hint = (
            f'<div class="explore"><small>Up to {UPLOAD_MEGABYTES} MB, or {LAB_UPLOAD_MEGABYTES} '
            "if <code>make lab</code> started JupyterLab. Jupyter drops a larger file without an "
            "error, and the button stops working: renew it, and type the file's path.</small></div>"
        )
        controls.place = widgets_module().HBox()
        controls.renew = self._button("Renew the upload button", self._renew_upload)
        self._renew_upload()
        return in_a_row(controls.place, controls.renew, widgets_module().HTML(hint))

    def _renew_upload(self) -> None:
        label = "Upload a picture"
        upload = widgets_module().FileUpload(description=label, tooltip=label)
        upload.accept = "image/*,.heic,.heif"
        upload.layout = {"width": "auto", "flex": "none"}
        upload.add_class("explore-upload")  # the style hides a count that is always 0
        self._observe(upload, self._take_upload)
        self.controls.upload, self.controls.place.children = upload, [upload]

    def _take_upload(self, files: tuple) -> None:
        if not files:
            return
        with self._unheard():  # so that the same file can be brought again
            self.controls.upload.value = ()
        self._report(f"Reading {files[0]['name']}.")
        self._take_picture(album.read_upload(files[0]["name"], bytes(files[0]["content"])))

    def _take_path(self, path: str) -> None:
        if path.strip():  # else it was only cleared
            self._report(f"Reading {path.strip()}.")
            self._take_picture(self._read(path.strip()))
