"""Notebook 7, which many people use in place of JupyterLab."""

import re

import pytest

from .conftest import button, copy_notebooks, new_page, serve
from .test_playground import status

playwright = pytest.importorskip("playwright.sync_api")


def test_the_playground_and_the_pad_work_in_notebook_7(browser, tmp_path_factory, screenshots):
    folder = tmp_path_factory.mktemp("notebook")
    copy_notebooks(folder)
    options = ["--no-browser", "--allow-root", "--ServerApp.token="]
    with (
        serve(folder, "notebook", *options, "--ServerApp.root_dir={folder}") as url,
        new_page(browser, url) as page,
    ):
        page.goto("/notebooks/07_playground.ipynb")
        # while the kernel starts, its status is both "fade" and "info", and "Run All" does nothing
        page.locator(".jp-NotebookKernelStatus-fade:not(.jp-NotebookKernelStatus-info)").wait_for(
            state="attached", timeout=120_000
        )
        page.get_by_role("menuitem", name="Run").click()
        page.get_by_text("Run All Cells", exact=True).click()
        button(page, "Train").first.click(timeout=300_000)
        playwright.expect(status(page)).to_contain_text("Finished", timeout=300_000)
        page.screenshot(path=screenshots / "playground-notebook7.png")
        paper = page.locator(".course-paper").first
        paper.hover(position={"x": 140, "y": 40}, timeout=300_000)
        page.mouse.down()
        for y in range(60, 250, 20):
            paper.hover(position={"x": 140, "y": y})
        page.mouse.up()
        verdict = page.locator(".course-verdict").first
        playwright.expect(verdict).to_have_text(re.compile("^It looks like"))
        page.screenshot(path=screenshots / "pad-notebook7.png")
        assert not page.errors
