// A frame looks at its page's body for a change between light and dark; the theme notes it on the root.
const root = document.documentElement;
const tell = () => (document.body.dataset.theme = root.dataset.theme);
new MutationObserver(tell).observe(root, { attributeFilter: ["data-theme"] });
addEventListener("DOMContentLoaded", tell);

// These are named by their words, and not by something else.
addEventListener("DOMContentLoaded", () => {
  for (const node of document.querySelectorAll("summary[aria-label], .search-button-field")) {
    node.removeAttribute("aria-label");
  }
});

// The network of the first page, 1.2 MB, is fetched when it comes into sight: "lazy" would be earlier.
const load = (seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) target.src ||= target.dataset.src;
};
addEventListener("DOMContentLoaded", () => {
  for (const frame of document.querySelectorAll("iframe[data-src]")) new IntersectionObserver(load).observe(frame);
});
