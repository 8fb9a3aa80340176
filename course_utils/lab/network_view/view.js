// A network at work on a digit, and how it came to be: what was received, and what is shown of it.
//
// Messages that come in, each with `run`, a number:
//   {type: "run", name, layers, activation, epochs, per_epoch, marks, kept}  a run begins
//   {type: "snapshot", iteration, loss: [low, mean, high], error, dtype}     and its weights in a buffer
//   {type: "code", code}                                                     what repeats it
//   {type: "drop"}                                                           a run is taken away
// and that go out: {type: "hello"}, which asks for all of these, "keep", "drop" and "clear".

import { SIDE, PIXELS, ACTIVATIONS, decode, forward, backward, placeOfLargest } from "./numbers.js";
import { partsOfSum, partsOfGradient, total, spread, momentAt } from "./numbers.js";
import { mnistForm, limit, plain, signed, percent, roundTogether, shareOf } from "./numbers.js";
import { STYLES, Chart, build, setText, colorsOf, paint, paintInk, drawLinks } from "./drawing.js";

const RATE = 6; // snapshots a second
const THROTTLE = 20; // milliseconds between two pictures while Python trains, perhaps on the same cores
const VOICES = 7; // of the units that speak for something: how many are shown, at most
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const lastOf = ({ snapshots }) => Math.max(0, snapshots.length - 1);
const answerOf = (found) => placeOfLargest(found.at(-1).activations);
const nameOf = (answer) => (answer < 0 ? "–" : `${answer}`); // -1: its numbers are not finite

/** Return the largest size among numbers, for a scale. */
const largest = (values) => Math.max(...Array.from(values, Math.abs).filter(Number.isFinite), 1e-9);

/** Go to a unit, if it is there; Tab comes back to it. */
function focus(unit) {
  if (!unit) return;
  for (const other of unit.parentNode.children) other.tabIndex = other === unit ? 0 : -1;
  unit.focus();
}

// ---- the place to draw a digit in --------------------------------------------------------------------

class Pad {
  strokes = [];
  width = 2 / SIDE; // of the line, as a share of the side; network_view.html has it, too
  isDown = false; // whether a pen writes
  pointer = null; // which mouse, pen or finger that is: one at a time
  cross = null; // or where the pen of the keyboard is

  /** `onDraw` is called after each change. */
  constructor(node, onDraw) {
    Object.assign(this, { node, onDraw });
    [this.seen, this.ink, this.mark] = node.children;
    node.onpointerdown = (event) => this.touch(event);
    node.onpointermove = (event) => event.pointerId === this.pointer && this.write(event);
    node.onlostpointercapture = node.onblur = (event) => this.leave(event);
    node.onkeydown = (event) => this.press(event);
  }

  touch(event) {
    if (this.pointer !== null || event.button) return;
    this.node.setPointerCapture(event.pointerId);
    Object.assign(this, { pointer: event.pointerId, cross: null });
    this.begin(event);
  }

  press(event) {
    const isSpace = event.key === " ";
    const arrow = isSpace ? [0, 0] : ARROWS[event.key];
    if (this.pointer !== null || !arrow) return;
    event.preventDefault();
    this.cross = (this.cross ?? [0.5, 0.3]).map((v, k) => limit(v + 0.04 * arrow[k], 0.04, 0.96));
    if (isSpace && !this.isDown) return this.begin();
    this.isDown &&= !isSpace;
    if (this.isDown) this.write();
    else this.onDraw();
  }

  begin(event) {
    this.strokes.push([]);
    this.isDown = true;
    this.write(event);
  }

  write(event) {
    this.strokes.at(-1).push(this.cross ?? this.pointOf(event));
    this.onDraw();
  }

  pointOf({ clientX, clientY }) {
    const box = this.ink.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  leave({ pointerId = this.pointer }) {
    if (pointerId !== this.pointer) return; // another finger
    Object.assign(this, { pointer: null, cross: null, isDown: false });
    this.onDraw();
  }

  erase(count) {
    this.strokes.splice(Math.max(0, this.strokes.length - count));
    this.onDraw();
  }

  draw(image, isOwn, colors) {
    paintInk(this.seen, image, colors);
    // each goes to its last point twice, so that a dot has a line, too
    const lines = this.strokes.map((points) => `M${[...points, points.at(-1)].join("L")}`);
    this.ink.firstElementChild.setAttribute("d", isOwn ? lines.join("") : "");
    this.node.classList.toggle("nv-own", isOwn);
    this.node.classList.toggle("nv-drawing", isOwn && this.isDown);
    this.mark.hidden = !this.cross;
    const [x, y] = this.cross ?? [0, 0];
    Object.assign(this.mark.style, { left: `${100 * x}%`, top: `${100 * y}%` });
  }
}

// ---- one view ----------------------------------------------------------------------------------------

class View {
  position = 0; // of the time shown, in snapshots
  playing = false;
  following = false; // whether each new snapshot is shown at once
  pick = null; // {layer, unit} to explain, or null for the network's answer
  before = 0; // when the last picture was drawn
  voices = VOICES; // that there is room for
  runs = []; // in the order in which they began

  constructor(model, el) {
    const { parts, make } = build(model.get("html"));
    Object.assign(this, { model, parts, make, wantsGradients: model.get("backward") });
    this.root = parts.node;
    this.own = { label: null, image: null }; // what was drawn
    this.digits = this.buildDigits();
    this.shown = this.digits[0]; // or what was drawn
    this.pad = new Pad(parts.pad, () => this.drawn());
    this.charts = ["loss", "errors"].map((kind) => new Chart(make("chart").node, kind, this.seek));
    parts.curves.prepend(...this.charts.map(({ node }) => node));
    // slots for the parts of a sum: those that add, and those that take away
    this.groups = [...parts.voices.children].map(({ children: [line, text] }) => {
      const slots = Array.from({ length: VOICES }, () => make("voice").node);
      line.append(...slots);
      return { slots, text };
    });
    this.root.classList.toggle("nv-trains", model.get("live"));
    el.append(this.root);
    this.listen();
    this.stateChanged();
    model.send({ type: "hello" });
  }

  listen() {
    const { parts, model } = this;
    const step = (by) => this.seek(Math.round(this.position) + by);
    const actions = {
      start: () => this.seek(0),
      back: () => step(-1),
      play: () => this.play(!this.playing),
      on: () => step(1),
      undo: () => this.pad.erase(1),
      clear: () => this.pad.erase(Infinity),
      unpick: () => this.set({ pick: null }),
      gradient: () => this.set({ wantsGradients: !this.wantsGradients }),
      forget: () => model.send({ type: "clear" }),
    };
    for (const name in actions) {
      Object.assign(parts[name], { onclick: actions[name], title: parts[name].ariaLabel });
    }
    parts.more.popoverTargetElement = parts.code;
    parts.answers.onclick = ({ target }) => this.seek([...parts.answers.children].indexOf(target));
    parts.slider.oninput = () => this.seek(Number(parts.slider.value));
    parts.net.onkeydown = (event) => this.walk(event);
    // the theme changes the text's colour, and that is made a very short transition in the style
    this.root.ontransitionend = this.root.ontransitioncancel = () => this.refresh(true);
    window.addEventListener("keydown", this.keepKeys, true); // JupyterLab listens on the document
    model.on("change:state", this.stateChanged);
    model.on("msg:custom", this.receive);
    this.resizes = new ResizeObserver(() => {
      this.voices = limit(Math.floor((parts.inspector.clientWidth - 12) / 98), 2, VOICES);
      this.refresh(true);
    });
    this.resizes.observe(this.root);
  }

  close() {
    window.removeEventListener("keydown", this.keepKeys, true);
    this.model.off("change:state", this.stateChanged);
    this.model.off("msg:custom", this.receive);
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.root.remove(); // anywidget keeps the element that it was in
  }

  // what is built: digits once, a row of the legend for each run, and the network for each shape

  buildDigits() {
    const bytes = this.model.get("digits");
    const pixels = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.model.get("labels").map((label, k) => {
      const ink = pixels.subarray(k * PIXELS, (k + 1) * PIXELS);
      const digit = { label, image: Float32Array.from(ink, (v) => v / 255) };
      digit.thumb = this.make("thumb").node;
      digit.thumb.onclick = () => this.set({ shown: digit });
      this.parts.strip.append(digit.thumb);
      return digit;
    });
  }

  buildRun(run) {
    const row = this.make("run");
    const { color, dash } = run.style;
    row.stroke.setAttribute("stroke", color);
    row.stroke.setAttribute("stroke-dasharray", dash);
    row.name.textContent = run.name;
    row.name.title = `Show the network of ${run.name}`;
    row.box.ariaLabel = row.box.title = `Show the curves of ${run.name}`;
    row.keep.onclick = () => {
      // what is dropped, by this or by "clear", comes back as a message to all views
      this.model.send({ type: run === this.runs.at(-1) ? "keep" : "drop", run: run.id });
      run.kept = true;
      this.refresh(true);
    };
    row.name.onclick = () => {
      const { epoch } = this.moment; // which stays
      this.show(run);
      this.seek(placeOfLargest(run.snapshots.map((each) => -Math.abs(each.epoch - epoch))));
    };
    row.box.onchange = () => {
      run.hidden = !row.box.checked;
      this.refresh(true);
    };
    this.parts.runs.prepend(row.node);
    return row;
  }

  /** Make the rows: pictures of the first layer, cells of deeper ones, and the outputs. */
  buildNet() {
    const { layers } = this.run;
    if (this.shape === layers.join()) return;
    // the last layer is that of the outputs, and the first one is 0
    Object.assign(this, { shape: layers.join(), last: layers.length - 2, pick: null });
    this.hasNumbers = layers[1] <= 24 && this.last > 0; // then there is room for them
    const kinds = ["unit", ...layers.slice(2, -1).fill("cell"), "output"];
    this.rows = kinds.map((kind, r) => this.buildRow(kind, Math.min(r, this.last)));
    const { net, links } = this.parts;
    net.replaceChildren(links, ...this.rows.map((row) => row[0].parentNode));
    net.classList.toggle("nv-many", !this.hasNumbers);
  }

  buildRow(kind, layer) {
    const { node } = this.make("row");
    const name = kind === "output" ? "Outputs" : `Units of layer ${layer + 1}`;
    node.ariaLabel = `${name}; arrow keys move among them`;
    const n = this.run.layers[layer + 1];
    if (kind !== "output") node.style = this.sizes(kind, n);
    return Array.from({ length: n }, (_, j) => {
      const unit = this.make(kind).node;
      unit.tabIndex = j ? -1 : 0;
      unit.ariaLabel = `Weights of ${this.nameOfUnit(layer, j)}`; // until there is more to say
      unit.onclick = () => this.choosePick(layer, j);
      if (kind !== "cell")
        setText(unit.querySelector("strong"), this.last && kind === "unit" ? j + 1 : j);
      node.append(unit);
      return unit;
    });
  }

  /** Return the style of a row of n squares: in how many columns, and how large they may be. */
  sizes(kind, n) {
    const [isCell, deep] = [kind === "cell", this.last - 1];
    const lines = Math.max(1, Math.round(isCell ? n / 80 : Math.sqrt(n / 12)));
    const links = deep > 0 ? 20 + 38 * deep : this.last ? 56 : 20; // the height they need
    const room = (isCell ? 22 : 166 - links) / lines - (this.hasNumbers && !isCell ? 26 : 4);
    const size = Math.min(isCell ? 18 : this.last ? 62 : 110, room);
    const width = isCell || !this.last ? "1fr" : `${size}px`; // or all are spread over the row
    return `--size: ${size}px; --columns: ${Math.ceil(n / lines)}; --column: ${width}`;
  }

  // what happens

  receive = ({ type, run: id, ...rest }, buffers) => {
    const run = this.runs.find((other) => other.id === id);
    if (type === "run" && !run) this.begin(id, rest);
    else if (type === "snapshot" && run) this.extend(run, rest, buffers[0]);
    else if (type === "code" && run) run.code = rest.code;
    else if (type === "drop" && run) this.drop(run);
    this.refresh(true);
  };

  begin(id, about) {
    const isFree = (style) => this.runs.every((run) => run.style !== style);
    const style = STYLES.find(isFree) ?? STYLES[id % STYLES.length];
    const run = { id, ...about, style, snapshots: [], hidden: false };
    run.row = this.buildRun(run);
    this.runs.push(run);
    this.follow(run);
  }

  extend(run, { dtype, iteration, loss, error }, buffer) {
    if (iteration <= (run.snapshots.at(-1)?.iteration ?? -1)) return; // known already
    const losses = loss.map((v) => Number(v ?? NaN)); // JSON has no number for one that blew up
    const [epoch, weights] = [iteration / run.per_epoch, decode(dtype, buffer)];
    run.snapshots.push({ iteration, epoch, loss: losses, error, weights });
    if (this.following && this.run === run) this.position = lastOf(run);
  }

  drop(run) {
    run.row.node.remove();
    this.runs = this.runs.filter((other) => other !== run);
    if (this.run === run && this.runs.length) this.follow(this.runs.at(-1));
  }

  /** Show a run as it comes: played, or each snapshot at once. */
  follow(run) {
    this.show(run);
    this.playing = this.training && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.following = !this.playing;
  }

  stateChanged = () => {
    const [before, state] = [this.state, this.model.get("state")];
    Object.assign(this, { state, training: state === "training" });
    if (state !== before && this.run) {
      if (this.training) this.follow(this.runs.at(-1) ?? this.run);
      if (state === "stopped") this.seek(Infinity);
    }
    this.refresh(true);
  };

  show(run) {
    if (this.run === run) return;
    this.run = run;
    this.position = lastOf(run);
    const { bar, curves } = this.parts;
    this.isStale = true;
    bar.hidden = curves.hidden = run.marks.length < 2; // there is a network, but no history
    this.buildNet();
  }

  set(changes) {
    Object.assign(this, changes);
    this.refresh();
  }

  /** A stroke was drawn, or taken away. */
  drawn() {
    const { pad, own, digits } = this;
    if (pad.isDown && this.shown !== own) pad.strokes = pad.strokes.slice(-1); // a new sheet
    own.image = mnistForm(pad.strokes, pad.width);
    if (pad.isDown && own.image) this.shown = own;
    if (this.shown === own && !own.image) this.shown = digits[0];
    this.refresh();
  }

  choosePick(layer, unit) {
    const isSame = this.pick?.layer === layer && this.pick.unit === unit;
    this.set({ pick: isSame ? null : { layer, unit, shown: this.shown } });
  }

  play(on) {
    const isAtEnd = this.position >= lastOf(this.run) && !this.training;
    this.seek(!on ? Math.round(this.position) : isAtEnd ? 0 : this.position);
    this.playing = on;
  }

  seek = (position) => {
    const inside = limit(position, 0, lastOf(this.run));
    this.set({ playing: false, following: false, position: inside });
  };

  /** JupyterLab would take these keys for its cells. */
  keepKeys = ({ key, target }) => {
    const isOurs = /^(Arrow|Enter| |Page|Home|End)/.test(key);
    if (this.root.contains(target)) this.root.toggleAttribute("data-lm-suppress-shortcuts", isOurs);
  };

  /** Go from unit to unit, and from row to row, by arrow keys. */
  walk(event) {
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    const r = this.rows.findIndex((row) => row.includes(event.target));
    if (r < 0 || (!dx && !dy)) return;
    event.preventDefault();
    const place = this.rows[r].indexOf(event.target);
    const share = (place + 0.5) / this.rows[r].length; // of the width
    const next = this.rows[r + dy] ?? [];
    focus(next[dy ? Math.floor(share * next.length) : place + dx]);
  }

  // frames

  /** Draw soon; with `all`, the charts and the legend, too. */
  refresh(all = false) {
    this.isStale ||= all;
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.frame = null;
    if (!this.run?.snapshots.length) return;
    const passed = now - this.before;
    // JupyterLab hides all of it for a moment when its theme changes
    if (!this.root.clientWidth || (this.training && passed < THROTTLE)) return this.refresh();
    // not more than a tenth of a second, as this may be the first picture for long
    if (this.playing) this.advance(Math.min(0.1, passed / 1000));
    this.before = now;
    this.draw();
  }

  advance(seconds) {
    const { run } = this;
    const last = lastOf(run);
    this.position += seconds * RATE * this.parts.speed.value;
    if (this.position >= last) {
      this.position = last;
      this.playing = this.training && run === this.runs.at(-1) && last < run.marks.length - 1;
    }
    this.refresh();
  }

  draw() {
    const { run, digits, own, shown } = this;
    this.colors = colorsOf(this.root);
    this.moment = momentAt(run, this.position);
    for (const digit of [...digits, own]) {
      digit.found = digit.image && forward(run, this.moment.weights, digit.image);
    }
    const { label, found } = shown;
    const isBack = this.wantsGradients && shown !== own; // nobody knows what a drawing should be
    this.gradients = isBack ? backward(run, found, label) : null;
    this.answer = answerOf(found);
    const unit = isBack ? label : Math.max(this.answer, 0);
    // another digit asks for the answer to it, and not for an output that was picked before
    if (this.pick?.layer === this.last && this.pick.shown !== shown) this.pick = null;
    this.picked = this.pick ?? { layer: this.last, unit };
    // first, as it asks for a size, which has to be found out again after each change
    drawLinks(this.parts.links, found, this.gradients, this.rows, this.picked, this.colors);
    this.drawInput();
    this.drawPictures();
    this.drawUnits();
    this.drawOutputs();
    this.explain();
    if (this.isStale) this.drawCurves();
    this.isStale = false;
    this.drawTime();
  }

  drawInput() {
    const { pad, shown, answer } = this;
    const { digit, undo, clear, spoken, gradient } = this.parts;
    const isOwn = shown === this.own;
    pad.draw(shown.image, isOwn, this.colors);
    for (const each of this.digits) this.drawThumb(each);
    setText(digit, isOwn ? "Your digit" : `Test digit ${shown.label}`);
    undo.disabled = clear.disabled = !pad.strokes.length;
    gradient.ariaPressed = this.wantsGradients;
    const verdict = isOwn ? "" : answer === shown.label ? ": right" : ": wrong";
    const says = `reads ${answer}, ${percent(shown.found.at(-1).activations[answer])}${verdict}`;
    const text = `${digit.textContent}. The network ${answer < 0 ? "has no answer" : says}.`;
    pad.node.ariaLabel = `${text} Draw here: Space lowers and lifts the pen, arrow keys move it.`;
    if (!this.playing && !pad.isDown) setText(spoken, text);
  }

  drawThumb(digit) {
    const { thumb, label, image, found } = digit;
    const [canvas, text] = thumb.children;
    const answer = nameOf(answerOf(found));
    const isRight = answer === `${label}`;
    paintInk(canvas, image, this.colors);
    setText(text, answer + (isRight ? "✓" : "✗"));
    text.classList.toggle("nv-wrong", !isRight);
    thumb.ariaLabel = thumb.title = `Test digit ${label}, read as ${answer}`;
    thumb.ariaPressed = digit === this.shown;
  }

  // the network

  /** Paint in each unit of the first layer its weights, or the gradient of them. */
  drawPictures() {
    const { run, colors, shown } = this;
    const { weights } = this.moment;
    const gradients = this.gradients?.[0];
    const n = run.layers[1];
    this.scale = gradients ? largest(gradients) : 4 * spread(weights, PIXELS * n);
    const about = [run.id, this.position, gradients && this.digits.indexOf(shown), colors.add];
    if (this.painted === about.join()) return; // painting is what takes longest
    this.painted = about.join();
    this.rows[0].forEach((unit, j) => {
      const value = gradients ? (k) => shown.image[k] * gradients[j] : (k) => weights[k * n + j];
      paint(unit.firstElementChild, value, this.scale, colors);
    });
  }

  drawUnits() {
    this.rows.slice(0, this.last).forEach((row, layer) => {
      const { activations, sums } = this.shown.found[layer];
      const gradients = this.gradients?.[layer];
      const values = gradients ?? activations;
      const top = largest(values);
      row.forEach((unit, j) => {
        const isOff = activations[j] <= 0;
        const isDead = isOff && this.digits.every(({ found }) => found[layer].activations[j] <= 0);
        unit.style.setProperty("--share", shareOf(Math.abs(values[j]), top));
        unit.classList.toggle("nv-off", isOff);
        unit.classList.toggle("nv-dead", isDead);
        const state = isDead ? "dead" : isOff ? "off" : plain(activations[j], 1);
        const gradient = gradients ? signed(gradients[j], 3) : "";
        const seen = isOff ? state : gradient || state;
        const text = unit.children[3]; // of pictures only
        if (text) setText(text, seen);
        if (this.playing) return; // nobody reads the rest while it changes
        const about = `Unit ${j + 1}: ${seen}; sum ${plain(sums[j])}, activation ${state}`;
        const why = isDead ? ": off for all test digits" : "";
        unit.ariaLabel = unit.title = about + why + (gradient && `, gradient ${gradient}`);
      });
    });
    const row = this.picked.layer === this.last ? this.rows.at(-1) : this.rows[this.picked.layer];
    for (const unit of this.rows.flat()) unit.ariaPressed = unit === row[this.picked.unit];
  }

  drawOutputs() {
    const { activations, sums } = this.shown.found.at(-1);
    const gradients = this.gradients?.[this.last];
    const values = gradients ?? sums;
    const top = Math.max(largest(values), 1);
    this.rows.at(-1).forEach((output, k) => {
      const [value, share] = [values[k], percent(activations[k])];
      const number = signed(value, gradients ? 3 : 1);
      const bar = output.querySelector(".nv-score");
      bar.style.transform = `scaleX(${Math.sign(value) * shareOf(Math.abs(value), top) || 0})`;
      bar.classList.toggle("nv-minus", value < 0);
      output.style.setProperty("--share", shareOf(activations[k], 1));
      output.classList.toggle("nv-answer", k === this.answer);
      setText(output.querySelector("b"), share);
      setText(output.querySelector("small"), number);
      const what = gradients ? `gradient, score ${plain(sums[k])}` : "score";
      output.ariaLabel = `Output ${k}: ${share}, ${number} is its ${what}`;
    });
  }

  // the explanation of the unit or output that is picked

  nameOfUnit(layer, unit) {
    return layer === this.last ? `output ${unit}` : `unit ${unit + 1}`;
  }

  explain() {
    const { layer, unit } = this.picked;
    const { title, sum, voices, unpick } = this.parts;
    const isBack = Boolean(this.gradients);
    this.root.classList.toggle("nv-gradients", isBack); // whose numbers are longer
    sum.hidden = isBack || layer > 0;
    voices.hidden = isBack ? layer === this.last : layer === 0;
    const name = this.nameOfUnit(layer, unit);
    const why = isBack ? this.explainGradient(name) : this.explainSum(name);
    const isVain = this.wantsGradients && !isBack;
    const text = (isVain ? "Your digit has no label, so no gradient. " : "") + why;
    setText(title, text);
    title.title = text; // should it be too long
    unpick.hidden = !this.pick;
  }

  /** Show what a sum is made of, and return a title for it. */
  explainSum(name) {
    const { layer, unit } = this.picked;
    const found = this.shown.found[layer];
    const parts = partsOfSum(found, unit);
    const { values, sum } = roundTogether([total(parts, 1), total(parts, -1), found.biases[unit]]);
    const [plus, minus, bias] = values.map((v) => signed(v));
    const isOutput = layer === this.last;
    const result = (isOutput ? percent : plain)(found.activations[unit]);
    const ends = [`${isOutput ? "score" : "sum"} ${plain(sum)}`];
    ends.push(`${isOutput ? "softmax" : this.run.activation} ${result}`);
    if (layer === 0) {
      this.drawProduct(found, unit);
      const lines = [`blue pixels ${plus}`, `red pixels ${minus}`, `bias ${bias}`, ...ends];
      if (this.last === 1) lines.push(this.shareOfAnswer(unit));
      setText(this.parts.terms, lines.join("\n"));
      return `What ${name} looks for, and what it finds in this digit`;
    }
    this.drawVoices(layer - 1, parts, [`for it: ${plus}`, `against it: ${minus}`]);
    return `Why ${name}? ${plus} ${minus}, bias ${bias}: ${ends.join(", ")}`;
  }

  shareOfAnswer(unit) {
    const answer = Math.max(this.answer, 0);
    const { input, weight } = this.shown.found[1];
    return `for output ${answer} ${signed(input[unit] * weight(unit, answer))}`;
  }

  drawProduct({ input, weight }, j) {
    const [weights, ink, product] = this.parts.sum.querySelectorAll("canvas");
    paint(weights, (k) => weight(k, j), this.scale, this.colors);
    paintInk(ink, input, this.colors);
    paint(product, (k) => input[k] && input[k] * weight(k, j), this.scale, this.colors);
  }

  /** Show where a gradient comes from, the layer above or the label, and return a title for it. */
  explainGradient(name) {
    const { layer, unit } = this.picked;
    const gradient = signed(this.gradients[layer][unit], 3);
    const activation = this.shown.found[layer].activations[unit];
    if (layer === this.last) {
      const ends = `its softmax is ${plain(activation, 3)} and should be`;
      return `Gradient of ${name}: ${gradient}, as ${ends} ${Number(unit === this.shown.label)}`;
    }
    const parts = partsOfGradient(this.shown.found[layer + 1], this.gradients[layer + 1], unit);
    const { values } = roundTogether([total(parts, 1), total(parts, -1)], 3);
    const [plus, minus] = values.map((v) => signed(v, 3));
    const slope = plain(ACTIVATIONS[this.run.activation].slope(activation), 3);
    this.drawVoices(layer + 1, parts, [`raises loss: ${plus}`, `lowers loss: ${minus}`]);
    return `Gradient of ${name}: (${plus} ${minus}) × slope ${slope} = ${gradient}`;
  }

  /** Show the largest parts of a sum, from units of `layer`: those above 0, and those below. */
  drawVoices(layer, parts, texts) {
    const digits = this.gradients ? 3 : 2;
    const top = largest(parts.map(({ value }) => value));
    for (const [g, { slots, text }] of this.groups.entries()) {
      const isOurs = ({ value }) => (g ? value < 0 : value > 0);
      const speakers = (g ? parts.toReversed() : parts).filter(isOurs);
      const others = speakers.splice(this.voices);
      const values = [...speakers.map(({ value }) => value), total(others)];
      const numbers = roundTogether(values, digits).values.map((v) => signed(v, digits));
      for (const [s, slot] of slots.entries()) {
        slot.hidden = !speakers[s];
        if (speakers[s]) this.drawVoice(slot, layer, speakers[s], numbers[s], top);
      }
      const more = others.length ? ` (${others.length} more: ${numbers.at(-1)})` : "";
      setText(text, texts[g] + more);
    }
  }

  drawVoice(slot, layer, { unit, value }, number, top) {
    slot.onclick = () => {
      focus(this.rows[layer][unit]);
      this.choosePick(layer, unit);
    };
    const [label, text, bar, canvas] = slot.children;
    const name = this.nameOfUnit(layer, unit);
    bar.firstChild.style.transform = `scaleY(${shareOf(Math.abs(value), top)})`;
    setText(text, number);
    setText(label, layer === this.last ? name : unit + 1);
    slot.ariaLabel = slot.title = `${name}: ${number}`;
    canvas.hidden = layer > 0;
    if (layer > 0) return;
    canvas.width = SIDE; // so it is empty
    canvas.getContext("2d").drawImage(this.rows[0][unit].firstElementChild, 0, 0);
  }

  // curves and time

  drawCurves() {
    const begun = this.runs.filter((run) => run.snapshots.length);
    for (const chart of this.charts) chart.draw(begun, this.run);
    for (const run of this.runs) this.drawRun(run, run.row);
    this.parts.forget.disabled = this.runs.length < 2;
  }

  drawRun(run, { error, keep, name }) {
    const isNewest = run === this.runs.at(-1);
    const action = !isNewest ? "Remove" : run.kept ? "Kept" : "Keep";
    setText(error, percent(run.snapshots.at(-1)?.error[1]));
    setText(keep, isNewest ? action : "×");
    keep.ariaLabel = keep.title = `${action} ${run.name}`;
    keep.disabled = action === "Kept";
    name.ariaPressed = run === this.run;
  }

  drawTime() {
    const { run, shown } = this;
    const { epoch, iteration } = this.moment;
    const { clock, slider, play, code, more } = this.parts;
    for (const chart of this.charts) chart.point(this.moment);
    setText(clock, `epoch ${epoch.toFixed(epoch < 0.1 ? 3 : 2)}, step ${iteration}`);
    setText(code, run.code ?? "");
    more.hidden = !run.code;
    for (const snapshot of run.snapshots) {
      if (snapshot.image === shown.image) continue; // its answer is known
      snapshot.image = shown.image;
      snapshot.answer = nameOf(answerOf(forward(run, snapshot.weights, shown.image)));
    }
    const count = Math.max(run.marks.length, run.snapshots.length, 2);
    Object.assign(slider, { max: count - 1, value: this.position });
    const said = run.snapshots[Math.round(this.position)].answer;
    slider.ariaValueText = `${clock.textContent}, reads ${said}`;
    play.ariaLabel = play.title = this.playing ? "Pause" : "Play";
    this.drawAnswers(count);
  }

  /** Show below the slider when the network read what: a cell for each snapshot. */
  drawAnswers(count) {
    const { answers } = this.parts;
    while (answers.children.length > count) answers.lastChild.remove();
    while (answers.children.length < count) answers.append(document.createElement("span"));
    const answerAt = (k) => this.run.snapshots[k]?.answer ?? ""; // or it is still to come
    [...answers.children].forEach((cell, k) => {
      const answer = answerAt(k);
      setText(cell, answer === answerAt(k - 1) ? "" : answer);
      cell.className = !answer ? "" : answer === `${this.shown.label}` ? "nv-right" : "nv-read";
    });
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
