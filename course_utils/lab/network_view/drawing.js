// How things look: elements, colours, pictures of 28×28 pixels, lines between units, and charts.

import { SIDE, PIXELS, placeOfLargest, rangeOfLoss, limit, plain, percent } from "./numbers.js";

// a colour and a dash for each run: who cannot tell one, can tell the other
const COLORS = ["#009e73", "#cc79a7", "#e69f00", "#7f6bd6", "#56b4e9", "#8c8c8c"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "12 3"];
export const STYLES = COLORS.map((color, k) => ({ color, dash: DASHES[k] }));

// ---- elements --------------------------------------------------------------------------------------

/** Return an element, as `node`, and the parts of it by their last class: nv-play is `play`. */
function partsOf(node) {
  const parts = { node };
  for (const part of node.querySelectorAll("[class]")) {
    parts[part.getAttribute("class").split("nv-").at(-1)] = part;
  }
  return parts;
}

/** Return the parts of the page, and a function that makes what one of its templates describes. */
export function build(html) {
  const { content } = Object.assign(document.createElement("template"), { innerHTML: html });
  const page = content.firstElementChild;
  const make = (name) => {
    const template = page.querySelector(`[data-name="${name}"]`);
    return partsOf(template.content.firstElementChild.cloneNode(true));
  };
  return { parts: partsOf(page), make };
}

export function setText(node, text) {
  if (node.textContent !== `${text}`) node.textContent = text;
}

// ---- colours and pictures --------------------------------------------------------------------------

/** Read the theme's colours: of what adds, of what takes away, and of ink. */
export function colorsOf(root) {
  const { accentColor, outlineColor, color } = getComputedStyle(root);
  return { add: accentColor, take: outlineColor, ink: color };
}

/** Return a colour as a pixel of an image that cannot be seen; its highest byte is its opacity. */
function transparent(color) {
  const [red, green, blue] = color.match(/[\d.]+/g);
  return (blue << 16) | (green << 8) | red;
}

/** Paint 784 values, the more opaque the nearer to `scale`; large pictures have a minus, too. */
export function paint(canvas, value, scale, { add, take }) {
  const size = canvas.width;
  const zoom = size / SIDE;
  const image = new ImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  const [adding, taking] = [add, take].map(transparent);
  for (let k = 0; k < PIXELS; k++) {
    const v = value(k) / scale;
    const opacity = Math.min(255 * Math.abs(v), 255); // nan becomes 0
    const pixel = (v < 0 ? taking : adding) | (opacity << 24);
    if (zoom === 1) pixels[k] = pixel;
    for (let row = 0; zoom > 1 && row < zoom; row++) {
      const from = (Math.floor(k / SIDE) * zoom + row) * size + (k % SIDE) * zoom;
      pixels.fill(pixel, from, from + zoom);
      if (v < 0 && row === zoom >> 1) pixels.fill(0, from + 1, from + zoom - 1); // the minus
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export function paintInk(canvas, image, { ink }) {
  paint(canvas, (k) => image[k], 1, { add: ink, take: ink });
}

// ---- the network -----------------------------------------------------------------------------------

function strongestLinks({ input, sums, weight }, gradients) {
  const links = [];
  let top = gradients ? 0.02 : 0.2; // what says next to nothing has thin lines
  for (let i = 0; i < input.length; i++) {
    for (let j = 0; j < sums.length; j++) {
      const value = (gradients ? gradients[j] : input[i]) * weight(i, j);
      if (!value || !Number.isFinite(value)) continue;
      top = Math.max(top, Math.abs(value));
      links.push({ value, i, j });
    }
  }
  for (const link of links) link.share = Math.abs(link.value) / top;
  const visible = links.filter(({ share }) => share > 0.02).sort((p, q) => p.share - q.share);
  return visible.slice(-300);
}

/** Draw what units give to the next layer, or get back as gradients: red and dashed takes away. */
export function drawLinks(canvas, found, gradients, rows, { layer, unit }, colors) {
  const [scale, { clientWidth, clientHeight }] = [devicePixelRatio || 1, canvas];
  Object.assign(canvas, { width: clientWidth * scale, height: clientHeight * scale }); // it is empty
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  for (let l = 1; l < found.length; l++) {
    const [upper, lower] = [rows[l - 1], rows[l]];
    const y0 = upper.at(-1).offsetTop + upper.at(-1).offsetHeight + 1;
    const y1 = lower[0].offsetTop - 1;
    const bend = 0.55 * (y1 - y0);
    for (const { value, share, i, j } of strongestLinks(found[l], gradients?.[l])) {
      const isPicked = (layer === l && unit === j) || (layer === l - 1 && unit === i);
      const [x0, x1] = [upper[i], lower[j]].map((node) => node.offsetLeft + node.offsetWidth / 2);
      context.globalAlpha = isPicked ? 0.3 + 0.7 * share : 0.04 + 0.26 * share;
      context.lineWidth = 0.6 + 5.4 * share;
      context.strokeStyle = value > 0 ? colors.add : colors.take;
      context.setLineDash(value > 0 ? [] : [5, 2.5]);
      context.beginPath();
      context.moveTo(x0, y0);
      context.bezierCurveTo(x0, y0 + bend, x1, y1 - bend, x1, y1);
      context.stroke();
    }
  }
}

// ---- charts ----------------------------------------------------------------------------------------

const KINDS = {
  loss: {
    value: ({ loss }) => loss[1],
    range: rangeOfLoss,
    ticks: [1e-5, 1e-4, 0.001, 0.01, 0.1, 1, 10, 100],
    label: String,
    title: ({ loss }) => `Loss ${plain(loss[1], 3)}`,
    /** How far the losses lie apart since the last snapshot. */
    more(run) {
      const points = (k) => this.points(run, ({ loss }) => loss[k]);
      const outline = `M${[...points(2), ...points(0).reverse()].join("L")}Z`;
      return `<path d="${outline}" fill="${run.style.color}" opacity="0.18"/>`;
    },
  },
  errors: {
    value: ({ error }) => error[1],
    range: () => ({ low: 0.01, high: 1 }),
    ticks: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
    label: (v) => `${100 * v}%`,
    title: ({ error: [train, test] }) =>
      `Errors: test ${percent(test)}, training ${percent(train)} (thin)`,
    more(run) {
      return this.curve(run, 1, ({ error }) => error[0]);
    },
  },
};
const EPOCHS = [0.01, 0.1, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100];
const [LEFT, TOP, BOTTOM] = [36, 19, 92]; // of the curves, in pixels, as network_view.html has them

const line = (path, x, y, anchor, text) =>
  `<path d="${path}"/><text stroke="none" x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;

/** Curves of runs against time, both on scales that give small numbers room, and a cursor. */
export class Chart {
  constructor(node, kind, onScrub) {
    Object.assign(this, KINDS[kind], { node });
    this.head = node.querySelector("text");
    [this.grid, this.curves, this.cursor] = node.querySelectorAll("g");
    node.onpointerdown = node.onpointermove = ({ buttons, pointerId, clientX }) => {
      if (!(buttons & 1)) return;
      node.setPointerCapture(pointerId); // so that the hand need not stay inside
      const x = clientX - node.getBoundingClientRect().left;
      const nearness = ({ epoch }) => -Math.abs(this.x(epoch) - x);
      onScrub(placeOfLargest(this.run.snapshots.map(nearness)));
    };
  }

  /** Return the place of a time, by a cube root, which gives the start of a run its room. */
  x(epoch) {
    return LEFT + (this.right - LEFT) * Math.cbrt(epoch / this.longest);
  }

  y(v) {
    const { low, high } = this.scale;
    const inside = Number.isFinite(v) ? limit(v, low, high) : high; // nan blew up, too
    return BOTTOM - ((BOTTOM - TOP) * Math.log(inside / low)) / Math.log(high / low);
  }

  /** Draw the axes and the curves of those `runs` that are not hidden; in full `run`, the shown one. */
  draw(runs, run) {
    this.run = run;
    const visible = runs.filter(({ hidden }) => !hidden);
    this.right = this.node.clientWidth - 8;
    this.longest = Math.max(run.epochs, ...visible.map(({ epochs }) => epochs));
    this.scale = this.range(visible.length ? visible : [run]);
    this.grid.innerHTML = [...this.levels(), ...this.times()].join("");
    const curves = visible.map((each) => this.curve(each, each === run ? 2.5 : 1.5));
    if (!run.hidden) curves.push(this.more(run));
    this.curves.innerHTML = curves.join("");
    this.cursor.setAttribute("fill", run.style.color);
  }

  levels() {
    const visible = this.ticks.filter((v) => v >= this.scale.low && v <= this.scale.high);
    return visible.map((v) => {
      const y = this.y(v);
      return line(`M${LEFT} ${y}H${this.right}`, LEFT - 5, y + 3.5, "end", this.label(v));
    });
  }

  times() {
    const marked = EPOCHS.filter((epoch) => epoch < this.longest);
    let last = -Infinity;
    return [...marked, this.longest].map((epoch) => {
      const [x, isEnd] = [this.x(epoch), epoch === this.longest];
      if (!isEnd && (x - last < 28 || this.right - x < 60)) return ""; // no room for its number
      last = x;
      const text = isEnd ? `epochs: ${epoch}` : epoch;
      return line(`M${x} ${TOP}V${BOTTOM}`, x, BOTTOM + 13, isEnd ? "end" : "middle", text);
    });
  }

  points({ snapshots }, value) {
    return snapshots.map((s) => `${this.x(s.epoch).toFixed(1)} ${this.y(value(s)).toFixed(1)}`);
  }

  curve(run, width, value = this.value) {
    const { color, dash } = run.style;
    const style = `stroke="${color}" stroke-dasharray="${dash}" stroke-width="${width}"`;
    return `<path d="M${this.points(run, value).join("L")}" ${style}/>`;
  }

  /** Move the cursor to the time shown. */
  point(moment) {
    const title = this.title(moment);
    this.cursor.setAttribute("transform", `translate(${this.x(moment.epoch)} 0)`);
    this.cursor.lastElementChild.setAttribute("cy", this.y(this.value(moment)));
    setText(this.head, title);
    this.node.ariaLabel = `${title}, after ${moment.epoch.toFixed(2)} epochs, as a curve`;
  }
}
