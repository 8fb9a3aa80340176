// What both explorers are made of; Python puts it in front of each.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// A number at a place of its slider, which is logarithmic: round, with two digits or three.
function roundPower(exponent) {
  const unit = 10 ** Math.floor(exponent) / 20;
  return Number((Math.round(10 ** exponent / unit) * unit).toPrecision(3));
}

function make(parent, tag, className = "", text = "") {
  const element = parent.appendChild(document.createElement(tag));
  element.className = className;
  element.textContent = text;
  return element;
}

function enter(el) {
  el.classList.add("explorer");
  // JupyterLab leaves the keys to what says so
  el.addEventListener("focusin", (e) => e.target.setAttribute("data-lm-suppress-shortcuts", ""));
}
