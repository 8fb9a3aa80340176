"""The site as it is built: each page in light and dark, wide and narrow, and nothing from elsewhere.

axe-core, which looks for what keeps people out, comes from npm. Set SITE to the folder of a site that
was just built, to look at that one.
"""

import os
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_digits import write

from .conftest import NEEDED, NOTEBOOKS, WAIT, serve

for module in ("sphinx_book_theme", "myst_nb", "sphinx_copybutton", "ziamath"):
    pytest.importorskip(module, reason='the site needs: python -m pip install -e ".[site]"')
expect = pytest.importorskip("playwright.sync_api").expect

WEBSITE = NOTEBOOKS.parent / "website"


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    """Build the site without a warning, and serve it: `site.url`, `site.folder` and `site.pages`."""
    there = os.environ.get("SITE")
    folder = Path(there or tmp_path_factory.mktemp("website") / "site")
    if not there:
        command = [sys.executable, "-m", "sphinx", "-W", "-q", str(WEBSITE), str(folder)]
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
    paths = (path.relative_to(folder) for path in folder.rglob("*.html"))
    pages = sorted(path.as_posix() for path in paths if path.parts[0] not in ("made", "_static"))
    options = ["--bind", "127.0.0.1", "--directory", "{folder}"]
    with serve(folder, "http.server", *options, port_option="{port}") as url:
        yield SimpleNamespace(url=url, folder=folder, pages=pages)


@pytest.fixture(scope="module")
def open_page(browser, site):
    """Return what opens a page, which has `faults`, such as requests to other hosts, and `sizes`."""

    @contextmanager
    def open_page(name, width=1280):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme="light", reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.faults, page.sizes = [], []
        page.on("console", lambda m: m.type == "error" and page.faults.append(m.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("response", lambda r: page.sizes.append(int(r.headers.get("content-length", 0))))
        ours = (site.url, "data:", "blob:")
        page.on("request", lambda r: r.url.startswith(ours) or page.faults.append(r.url))
        page.goto(f"{site.url}/{name}")
        yield page
        context.close()

    return open_page


def unfold(page):
    """Open all that is folded, and load each picture and frame."""
    page.evaluate(
        """() => {
            for (const fold of document.querySelectorAll("details")) fold.open = true;
            for (const late of document.querySelectorAll("[loading=lazy]")) late.loading = "eager";
            document.querySelector("iframe[data-src]")?.scrollIntoView(); // loaded when it is seen
        }"""
    )
    page.wait_for_function(
        """() => [...document.querySelectorAll("img, iframe")].every(
            ({ complete, contentDocument: inside }) =>
                complete ?? (inside.URL !== "about:blank" && inside.readyState === "complete"))"""
    )


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return the source of axe-core, which looks for what keeps people out, or why it is missing."""
    if not (npm := shutil.which("npm")):
        return None, "npm, which fetches axe-core, is not installed"
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run([npm, "pack", "axe-core@4"], cwd=folder, capture_output=True)
    if fetched.returncode:
        return None, "npm could not fetch axe-core"
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8"), None


AXE = """async (rules) => {
    const options = { iframes: false, resultTypes: ["violations"], runOnly: rules };
    if (frameElement) {
        // the ground is that of the page around, which axe does not see
        const around = getComputedStyle(parent.document.body).backgroundColor;
        document.documentElement.style.background = around;
    }
    return (await axe.run(document, options)).violations
        .filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`);
}"""
WORDLESS = """() => [...document.querySelectorAll("img:not([alt]), .bd-article img:not([alt*=' '])")]
    .map((img) => `no words for ${img.outerHTML.slice(0, 80)}`)"""
LOST = """() => [...document.querySelectorAll("a[href^='#']")]
    .map((a) => a.getAttribute("href").slice(1))
    .filter((id) => id && !document.getElementById(decodeURIComponent(id)))
    .map((id) => `no #${id}`)"""


@pytest.fixture(scope="module")
def faults(site, open_page, axe):
    """Visit each page, and return its faults, and those that axe-core finds: {page: [fault]}."""
    source, _ = axe
    ours, of_axe = {}, {}
    for name in site.pages:
        with open_page(name) as page:
            unfold(page)
            found, found_by_axe = page.faults, []
            for width, scheme in [(1280, "light"), (390, "light"), (390, "dark"), (1280, "dark")]:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                page.wait_for_function(
                    "(s) => document.documentElement.dataset.theme === s", arg=scheme
                )
                if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                    found.append(f"{wide} pixels wide at {width}")
                if source and width == 1280:
                    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
                    for frame in page.frames:
                        frame.evaluate(source)
                        which = rules if scheme == "light" else ["color-contrast"]
                        found_by_axe += frame.evaluate(AXE, which)
            found += page.evaluate(WORDLESS) + page.evaluate(LOST)
            size = sum(page.sizes) / 1e6
            if size > (2.5 if name == "index.html" else 3):
                found.append(f"{size:.2f} MB")
            ours |= {name: found} if found else {}
            of_axe |= {name: found_by_axe} if found_by_axe else {}
    return ours, of_axe


def test_each_page_is_whole_in_light_and_dark_wide_and_narrow(site, faults):
    assert not faults[0]
    assert {f"notebooks/{path.stem}.html" for path in NOTEBOOKS.glob("*.ipynb")} < {*site.pages}


def test_nothing_on_a_page_keeps_people_out(axe, faults):
    if missing := axe[1]:
        (pytest.fail if NEEDED else pytest.skip)(missing)
    assert not faults[1]


def test_buttons_for_binder_and_colab_come_with_the_repository_s_address(monkeypatch):
    for address in ("", "https://example.org/course"):
        monkeypatch.setenv("COURSE_REPOSITORY", address)
        conf = runpy.run_path(str(WEBSITE / "conf.py"), {"tags": set()})
        assert ("colab_url" in conf["html_theme_options"]["launch_buttons"]) == bool(address)
        notebook = {"cells": [{"cell_type": "markdown", "source": ["# Title"], "metadata": {}}]}
        conf["prepare_notebook"](notebook, "01", to_print=False)
        text = notebook["cells"][0]["source"]
        assert (f"%pip install git+{address}` first" in text) == bool(address)


def test_search_finds_softmax_and_leads_there(open_page):
    with open_page("search.html?q=softmax", width=390) as page:
        page.locator("ul.search a").filter(has_text="Turn scores into beliefs").first.click()
        page.wait_for_url(re.compile("02_softmax.html"))
        expect(page.locator(".bd-article h1")).to_contain_text("Turn scores into beliefs")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_page_reads_a_drawn_7_and_goes_back_in_time(open_page, width):
    with open_page("index.html", width) as page:
        page.locator("iframe").scroll_into_view_if_needed()
        network = page.frame_locator("iframe")
        network.locator(".nv-pad").scroll_into_view_if_needed()
        box = network.locator(".nv-pad").bounding_box()
        for stroke in write(7, "large")[0]:
            for k, (x, y) in enumerate(stroke):
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if not k:
                    page.mouse.down()
            page.mouse.up()
        expect(network.get_by_role("status")).to_contain_text("The network reads 7")
        expect(network.locator(".nv-unit")).to_have_count(20)  # as the text above it says
        weights = network.locator(".nv-unit canvas").first
        trained = weights.evaluate("canvas => canvas.toDataURL()")
        network.get_by_role("slider", name="Time").fill("0")
        expect(network.locator(".nv-clock")).to_contain_text("step 0")
        assert weights.evaluate("canvas => canvas.toDataURL()") != trained
        network.locator(".nv-unit").first.click()
        expect(network.locator(".nv-title")).to_contain_text("What unit 1 looks for")
        assert not page.faults


def test_an_answer_an_output_and_a_check_are_folded_and_open_by_keyboard(open_page):
    with open_page("notebooks/02_softmax.html") as page:
        for words, inside in [
            ("What happened, and why", "A computer writes fractions in powers of"),
            ("Show what comes out", "0.30000000000000004441"),
            ("Show the check", "assert"),
        ]:
            fold = page.locator("details", has_text=inside).filter(has_text=words).first
            expect(fold.get_by_text(inside).first).not_to_be_visible()
            fold.locator("summary").focus()
            page.keyboard.press("Enter")
            expect(fold.get_by_text(inside).first).to_be_visible()


def test_a_notebook_can_be_downloaded_as_it_is_and_code_copied(site, open_page):
    with open_page("notebooks/02_softmax.html") as page:
        expect(page.locator("button.copybtn").first).to_be_attached()
        link = page.locator("a[href$='02_softmax.ipynb']").first.get_attribute("href")
        path = Path(site.folder, "notebooks", link).resolve()
        assert path.read_bytes() == (NOTEBOOKS / path.name).read_bytes()
