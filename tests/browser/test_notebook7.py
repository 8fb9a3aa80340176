"""Notebook 7, which many people use in place of JupyterLab."""

from .conftest import copy_notebooks, new_page, serve, wait_for
from .test_playground import NOTEBOOK, button, iteration


def test_the_playground_and_the_pad_work_in_notebook_7(browser, tmp_path_factory, screenshots):
    folder = tmp_path_factory.mktemp("notebook")
    copy_notebooks(folder)
    options = ["--no-browser", "--allow-root", "--ServerApp.token="]
    with (
        serve(folder, "notebook", *options, "--ServerApp.root_dir={folder}") as url,
        new_page(browser, url) as page,
    ):
        page.goto(f"/notebooks/{NOTEBOOK}.ipynb")
        # while the kernel starts, its status is both "fade" and "info", and "Run All" does nothing
        page.locator(".jp-NotebookKernelStatus-fade:not(.jp-NotebookKernelStatus-info)").wait_for(
            state="attached", timeout=60_000
        )
        page.get_by_role("menuitem", name="Run").click()
        page.get_by_text("Run All Cells", exact=True).click()
        button(page, "Train").first.click(timeout=120_000)
        wait_for(lambda: iteration(page) > 0, "training to begin", seconds=60)
        page.screenshot(path=screenshots / "playground-notebook7.png")
        paper = page.locator(".course-paper").first
        paper.hover(position={"x": 140, "y": 40}, timeout=120_000)
        page.mouse.down()
        for y in range(60, 250, 20):
            paper.hover(position={"x": 140, "y": y})
        page.mouse.up()
        page.screenshot(path=screenshots / "pad-notebook7.png")
        verdict = page.locator(".course-verdict").first
        wait_for(lambda: verdict.inner_text().startswith("It looks like"), "the stroke to be read")
        assert not page.errors
