// Scores, their exponentials and their shares, each in line with its slider. Nothing asks Python.

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

const total = (numbers) => numbers.reduce((sum, x) => sum + x, 0);
const name = (k) => `z${SUBSCRIPTS[k]}`;

function softmax(scores, temperature) {
  const divided = scores.map((z) => z / temperature);
  // the largest taken off, or `exp` would overflow; it changes no share
  const safe = divided.map((z) => Math.exp(z - Math.max(...divided)));
  return { exps: divided.map(Math.exp), shares: safe.map((e) => e / total(safe)) };
}

const signed = (x) => x.toFixed(1).replace("-", "−"); // as long as a plus, unlike a hyphen

function scientific(x, digits) {
  const [front, power] = x.toExponential(digits).split("e");
  const raised = [...power.slice(1)].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `${front}·10${power[0] === "-" ? "⁻" : ""}${raised}`;
}

function positive(x) {
  if (x === Infinity) return "∞";
  if (x >= 1000 && x < 100000) return x.toFixed(1);
  return x === 0 || (x >= 0.001 && x < 1000) ? x.toFixed(3) : scientific(x, 1);
}

function share(p) {
  const rounded = positive(p);
  return rounded === "1.000" && p < 1 ? p.toFixed(6) : rounded; // what is not 1 is not to look so
}

// The first of …, 0.5, 1, 2, 5, 10, 20, … that is x or more.
function roundUp(x) {
  const power = Math.floor(Math.log10(x));
  const front = [1, 2, 5, 10].find((n) => n * 10 ** power >= x * (1 - 1e-9));
  return Number(`${front}e${power}`);
}

function makeSlider(parent, label, limits, react) {
  const slider = make(parent, "input");
  const oninput = () => react(Number(slider.value));
  return Object.assign(slider, { type: "range", ariaLabel: label, oninput, ...limits });
}

// Seven cells: name, slider, score, bar and number of exp, bar and number of the share.
function makeRow(parent, k, react) {
  const row = make(parent, "div", "explorer-row");
  Object.assign(row, { role: "group", ariaLabel: name(k) });
  make(row, "span", "", name(k));
  return {
    row,
    slider: makeSlider(row, `score ${name(k)}`, { step: 0.1 }, react),
    score: make(row, "data"),
    expBar: make(row, "div", "explorer-bar"),
    exp: make(row, "data"),
    shareBar: make(row, "div", "explorer-bar"),
    share: make(row, "data"),
  };
}

function makeTexts(parent, className, texts) {
  const row = make(parent, "div", `explorer-row ${className}`);
  return texts.map((text) => make(row, "data", "", text));
}

function setNumber(data, value, text) {
  data.value = value; // with all its digits
  data.textContent = text;
}

function render({ model, el }) {
  const presets = model.get("presets"); // pairs of a name and its scores
  let scores, limits, temperature, rows;
  let fullBar = 0; // the exponential whose bar is full
  enter(el);
  const controls = make(el, "div", "explorer-controls");
  const preset = make(make(controls, "label", "", "Scores "), "select");
  for (const [text] of presets) make(preset, "option", "", text);
  preset.onchange = begin;
  make(controls, "button", "", "Add 1 to all").onclick = () => shift(1);
  make(controls, "button", "", "Take 1 from all").onclick = () => shift(-1);
  make(controls, "button", "", "Start again").onclick = begin;
  const heat = make(controls, "div", "explorer-slider");
  make(heat, "span", "", "Temperature T");
  const heatSlider = makeSlider(heat, "temperature T", { min: -1, max: 1.5, step: 0.05 }, warm);
  const heatNumber = make(heat, "data");
  const heads = ["", "score z", "", "", "", "→ share = exp ÷ sum", ""];
  const expHead = makeTexts(el, "explorer-head", heads)[3];
  const table = make(el, "div");
  const foot = makeTexts(el, "explorer-foot", ["", "", "", "sum", "", "sum", ""]);
  const message = make(el, "div", "explorer-message");
  message.role = "status"; // read aloud when it changes

  function begin() {
    scores = [...presets[preset.selectedIndex][1]];
    [limits, temperature, heatSlider.value] = [[-5, 5], 1, 0];
    table.replaceChildren();
    rows = scores.map((_, k) => makeRow(table, k, (score) => move(k, score)));
    const first = scores.indexOf(Math.max(...scores));
    const [top, bottom] = [Math.exp(scores[first]), total(scores.map(Math.exp))].map(positive);
    show(`The largest score has the largest share: ${name(first)} has ${top} of ${bottom}.`);
  }

  function move(k, score) {
    const others = score > scores[k] ? "smaller" : "larger";
    const before = share(softmax(scores, temperature).shares[k]);
    scores[k] = score;
    const now = share(softmax(scores, temperature).shares[k]);
    const own = `Of the exps only that of ${name(k)} changed, and with it the sum.`;
    show(`${own} Its share went from ${before} to ${now}; all others became ${others}.`);
  }

  function shift(by) {
    scores = scores.map((z) => Math.round((z + by) * 1e6) / 1e6); // 0.1 + 1 is to be 1.1
    const what = `${by > 0 ? "Added 1 to" : "Took 1 from"} all scores`;
    const factor = positive(Math.exp(by / temperature));
    show(`${what}: each exp is ${factor} times what it was, and so is the sum. No share changed.`);
  }

  function warm(exponent) {
    temperature = roundPower(exponent);
    const belief = temperature < 1 ? "bolder than" : temperature > 1 ? "more modest than" : "as";
    show(`Each score is divided by ${temperature}: the belief is ${belief} at T = 1.`);
  }

  // Keep the scale of the exponentials as long as it will do, so that bars that stay do stay.
  function rescale(exps) {
    const most = Math.max(...exps);
    const fits = most <= fullBar && most >= fullBar / 20;
    if (most > 0 && most < Infinity && !fits) fullBar = roundUp(most);
  }

  function show(words) {
    const { exps, shares } = softmax(scores, temperature);
    rescale(exps);
    const [low, high] = limits; // of the sliders, which follow
    limits = [Math.floor(Math.min(low, ...scores)), Math.ceil(Math.max(high, ...scores))];
    rows.forEach((row, k) => showRow(row, scores[k], exps[k], shares[k]));
    const full = fullBar < 0.001 || fullBar > 999 ? scientific(fullBar, 0) : fullBar;
    expHead.textContent = `→ exp(z${temperature === 1 ? "" : " / T"}), 0 to ${full}`;
    heatSlider.ariaValueText = temperature;
    setNumber(heatNumber, temperature, temperature);
    setNumber(foot[4], total(exps), positive(total(exps)));
    setNumber(foot[6], total(shares), total(shares).toFixed(3));
    const overflow = " An exp has become too large for a computer; softmax takes the largest off.";
    message.textContent = words + (exps.includes(Infinity) ? overflow : "");
  }

  function showRow(row, score, exp, p) {
    const largest = score === Math.max(...scores);
    Object.assign(row.slider, { min: limits[0], max: limits[1] }); // first, as they cut off the value
    row.slider.value = score;
    row.slider.ariaValueText = `${signed(score)}, share ${share(p)}`;
    setNumber(row.score, score, signed(score));
    setNumber(row.exp, exp, positive(exp));
    setNumber(row.share, p, share(p));
    const color = `color: var(--${largest ? "blue" : "grey"})`; // and a mark, by the class below
    row.expBar.style = `--part: ${100 * Math.min(1, exp / fullBar)}%; color: var(--grey)`;
    row.shareBar.style = `--part: ${100 * p}%; ${color}`;
    row.row.classList.toggle("explorer-largest", largest);
  }

  begin();
}

export default { render };
