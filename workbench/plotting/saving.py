"""Pictures as files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.datasets.cards import CHECKOUT
from workbench.errors import WorkbenchError
from workbench.plotting.style import alt_text, figure_of, style_context


@style_context()
def save_figure(picture: Axes | Figure, name: str, *, folder: Path | str | None = None) -> list[Path]:
    """Write a picture as PNG (150 dpi) and SVG; the same picture gives the same SVG, byte for byte.

    Parameters
    ----------
    picture : Axes or Figure
        With axes, the whole figure is written.
    name : str
        File name without ending, folders allowed: ``"image_delivery/frontier"``.
    folder : path, optional
        Where names start; default ``figures/`` of the checkout. Made where it does not exist.

    Returns
    -------
    list of Path
        The PNG and the SVG. Both carry the alternative text as their description.

    Raises
    ------
    WorkbenchError
        Where the name is absolute or leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or ":" in name:
        raise WorkbenchError(
            f"a figure's name is a relative path without '..', such as 'image_delivery/frontier'; got {name!r}."
        )
    figure = figure_of(picture) if isinstance(picture, Axes) else picture
    words = {"Description": alt_text(figure)}
    stem = Path(folder or CHECKOUT / "figures") / path
    stem.parent.mkdir(parents=True, exist_ok=True)
    # Not with_suffix(): a name may hold a dot.
    png, svg = (stem.with_name(stem.name + ending) for ending in (".png", ".svg"))
    figure.draw_without_rendering()  # a layout that has settled stays the same, byte for byte
    figure.savefig(png, metadata=words)
    figure.savefig(svg, metadata=words | {"Date": None})
    return [png, svg]
