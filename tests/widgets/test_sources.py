import pytest

from workbench.errors import WorkbenchError
from workbench.plotting.style import BLUE
from workbench.widgets import explorer as sources


@pytest.mark.parametrize("name", sources.MODULES)
def test_a_module_is_what_all_share_then_its_own_with_one_default_export(name):
    source = sources.module_source(name)
    assert source.index("function frontier(") < source.index("function render(")
    assert source.count("export default") == 1
    assert "\r" not in source


def test_line_endings_of_a_checkout_change_nothing(monkeypatch, tmp_path):
    before = sources.module_source("explorer")
    for file in sources.STATIC.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(sources, "STATIC", tmp_path)
    assert sources.module_source("explorer") == before


@pytest.mark.parametrize("mark", ["</SCRIPT", "<!--"])
def test_what_would_end_a_script_element_is_refused(monkeypatch, tmp_path, mark):
    (tmp_path / "common.js").write_text(f'const a = "{mark}";')
    monkeypatch.setattr(sources, "STATIC", tmp_path)
    with pytest.raises(WorkbenchError, match=f"common.js holds '{mark.lower()}'"):
        sources.module_source("explorer")


def test_the_colours_are_those_of_the_pictures():
    assert f"--wb-model-plain: {BLUE};" in sources.style_sheet()
    scripts = sources.module_source("explorer")
    assert "#" not in "".join(line for line in scripts.splitlines() if "fill" in line or "stroke" in line)
