// Gradient descent in a valley: a ball to drag, its tangent and its step. Nothing asks Python.

const VALLEYS = [
  { name: "one valley", formula: "L = w²", loss: (w) => w ** 2, slope: (w) => 2 * w, start: 2 },
  {
    name: "two valleys",
    formula: "L = w⁴/4 − w² + w/3 + 2",
    loss: (w) => w ** 4 / 4 - w ** 2 + w / 3 + 2,
    slope: (w) => w ** 3 - 2 * w + 1 / 3,
    start: 2.5,
  },
];
const REACH = 3.3; // the picture goes from -REACH to REACH, or twice, four times… as far
const TOP = 11; // the loss at its upper edge, or more
const GONE = 1000; // where w is beyond this, the numbers only grow
const HEIGHT = 300; // of the picture, in CSS pixels
const MARGIN = { left: 60, right: 12, top: 10, bottom: 34 };

// Three digits, with zeros at the end (numbers in a row are then equally long), or without.
function threeDigits(x) {
  const plain = x === 0 || (Math.abs(x) >= 0.001 && Math.abs(x) < 1000);
  if (plain) return x.toPrecision(3).replace("-", "−");
  const [front, power] = x.toExponential(1).replace("-", "−").split(/e\+?/);
  return `${front}·10${[...power].map((sign) => SUPERSCRIPTS[sign] ?? "⁻").join("")}`;
}
const short = (x) =>
  threeDigits(x)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");

function descend(valley, rate, steps, start) {
  const path = [start];
  while (path.length <= steps && Math.abs(path.at(-1)) < GONE) {
    path.push(path.at(-1) - rate * valley.slope(path.at(-1)));
  }
  return path;
}

function judge(valley, path) {
  const [earlier, before, last] = [path.at(-3), path.at(-2), path.at(-1)];
  const lower = "Make the learning rate smaller.";
  if (path.length === 1) return "No step yet: drag the ball, or take a step.";
  if (Math.abs(last) >= GONE) return `Too high: it has left the valley for good. ${lower}`;
  if (Math.abs(valley.slope(last)) < 0.02) return "Arrived: it is flat here, the steps are tiny.";
  if (valley.loss(last) > valley.loss(path[0])) return `Too high: it has climbed. ${lower}`;
  if ((last - before) * (before - earlier) < 0) return "It jumps from side to side of the bottom.";
  return "On its way: it needs more steps, or longer ones.";
}

// How far the picture reaches, to hold all these w.
function reachOf(valley, points) {
  const widest = Math.max(...points.map(Math.abs));
  const w = REACH * 2 ** Math.max(0, Math.ceil(Math.log2(widest / REACH)));
  const highest = Math.max(...points.map(valley.loss));
  const edge = w === REACH ? TOP : Math.min(valley.loss(w), 2.5 * highest);
  return { w, loss: Math.max(edge, 1.05 * highest) };
}

// About four round numbers from `low` to `high`.
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((front) => front * power >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => (first + k) * step);
}

// A slider with its name and number. Return what sets it to a place, and to the value there.
function makeSlider(parent, text, limits, react) {
  const box = make(parent, "label", "explorer-slider", text);
  const slider = Object.assign(make(box, "input"), { type: "range", ...limits });
  slider.oninput = () => react(Number(slider.value));
  const number = make(box, "data");
  return (place, value = place) => {
    slider.value = place;
    slider.ariaValueText = number.textContent = short(value);
    number.value = value; // with all its digits
    return slider;
  };
}

function shape(parent, tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return parent.appendChild(element);
}

// Draws in the units of the valley: points are pairs [w, loss]. Colours are those of the style sheet.
class Picture {
  constructor(svg, reach) {
    Object.assign(this, { svg, reach, inner: svg.clientWidth - MARGIN.left - MARGIN.right });
    svg.replaceChildren();
  }

  place([w, loss]) {
    const tall = HEIGHT - MARGIN.top - MARGIN.bottom;
    const x = MARGIN.left + ((w / this.reach.w + 1) / 2) * this.inner;
    return [x, MARGIN.top + (1 - loss / this.reach.loss) * tall];
  }

  line(color, points, dashes = "none") {
    const places = points.map((point) => this.place(point)).join(" ");
    const attributes = { points: places, "stroke-dasharray": dashes };
    shape(this.svg, "polyline", { style: `stroke: var(--${color})`, ...attributes });
  }

  circle(color, point, r, fill = `var(--${color})`) {
    const [cx, cy] = this.place(point);
    shape(this.svg, "circle", { style: `stroke: var(--${color}); fill: ${fill}`, cx, cy, r });
  }

  text(text, point, anchor, dx, dy) {
    const [x, y] = this.place(point);
    const style = `fill: currentColor; stroke: none; font-size: 12px; text-anchor: ${anchor}`;
    shape(this.svg, "text", { style, x: x + dx, y: y + dy }, text);
  }

  axes(formula) {
    const { w: edge, loss: top } = this.reach;
    const line = (...points) => this.line("faint", points);
    for (const w of ticks(-edge, edge)) {
      line([w, 0], [w, top]);
      this.text(short(w), [w, 0], "middle", 0, 16);
    }
    for (const loss of ticks(0, top)) {
      line([-edge, loss], [edge, loss]);
      this.text(short(loss), [-edge, loss], "end", -6, 4);
    }
    this.text("w", [edge, 0], "end", 0, 30);
    this.text(`loss ${formula}`, [0, top], "middle", 0, 14);
  }

  // The ball, the tangent under it (60 pixels to each side), and below, on the axis, the next step.
  ball({ loss, slope }, w, next) {
    const [x, y] = this.place([w, loss(w)]);
    const [x1, y1] = this.place([w + 1, loss(w) + slope(w)]);
    const [dx, dy] = [x1 - x, y1 - y].map((d) => (60 * d) / Math.hypot(x1 - x, y1 - y));
    shape(this.svg, "line", { x1: x - dx, y1: y - dy, x2: x + dx, y2: y + dy });
    const line = (dashes, ...points) => this.line("orange", points, dashes);
    line("2 4", [w, loss(w)], [w, 0]);
    line("none", [w, 0], [next, 0]);
    line("2 4", [next, 0], [next, loss(next)]);
    const [tip, floor] = this.place([next, 0]);
    const back = tip - Math.sign(tip - x) * Math.min(8, Math.abs(tip - x));
    const points = `${back},${floor - 5} ${tip},${floor} ${back},${floor + 5}`;
    shape(this.svg, "polygon", { style: "fill: var(--orange); stroke: none", points });
    this.circle("orange", [next, loss(next)], 5, "none");
    this.circle("orange", [w, loss(w)], 8);
  }
}

function render({ model, el }) {
  const state = { valley: VALLEYS[0], ...model.get("start") }; // and place, start, steps
  let path, rate, picture;
  enter(el);
  const top = make(el, "div", "explorer-valley");
  const svg = shape(top, "svg", { role: "img", height: HEIGHT });
  const side = make(top, "div", "explorer-side");
  const choice = make(make(side, "label", "explorer-slider", "Loss"), "select");
  for (const { name } of VALLEYS) make(choice, "option", "", name);
  const change = (changes) => update(Object.assign(state, changes));
  const slider = (key, text, limits) =>
    makeSlider(side, text, limits, (place) => change({ [key]: place }));
  const setRate = slider("place", "Learning rate", { min: -2, max: 0.2, step: 0.02 });
  const setSteps = slider("steps", "Steps", { max: 40 });
  const setStart = slider("start", "Start at w", { min: -3, max: 3, step: 0.1 });
  const buttons = make(side, "div", "explorer-controls");
  const stepButton = make(buttons, "button", "", "Take a step");
  stepButton.onclick = () => change({ steps: state.steps + 1 });
  make(buttons, "button", "", "Back to the start").onclick = () => change({ steps: 0 });
  const sums = make(side, "div");
  const taken = make(el, "div", "explorer-taken");
  Object.assign(taken, { tabIndex: 0, role: "region", ariaLabel: "Steps taken" });
  const message = make(el, "div", "explorer-message");
  message.role = "status"; // read aloud when it changes

  function update() {
    const { valley, start, steps } = state;
    rate = roundPower(state.place);
    path = descend(valley, rate, steps, start);
    setRate(state.place, rate);
    setSteps(steps);
    setStart(start);
    stepButton.disabled = steps === 40 || path.length <= steps;
    draw();
    tell(state);
    list();
  }

  function draw() {
    const { valley } = state;
    const ball = path.at(-1);
    const onCurve = (w) => [w, valley.loss(w)];
    const next = Math.abs(ball) < GONE ? ball - rate * valley.slope(ball) : ball;
    picture = new Picture(svg, reachOf(valley, [...path, next]));
    picture.axes(valley.formula);
    const line = Array.from({ length: 401 }, (_, k) => (k / 200 - 1) * picture.reach.w);
    picture.line("grey", line.map(onCurve));
    picture.line("blue", path.map(onCurve));
    for (const w of path) picture.circle("blue", onCurve(w), 2.5);
    picture.ball(valley, ball, next);
  }

  function tell({ valley }) {
    const ball = path.at(-1);
    const words = `Steps: ${path.length - 1}. w = ${short(ball)}, loss ${short(valley.loss(ball))}.`;
    message.textContent = `${words} ${judge(valley, path)}`;
    svg.ariaLabel = `The curve of the loss, ${valley.formula}, and a ball on it. ${words}`;
    const [slope, step] = [valley.slope(ball), -rate * valley.slope(ball)].map(short);
    sums.textContent = `Slope here: ${slope}. Next step: −${short(rate)} × ${slope} = ${step}.`;
  }

  function list() {
    taken.replaceChildren();
    const table = make(taken, "table");
    const row = (title, values, format) => {
      const cells = make(table, "tr");
      make(cells, "th", "", title).scope = "row";
      for (const value of values) make(make(cells, "td"), "data", "", format(value)).value = value;
    };
    row("step", path.keys(), String);
    row("w", path, threeDigits);
    row("loss", path.map(state.valley.loss), threeDigits);
    taken.scrollLeft = taken.scrollWidth; // to the last one
  }

  function drag({ clientX }) {
    const x = clientX - svg.getBoundingClientRect().left - MARGIN.left;
    const w = (2 * (x / picture.inner) - 1) * picture.reach.w;
    change({ start: Math.round(10 * Math.max(-3, Math.min(3, w))) / 10, steps: 0 });
  }

  svg.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    drag(event);
    setStart(state.start).focus(); // the arrow keys go on from here
  };
  svg.onpointermove = (event) => svg.hasPointerCapture(event.pointerId) && drag(event);
  const choose = (valley) => change({ valley, start: valley.start });
  choice.onchange = () => choose(VALLEYS[choice.selectedIndex]);
  update();
  const watch = new ResizeObserver(draw);
  watch.observe(svg);
  return () => watch.disconnect();
}

export default { render };
