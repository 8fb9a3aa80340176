"""The site as it is built: each page in light and dark, wide and narrow, and nothing from elsewhere.

axe-core, which looks for what keeps people out, comes from npm; set AXE to its file to have it.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_digits import write

from .conftest import NEEDED, NOTEBOOKS, WAIT, serve

for module in ("sphinx_book_theme", "myst_nb", "sphinx_copybutton", "ziamath"):
    pytest.importorskip(module, reason='the site needs: python -m pip install -e ".[site]"')
expect = pytest.importorskip("playwright.sync_api").expect

WEBSITE = NOTEBOOKS.parent / "website"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    """Build the site without a warning, and serve it: `site.url`, `site.folder` and `site.pages`."""
    folder = tmp_path_factory.mktemp("website") / "site"
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(WEBSITE), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    paths = (path.relative_to(folder) for path in folder.rglob("*.html"))
    pages = sorted(path.as_posix() for path in paths if path.parts[0] not in ("made", "_static"))
    options = ["--bind", "127.0.0.1", "--directory", "{folder}"]
    with serve(folder, "http.server", *options, port_option="{port}") as url:
        yield SimpleNamespace(url=url, folder=folder, pages=pages)


@pytest.fixture
def open_page(browser, site):
    """Return what opens a page, which notes errors, requests to other hosts, and bytes in `notes`."""
    contexts = []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.notes = notes = SimpleNamespace(faults=[], sizes=[])
        page.on("console", lambda m: m.type == "error" and notes.faults.append(m.text))
        page.on("pageerror", lambda error: notes.faults.append(str(error)))
        page.on(
            "response", lambda answer: notes.sizes.append(int(answer.headers.get("content-length", 0)))
        )

        def elsewhere(route):
            notes.faults.append(f"asked for {route.request.url}")
            route.abort()

        page.route(lambda url: not url.startswith((site.url, "data:", "blob:")), elsewhere)
        page.goto(f"{site.url}/{name}", wait_until="networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()


def unfold(page):
    """Open all that is folded, and load each frame at once."""
    page.evaluate(
        """() => {
            for (const fold of document.querySelectorAll("details")) fold.open = true;
            for (const frame of document.querySelectorAll("iframe")) frame.loading = "eager";
        }"""
    )
    page.wait_for_load_state("networkidle")


def test_each_page_is_whole_in_light_and_dark_wide_and_narrow(site, open_page):
    faults = {}
    for name in site.pages:
        page = open_page(name)
        unfold(page)
        found = page.notes.faults
        for width, scheme in [(1280, "light"), (1280, "dark"), (390, "dark"), (390, "light")]:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("(s) => document.documentElement.dataset.theme === s", arg=scheme)
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                found.append(f"{wide} pixels wide at {width}")
        found += page.evaluate(
            """() => [...document.querySelectorAll("img:not([alt]), .bd-article img:not([alt*=' '])")]
                .map((img) => `no words for ${img.outerHTML.slice(0, 80)}`)"""
        )
        found += page.evaluate(  # anchors within the page; the build looks at the others
            """() => [...document.querySelectorAll("a[href^='#']")]
                .map((a) => a.getAttribute("href").slice(1))
                .filter((id) => id && !document.getElementById(decodeURIComponent(id)))
                .map((id) => `no #${id}`)"""
        )
        size = sum(page.notes.sizes)
        if size > (2.5 if name == "index.html" else 3) * MEGABYTE:
            found.append(f"{size / MEGABYTE:.2f} MB")
        if found:
            faults[name] = found
        page.context.close()
    assert not faults
    assert {f"notebooks/{path.stem}.html" for path in NOTEBOOKS.glob("*.ipynb")} < {*site.pages}


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return the source of axe-core."""
    if not (npm := shutil.which("npm")):
        pytest.skip("npm, which fetches axe-core, is not installed")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run([npm, "pack", "axe-core@4"], cwd=folder, capture_output=True)
    if fetched.returncode:
        (pytest.fail if NEEDED else pytest.skip)("npm could not fetch axe-core")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


def test_nothing_on_a_page_keeps_people_out(site, open_page, axe):
    faults = set()
    for name in site.pages:
        page = open_page(name)
        unfold(page)
        for scheme, rules in (("light", None), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("(s) => document.documentElement.dataset.theme === s", arg=scheme)
            for frame in page.frames:
                frame.add_script_tag(content=axe)
                found = frame.evaluate(
                    """async (rules) => {
                        const options = { iframes: false, resultTypes: ["violations"] };
                        if (rules) options.runOnly = rules;
                        return (await axe.run(document, options)).violations
                            .filter(({ impact }) => ["serious", "critical"].includes(impact))
                            .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`);
                    }""",
                    rules,
                )
                faults.update((name, scheme, fault) for fault in found)
        page.context.close()
    assert not faults


def test_search_finds_softmax_and_leads_there(open_page):
    page = open_page("index.html", width=390)
    page.goto(page.url.replace("index.html", "search.html?q=softmax"))
    results = page.locator("#search-results ul.search a")
    expect(results.filter(has_text=re.compile("softmax|beliefs", re.IGNORECASE)).first).to_be_visible()
    results.filter(has_text="Turn scores into beliefs").first.click()
    page.wait_for_url(re.compile("02_softmax.html"))
    expect(page.locator(".bd-article h1")).to_contain_text("Turn scores into beliefs")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_page_reads_a_drawn_7_and_goes_back_in_time(open_page, width):
    page = open_page("index.html", width=width)
    page.locator("iframe").scroll_into_view_if_needed()
    network = page.frame_locator("iframe")
    pad = network.locator(".nv-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    strokes, _ = write(7, "large")
    for stroke in strokes:
        for k, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if not k:
                page.mouse.down()
        page.mouse.up()
    expect(network.get_by_role("status")).to_contain_text("The network reads 7")
    picture = "canvas => canvas.toDataURL()"
    before = network.locator(".nv-unit canvas").first.evaluate(picture)
    network.get_by_role("slider", name="Time").fill("0")
    expect(network.locator(".nv-clock")).to_contain_text("step 0")
    assert network.locator(".nv-unit canvas").first.evaluate(picture) != before
    network.locator(".nv-unit").first.click()
    expect(network.locator(".nv-title")).to_contain_text("What unit 1 looks for")
    assert not page.notes.faults


def test_an_answer_and_an_output_are_folded_and_open_by_keyboard(open_page):
    page = open_page("notebooks/02_softmax.html")
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
    page = open_page("notebooks/02_softmax.html")
    expect(page.locator("button.copybtn").first).to_be_attached()
    href = page.locator("a[href$='.ipynb'][download], a[href$='02_softmax.ipynb']").first
    path = Path(site.folder, "notebooks", href.get_attribute("href")).resolve()
    assert path.name == "02_softmax.ipynb"
    assert path.read_bytes() == (NOTEBOOKS / path.name).read_bytes()
