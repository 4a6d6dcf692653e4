"""Pages made from data whose names try to be markup, script, links or terminal codes, in a real browser."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench.export.notebooks import render_notebook

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "<!--<script>",
    "<svg onload=window.hacked=1>",
    "[a](javascript:window.hacked=1)",
    "![a](http://127.0.0.1:9/x.png)",
    "javascript:window.hacked=1",
    "$\\frac{1}{$",
    "{{7*7}} %s {0}",
    "\x1b[31mred",
    "\u202eevil",
    "| a | `x` | _b_",
    "=cmd|1",
    "日本語のページ",
    "العربية",
    "😀",
    "a" * 300,
)
NAMED = ("country", "region", "city", "asn", "isp", "os_family", "browser", "device", "page")
OURS = ("simulated", "view_id", "session_id", "position")  # worked out anew
# 02 has the most names; the others where there is time (make fuzz).
SETS = {"02_prefetch": "navigations"}
if os.environ.get("FUZZ"):
    SETS |= {"01_image_delivery": "measurements", "03_explain": "measurements"}


def write_hostile(kind: str, folder: Path) -> Path:
    """A card, with rows of a simulated set whose columns, titles and values have such names."""
    views = wb.load(f"synthetic_{kind}", rows=3000)
    views = pd.DataFrame(views).drop(columns=list(OURS), errors="ignore")
    for column in views.columns.intersection(NAMED):
        values = views[column].astype(str)
        levels = values.value_counts().index
        names = {level: HOSTILE[i % len(HOSTILE)] + "." * (i // len(HOSTILE)) for i, level in enumerate(levels)}
        views[column] = values.map(names)
    source = {f"<b onmouseover=alert(1)>{column}": column for column in views}
    views.set_axis(list(source), axis=1).to_csv(folder / f"{kind}.csv", index=False)
    entries = {"title": HOSTILE[0] + HOSTILE[1], "citation": HOSTILE[1], "licence": HOSTILE[5], "kind": kind}
    lines = [f"{name} = {json.dumps(value)}" for name, value in entries.items()]
    lines += ["[columns]", *(f"{json.dumps(name)} = {json.dumps(column)}" for name, column in source.items())]
    card = folder / f"{kind}.toml"
    card.write_text("\n".join([*lines, "[[files]]", f'name = "{kind}.csv"', ""]), encoding="utf-8")
    return card


@pytest.mark.parametrize("notebook", SETS)
def test_hostile_names_run_nothing_and_ask_for_nothing(notebook, tmp_path, browser):
    card = write_hostile(SETS[notebook], tmp_path)
    page = render_notebook(NOTEBOOKS / f"{notebook}.ipynb", {"dataset": str(card)}, folder=tmp_path, output=tmp_path)
    context = browser.new_context(offline=True)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened.on("request", lambda request: said.append(request.url))
    opened.goto(page.as_uri())
    for folded in opened.locator("details").all():
        folded.evaluate("each => each.open = true")
    for marked in opened.locator("b").all():
        marked.hover(timeout=1000)
    outside = [each for each in said if not each.startswith((page.as_uri(), "data:"))]
    assert outside == [] and opened.evaluate("window.hacked") is None
    assert opened.locator("main [onerror], main [onload], main [onmouseover], main a[href^=javascript]").count() == 0
    assert HOSTILE[0] in opened.locator("main").inner_text()
    context.close()
