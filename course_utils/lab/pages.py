"""Widgets that need no kernel: what a cell displays is a frame that holds a whole page.

So they also work in a saved notebook that is opened again, and in an HTML export. In a box of
ipywidgets they are widgets like others.
"""

import base64
import json
from html import escape

import anywidget

# The page's half of a widget, in place of the kernel's; then, in a frame, what the page around it
# decides: light or dark, which its own colour of text tells. The frame gets the height of its page.
# It is a block, as the widget's own names may be the same.
_STAND_IN = """
{
  const parse = (text) =>
    JSON.parse(text, (_, value) => {
      if (value?.base64 === undefined) return value;
      return new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer);
    });
  const { traits, messages } = parse(document.getElementById("data").textContent);
  const nothing = () => {};
  let receive = nothing;
  const model = {
    get: (name) => traits[name],
    set: nothing,
    save_changes: nothing,
    on: (name, listener) => name === "msg:custom" && (receive = listener),
    off: nothing,
    send: ({ type }) => type === "hello" && messages.forEach((each) => receive(...each)),
  };
  const { initialize = nothing, render } = typeof widget === "function" ? widget() : widget;
  initialize({ model });
  render({ model, el: document.body });
  const frame = window.frameElement;
  if (frame) {
    const root = document.documentElement;
    const follow = () => {
      const { color } = getComputedStyle(frame.parentElement);
      const green = Number(color.match(/[\\d.]+/g)[1]);
      frame.style.colorScheme = root.style.colorScheme = green > 127 ? "dark" : "light";
      document.body.style.color = color;
    };
    const fit = () => (frame.style.height = `${root.offsetHeight}px`);
    follow();
    const themes = new MutationObserver(follow);
    themes.observe(frame.ownerDocument.body, { attributes: true });
    addEventListener("pagehide", () => themes.disconnect()); // or this page would be kept for ever
    new ResizeObserver(fit).observe(root);
    frame.previousElementSibling.hidden = true;
  }
}
"""


class PageWidget(anywidget.AnyWidget):
    """A widget whose browser half needs nothing from Python but its traits, and `messages`."""

    title = "A widget"
    height = 400  # of the frame, in pixels, until its page has told its own

    def messages(self):
        """Return what its browser half is told when it says hello: messages, each with buffers."""
        return []

    def page(self):
        """Return the HTML of a page that shows this without a kernel."""
        names = set(self.keys) - set(anywidget.AnyWidget.class_trait_names())
        traits = {name: getattr(self, name) for name in sorted(names) if name[0] != "_"}
        return page(self.title, str(self._esm), str(self._css), traits, self.messages())

    def _repr_mimebundle_(self, **_):
        """Return a frame, and no view of a widget: JupyterLab would prefer that one, and fail."""
        return {"text/plain": self.title, "text/html": frame(self.page(), self.title, self.height)}


def page(title, module, styles, traits, messages=()):
    """Return the HTML of a page that shows a widget: its module, its style sheet and its data."""
    module = module.replace("export default", "const widget =")
    data = {"traits": traits, "messages": messages}
    data = json.dumps(data, default=lambda some: {"base64": base64.b64encode(some).decode()})
    data = data.replace("</", "<\\/")  # or a text could end the script
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>\n{styles}</style>\n"
        f'<body><script type="application/json" id="data">{data}</script>\n'
        f'<script type="module">\n{module}{_STAND_IN}</script></body>\n</html>\n'
    )


def frame(html, title, height):
    """Return HTML that shows a page within a page, or says how to see it where it is not trusted."""
    return (
        f'<div class="course-frame"><p>{title}: run this cell to see it.</p>'
        f'<iframe title="{title}" srcdoc="{escape(html)}" loading="lazy" '
        f'style="width:100%;height:{height}px;border:0;display:block"></iframe></div>'
    )
