// A network at work on a digit, and how it came to be: what was received, and what is shown of it.
//
// Messages that come in, each with `run`, a number:
//   {type: "run", name, layers, activation, epochs, per_epoch, marks, kept}  a run begins
//   {type: "snapshot", iteration, loss: [low, mean, high], error, dtype}     and its weights in a buffer
//   {type: "drop"}                                                           a run is taken away
// and that go out: {type: "hello"}, which asks for all of these, "keep", "drop" and "clear".

import { SIDE, PIXELS, SLOPES, decode, forward, backward, placeOfLargest } from "./numbers.js";
import { partsOfSum, partsOfGradient, total, spread, between, weightsAt } from "./numbers.js";
import { mnistForm, plain, signed, percent, roundTogether, shareOf } from "./numbers.js";
import { STYLES, Chart, build, setText, drawStrokes, readColors, paint } from "./drawing.js";
import { paintInk, drawLinks, fit, placeOf, press } from "./drawing.js";

const RATE = 6; // snapshots a second
const THROTTLE = 30; // milliseconds between two pictures while Python trains, perhaps on the same cores
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TRAITS = "change:state change:message change:text_code";
const prefersStill = matchMedia("(prefers-reduced-motion: reduce)");

const lastOf = ({ snapshots }) => Math.max(0, snapshots.length - 1);
const nameOf = (answer) => (answer < 0 ? "–" : `${answer}`); // -1: its numbers are not finite

// ---- the place to draw a digit in --------------------------------------------------------------------

class Pad {
  strokes = [];
  width = 2 / SIDE; // of the line, as a share of the side
  isDrawing = false; // or the drawing is shown as the network sees it
  cross = null; // where the pen of the keyboard is
  isDown = false; // and whether it writes

  /** `onDraw` is called after each change. */
  constructor(node, onDraw) {
    Object.assign(this, { node, onDraw });
    [this.seen, this.ink, this.mark] = node.children;
    node.title = "Draw a digit; or press Space, move with the arrow keys, and press Space again";
    node.onpointerdown = (event) => this.touch(event);
    node.onpointermove = (event) => event.pointerId === this.pointer && this.extend(event);
    node.onpointerup = node.onpointercancel = node.onblur = (event) => this.leave(event);
    node.onkeydown = (event) => this.press(event);
  }

  touch(event) {
    if (this.pointer !== undefined || event.button) return; // one finger at a time
    this.pointer = event.pointerId;
    this.node.setPointerCapture(this.pointer);
    this.cross = null;
    this.begin(event);
  }

  press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== " ") return;
    event.preventDefault();
    const move = (v, k) => Math.min(Math.max(v + 0.04 * (arrow?.[k] ?? 0), 0.04), 0.96);
    this.cross = (this.cross ?? [0.5, 0.3]).map(move);
    if (!arrow) this.isDown = !this.isDown;
    if (!arrow && this.isDown) this.begin();
    else if (this.isDown) this.extend();
    else this.onDraw();
  }

  pointOf({ clientX, clientY }) {
    const box = this.ink.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  begin(event) {
    this.strokes.push([]);
    clearTimeout(this.timer);
    this.isDrawing = true;
    this.extend(event);
  }

  extend(event) {
    this.strokes.at(-1).push(this.cross ?? this.pointOf(event));
    this.onDraw();
  }

  leave({ pointerId = this.pointer }) {
    if (pointerId !== this.pointer) return;
    Object.assign(this, { pointer: undefined, cross: null, isDown: false });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.isDrawing = false;
      this.onDraw();
    }, 800);
  }

  erase(count) {
    this.strokes.splice(Math.max(0, this.strokes.length - count));
    this.onDraw();
  }

  draw(image, isOwn, colors) {
    paintInk(this.seen, image, colors);
    drawStrokes(this.ink, isOwn ? this.strokes : [], this.width, colors.ink);
    this.node.classList.toggle("nv-drawing", this.isDrawing && isOwn);
    this.node.classList.toggle("nv-hint", !isOwn);
    this.mark.hidden = !this.cross;
    const [x, y] = this.cross ?? [0, 0];
    this.mark.style.translate = `${x * this.ink.clientWidth}px ${y * this.ink.clientHeight}px`;
  }
}

// ---- one view ----------------------------------------------------------------------------------------

class View {
  position = 0; // of the time shown, in snapshots
  playing = false;
  following = false; // whether each new snapshot is shown at once
  training = false;
  chosen = 0; // of the digits; the last one is what was drawn
  pick = null; // {layer, unit} to explain, or null for the network's answer

  runs = []; // in the order in which they began

  constructor(model, el) {
    Object.assign(this, { model, wantsGradients: model.get("backward") });
    const bytes = model.get("digits");
    const pixels = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const image = (k) => Float32Array.from(pixels.subarray(k, k + PIXELS), (v) => v / 255);
    this.digits = model.get("labels").map((label, k) => ({ label, image: image(k * PIXELS) }));
    this.own = { label: null, image: null };
    this.digits.push(this.own);
    this.build();
    el.append(this.root);
    this.listen();
    this.stateChanged();
    model.send({ type: "hello" });
  }

  build() {
    const { parts, make } = build(this.model.get("html"));
    Object.assign(this, { parts, make, root: parts.node, rowOfRun: new Map() });
    this.pad = new Pad(parts.pad, () => this.drawn());
    this.thumbs = this.digits.slice(0, -1).map(() => make("thumb").node);
    this.thumbs.forEach((thumb, k) => (thumb.onclick = () => this.choose(k)));
    parts.strip.append(...this.thumbs);
    const seek = (place) => this.seek(place);
    this.charts = ["loss", "errors"].map((kind) => new Chart(parts[kind], kind, seek));
    parts.forget.hidden = !this.model.get("live");
    this.root.classList.toggle("nv-trains", this.model.get("live"));
    const actions = {
      start: () => this.seek(0),
      back: () => this.step(-1),
      play: () => this.play(!this.playing),
      on: () => this.step(1),
      more: () => parts.code.togglePopover(),
      undo: () => this.pad.erase(1),
      clear: () => this.pad.erase(Infinity),
      gradient: () => this.showGradients(!this.wantsGradients),
      forget: () => this.forget(),
    };
    for (const name in actions) {
      parts[name].onclick = actions[name];
      parts[name].title = parts[name].ariaLabel;
    }
  }

  listen() {
    this.off = new AbortController();
    const { signal } = this.off;
    const { slider, net } = this.parts;
    // on the window, since JupyterLab listens on the document
    window.addEventListener("keydown", (event) => this.keepKeys(event), { capture: true, signal });
    // the theme changes the text's colour, and that is made a very short transition in the style
    this.root.addEventListener("transitionend", () => this.refresh(true));
    slider.oninput = () => this.seek(Number(slider.value));
    net.onkeydown = (event) => this.walk(event);
    this.onTraits = () => this.stateChanged();
    this.model.on(TRAITS, this.onTraits);
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    this.model.on("msg:custom", this.onMessage);
    this.resizes = new ResizeObserver(() => this.layout());
    this.resizes.observe(this.root);
  }

  close() {
    this.off.abort();
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.pad.timer);
    this.model.off(TRAITS, this.onTraits);
    this.model.off("msg:custom", this.onMessage);
  }

  // the rows of the network: pictures of the first layer, cells of deeper ones, and the outputs

  buildNet() {
    const { layers } = this.run;
    if (this.shape === layers.join()) return;
    this.shape = layers.join();
    this.pick = null;
    this.last = layers.length - 2; // the layer of the outputs; the first one is 0
    const deeper = layers.slice(2, -1).map((n, l) => this.buildRow(n, l + 1, "cell"));
    this.rows = [this.buildRow(layers[1], 0, "unit"), ...deeper];
    this.rows.push(this.buildRow(layers.at(-1), this.last, "output"));
    this.rows.at(-1).forEach((unit, k) => setText(unit.querySelector("strong"), k));
    const { net, links } = this.parts;
    net.replaceChildren(links, ...this.rows.map((row) => row[0].parentNode));
    net.classList.toggle("nv-flat", this.last === 0);
  }

  buildRow(n, layer, kind) {
    const { node } = this.make("row");
    const name = kind === "output" ? "Outputs" : `Units of layer ${layer + 1}`;
    node.ariaLabel = `${name}; arrow keys move among them`;
    const row = Array.from({ length: n }, () => this.make(kind).node);
    row.forEach((unit, j) => {
      unit.tabIndex = j ? -1 : 0;
      unit.onclick = () => this.choosePick(layer, j);
    });
    node.append(...row);
    return row;
  }

  /** Set all sizes that depend on the width. */
  layout() {
    if (!this.run || !this.root.clientWidth) return;
    const { net } = this.parts;
    const few = this.run.layers[1] <= 24 && this.last > 0;
    net.classList.toggle("nv-many", !few);
    const deep = this.rows.length - 2;
    const links = deep ? 20 + 38 * deep : this.last ? 56 : 20;
    const room = net.clientHeight - this.rows.at(-1)[0].offsetHeight - links;
    this.rows.slice(0, -1).forEach((row, r) => {
      const pictures = { most: this.last ? 62 : 110, gap: few ? 5 : 2, foot: few ? 21 : 5 };
      const limits = r ? { most: 18, gap: 2 } : pictures;
      const { size, perLine } = fit(row.length, net.clientWidth, r ? 20 : room, limits);
      const width = r || !this.last ? "1fr" : `${size}px`; // deeper layers spread over the width
      const columns = `repeat(${perLine}, ${width})`;
      const style = `--size: ${size}px; --gap: ${limits.gap}px; --columns: ${columns}`;
      row[0].parentNode.style = style;
    });
    this.places = this.rows.map((row) => row.map(placeOf));
    this.buildVoices();
    this.look = null;
    this.refresh(true);
  }

  buildVoices() {
    const room = Math.floor((this.parts.inspector.clientWidth - 28) / 98);
    const count = Math.max(2, Math.min(7, room));
    this.groups = [0, 1].map(() => {
      const group = this.make("group");
      group.slots = Array.from({ length: count }, () => this.make("voice").node);
      for (const slot of group.slots) slot.onclick = () => this.choosePick(slot.layer, slot.unit);
      group.line.append(...group.slots);
      return group;
    });
    this.parts.voices.replaceChildren(...this.groups.map(({ node }) => node));
  }

  // what happens

  receive({ type, run: id, ...rest }, buffers) {
    const run = this.runs.find((other) => other.id === id);
    if (type === "run" && !run) this.begin(id, rest);
    else if (type === "snapshot" && run) this.extend(run, rest, buffers[0]);
    else if (type === "drop") this.drop(run);
    this.refresh(true);
  }

  begin(id, about) {
    const isFree = (style) => this.runs.every((run) => run.style !== style);
    const style = STYLES.find(isFree) ?? STYLES[id % STYLES.length];
    this.runs.push({ id, ...about, style, snapshots: [], hidden: false });
    this.follow(this.runs.at(-1));
  }

  extend(run, { dtype, iteration, ...rest }, buffer) {
    if (iteration <= (run.snapshots.at(-1)?.iteration ?? -1)) return; // known already
    const about = { ...rest, iteration, epoch: iteration / run.per_epoch };
    run.snapshots.push({ ...about, weights: decode(dtype, buffer) });
    if (this.following && this.run === run) this.position = lastOf(run);
  }

  drop(run) {
    this.runs = this.runs.filter((other) => other !== run);
    if (this.run === run && this.runs.length) this.show(this.runs.at(-1));
  }

  /** Show a run as it comes: played, or each snapshot at once. */
  follow(run) {
    this.show(run);
    this.playing = this.training && !prefersStill.matches;
    this.following = !this.playing;
  }

  stateChanged() {
    const { message, code, more } = this.parts;
    const state = this.model.get("state");
    const begins = state === "training" && !this.training;
    this.training = state === "training";
    if (begins && this.run) this.follow(this.runs.at(-1));
    if (state === "stopped" && this.run) this.seek(Infinity);
    setText(message, this.model.get("message") ?? "");
    setText(code, this.model.get("text_code") ?? "");
    more.hidden = !code.textContent;
    this.refresh(true);
  }

  show(run) {
    if (this.run === run) return;
    this.run = run;
    this.position = lastOf(run);
    this.root.classList.toggle("nv-still", run.marks.length < 2); // a network, and not its history
    this.buildNet();
    this.layout();
  }

  choose(k) {
    this.chosen = k;
    this.pad.isDrawing = false;
    this.refresh();
  }

  /** A stroke was drawn, or taken away. */
  drawn() {
    const { pad, own, digits } = this;
    const isOwn = digits[this.chosen] === own;
    if (!isOwn && pad.isDrawing) pad.strokes.splice(0, pad.strokes.length - 1); // a new sheet
    own.image = mnistForm(pad.strokes, pad.width);
    if (own.image && pad.isDrawing) this.chosen = digits.length - 1;
    if (!own.image && isOwn) this.chosen = 0;
    this.refresh();
  }

  choosePick(layer, unit) {
    const same = this.pick?.layer === layer && this.pick.unit === unit;
    this.pick = same ? null : { layer, unit };
    if (document.activeElement.classList.contains("nv-voice")) focus(this.rows[layer][unit]);
    this.refresh();
  }

  showGradients(on) {
    this.wantsGradients = on;
    this.refresh();
  }

  play(on) {
    const isAtEnd = this.position >= lastOf(this.run);
    this.seek(on && isAtEnd && !this.training ? 0 : this.position);
    this.playing = on;
    if (!on) this.position = Math.round(this.position); // a snapshot, and nothing in between
  }

  seek(position) {
    this.playing = this.following = false;
    this.position = Math.max(0, Math.min(position, lastOf(this.run)));
    this.refresh();
  }

  step(by) {
    this.seek(Math.round(this.position) + by);
  }

  /** JupyterLab would take these keys for its cells. */
  keepKeys({ key, target }) {
    const isOurs = /^(Arrow|Enter| |Page|Home|End)/.test(key);
    if (this.root.contains(target)) this.root.toggleAttribute("data-lm-suppress-shortcuts", isOurs);
  }

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
    if (!this.run?.snapshots.length || !this.places) return;
    if (this.training && now - this.before < THROTTLE) return void this.refresh();
    if (this.playing) this.advance((now - (this.playedAt ?? now)) / 1000);
    this.playedAt = this.playing ? now : undefined;
    this.before = now;
    this.draw();
  }

  advance(seconds) {
    const { run } = this;
    const last = lastOf(run);
    this.position += Math.min(0.1, seconds) * RATE * this.parts.speed.value;
    if (this.position >= last) {
      this.position = last;
      const isGrowing = this.training && run === this.runs.at(-1);
      this.playing = isGrowing && last < run.marks.length - 1;
    }
    this.refresh();
  }

  draw() {
    const { run, position, chosen } = this;
    this.colors = readColors(this.root);
    const weights = weightsAt(run, position);
    const look = [this.colors.key, position, run.id].join();
    const read = ({ image }) => image && forward(run, weights, image);
    const isNew = this.look !== look; // whether weights or colours are others than before
    if (isNew) this.readings = this.digits.map(read);
    else this.readings[this.digits.length - 1] = read(this.own);
    this.look = look;
    const { label } = this.digits[chosen];
    const found = this.readings[chosen];
    const isBack = this.wantsGradients && label !== null; // nobody knows what a drawing should be
    this.gradients = isBack ? backward(run, found, label) : null;
    const answer = placeOfLargest(found.at(-1).activations);
    const pick = this.pick ?? { layer: this.last, unit: Math.max(isBack ? label : answer, 0) };
    this.drawInput(answer, found);
    if (isNew) this.thumbs.forEach((thumb, k) => this.drawThumb(thumb, k));
    this.drawPictures(weights, found[0].input, isNew);
    this.drawUnits(found);
    this.drawOutputs(found.at(-1), answer);
    for (const [r, row] of this.rows.entries()) {
      row.forEach((unit, j) => press(unit, r === pick.layer && j === pick.unit));
    }
    drawLinks(this.parts.links, found, this.gradients, this.places, pick, this.colors);
    if (isBack) this.inspectGradient(found, pick);
    else this.inspect(found, pick);
    if (this.isStale) this.drawCurves();
    this.isStale = false;
    this.drawTime();
  }

  // the digit

  drawInput(answer, found) {
    const { pad } = this;
    const { image, label } = this.digits[this.chosen];
    const isOwn = label === null;
    const { digit, undo, clear, spoken, gradient } = this.parts;
    pad.draw(image, isOwn, this.colors);
    setText(digit, isOwn ? "Your digit" : `Test digit ${label}`);
    undo.disabled = clear.disabled = !pad.strokes.length;
    gradient.disabled = isOwn;
    press(gradient, Boolean(this.gradients));
    const verdict = isOwn ? "" : answer === label ? ": right" : ": wrong";
    const says = `reads ${answer}, ${percent(found.at(-1).activations[answer])}${verdict}`;
    const text = `${digit.textContent}. The network ${answer < 0 ? "has no answer" : says}.`;
    pad.node.ariaLabel = `${text} Draw here: Space lowers and lifts the pen, arrow keys move it.`;
    if (!this.playing && pad.pointer === undefined) setText(spoken, text);
    this.thumbs.forEach((thumb, k) => press(thumb, k === this.chosen));
  }

  drawThumb(thumb, k) {
    const { image, label } = this.digits[k];
    const answer = nameOf(placeOfLargest(this.readings[k].at(-1).activations));
    const isRight = answer === `${label}`;
    const [canvas, text] = thumb.children;
    paintInk(canvas, image, this.colors);
    setText(text, answer + (isRight ? "✓" : "✗"));
    text.classList.toggle("nv-wrong", !isRight);
    thumb.ariaLabel = thumb.title = `Test digit ${label}, read as ${answer}`;
  }

  // the network

  /** Paint in each unit of the first layer its weights, or the gradient of them. */
  drawPictures(weights, ink, isNew) {
    const gradients = this.gradients?.[0];
    const key = gradients ? this.chosen : "weights";
    if (!isNew && key === this.painted) return;
    this.painted = key;
    const n = this.run.layers[1];
    this.scale = gradients ? largest(gradients) : 4 * spread(weights, PIXELS * n);
    this.rows[0].forEach((unit, j) => {
      const value = gradients ? (k) => ink[k] * gradients[j] : (k) => weights[k * n + j];
      paint(unit.firstElementChild, value, this.scale, this.colors.ramps);
      if (!this.last) unit.ariaLabel = `Weights of output ${j}`;
    });
  }

  drawUnits(found) {
    if (!this.last) return;
    const others = this.readings.slice(0, -1);
    this.rows.slice(0, -1).forEach((row, layer) => {
      const { activations, sums } = found[layer];
      const gradients = this.gradients?.[layer];
      const values = gradients ?? activations;
      const top = largest(values);
      row.forEach((unit, j) => {
        const isOff = activations[j] <= 0;
        const isDead = isOff && others.every((reading) => reading[layer].activations[j] <= 0);
        unit.style.setProperty("--share", shareOf(Math.abs(values[j]), top));
        unit.classList.toggle("nv-off", isOff);
        unit.classList.toggle("nv-dead", isDead);
        const state = isDead ? "dead" : isOff ? "off" : plain(activations[j], 1);
        const gradient = gradients ? signed(gradients[j]) : "";
        const text = unit.children[2]; // of pictures only
        if (text) setText(text, isOff ? state : gradient || state);
        if (this.playing) return; // nobody reads the rest while it changes
        const about = `Unit ${j + 1}, sum ${plain(sums[j])}, activation ${state}`;
        const why = isDead ? ": off for all test digits" : "";
        unit.ariaLabel = unit.title = about + why + (gradient && `, gradient ${gradient}`);
      });
    });
  }

  drawOutputs({ activations, sums }, answer) {
    const gradients = this.gradients?.[this.last];
    const values = gradients ?? sums;
    const top = Math.max(largest(values), 1);
    this.rows.at(-1).forEach((output, k) => {
      const bar = output.querySelector(".nv-score");
      const share = percent(activations[k]);
      const number = signed(values[k], gradients ? 2 : 1);
      const length = Math.sign(values[k]) * shareOf(Math.abs(values[k]), top) || 0;
      bar.style.transform = `scaleX(${length})`;
      bar.classList.toggle("nv-minus", values[k] < 0);
      output.style.setProperty("--share", shareOf(activations[k], 1));
      output.classList.toggle("nv-answer", k === answer);
      setText(output.querySelector("b"), share);
      setText(output.querySelector("small"), number);
      const gradient = gradients ? `, gradient ${number}` : "";
      output.ariaLabel = `Output ${k}, score ${plain(sums[k])}, ${share}${gradient}`;
    });
  }

  // the explanation of the unit or output that is picked

  nameOfUnit(layer, unit) {
    return layer === this.last ? `output ${unit}` : `unit ${unit + 1}`;
  }

  inspect(found, pick) {
    const layer = found[pick.layer];
    const isOutput = pick.layer === this.last;
    const parts = partsOfSum(layer, pick.unit);
    const terms = [total(parts, 1), total(parts, -1), layer.biases[pick.unit]];
    const { values, sum } = roundTogether(terms);
    const [plus, minus, bias] = values.map((v) => signed(v));
    const result = layer.activations[pick.unit];
    const results = { [isOutput ? "score" : "sum"]: plain(sum) };
    results[isOutput ? "softmax" : this.run.activation] = (isOutput ? percent : plain)(result);
    const name = this.nameOfUnit(pick.layer, pick.unit);
    this.parts.sum.hidden = pick.layer > 0;
    this.parts.voices.hidden = pick.layer === 0;
    if (pick.layer === 0) {
      setText(this.parts.title, `What ${name} looks for, and what it finds in this digit`);
      const numbers = { "blue pixels": plus, "red pixels": minus, bias, ...results };
      return this.inspectPixels(layer, pick.unit, numbers);
    }
    const text = Object.entries(results).map((pair) => pair.join(" "));
    setText(this.parts.title, `Why ${name}? ${plus} ${minus}, bias ${bias}: ${text.join(", ")}`);
    this.drawVoices(pick.layer - 1, parts, [`for it: ${plus}`, `against it: ${minus}`], "adds");
  }

  inspectPixels({ input, weight }, j, numbers) {
    const { ramps } = this.colors;
    const [weights, ink, product] = this.parts.sum.querySelectorAll("canvas");
    paint(weights, (k) => weight(k, j), this.scale, ramps);
    paintInk(ink, input, this.colors);
    paint(product, (k) => (input[k] ? input[k] * weight(k, j) : 0), this.scale, ramps);
    const texts = Object.entries(numbers).flat();
    for (const [k, cell] of this.parts.sum.querySelectorAll("th, td").entries()) {
      setText(cell, texts[k]);
    }
  }

  /** Say where the gradient of what is picked comes from: the layer above, or the label. */
  inspectGradient(found, { layer, unit }) {
    const [sum, above] = [this.gradients[layer][unit], found[layer + 1]];
    const name = this.nameOfUnit(layer, unit);
    this.parts.sum.hidden = true;
    this.parts.voices.hidden = !above;
    const { activations } = found[layer];
    if (!above) {
      const truth = unit === this.digits[this.chosen].label ? 1 : 0;
      const text = `${signed(sum, 3)}, as its share is ${plain(activations[unit], 3)}`;
      return setText(this.parts.title, `Gradient of ${name}: ${text} and should be ${truth}`);
    }
    const parts = partsOfGradient(above, this.gradients[layer + 1], unit);
    const { values } = roundTogether([total(parts, 1), total(parts, -1)], 3);
    const [plus, minus] = values.map((v) => signed(v, 3));
    const slope = plain(SLOPES[this.run.activation](activations[unit]), 3);
    const text = `(${plus} ${minus}) × slope ${slope} = ${signed(sum, 3)}`;
    setText(this.parts.title, `Gradient of ${name}: ${text}`);
    this.drawVoices(layer + 1, parts, [`raises the loss: ${plus}`, `lowers it: ${minus}`], "gives");
  }

  /** Show the largest parts of a sum, from units of `layer`: those above 0, and those below. */
  drawVoices(layer, parts, texts, verb) {
    const digits = this.gradients ? 3 : 2;
    const top = largest(parts.map(({ value }) => value));
    this.groups.forEach(({ slots, text }, g) => {
      const sign = g ? -1 : 1;
      const speakers = (g ? parts.toReversed() : parts).filter(({ value }) => value * sign > 0);
      const [shown, others] = [speakers.slice(0, slots.length), speakers.slice(slots.length)];
      const values = [...shown.map(({ value }) => value), total(others)];
      const numbers = roundTogether(values, digits).values.map((v) => signed(v, digits));
      slots.forEach((slot, s) => {
        slot.classList.toggle("nv-silent", !shown[s]);
        if (shown[s]) this.drawVoice(slot, layer, shown[s], numbers[s], top, verb);
      });
      const more = others.length ? ` (${others.length} more: ${numbers.at(-1)})` : "";
      setText(text, texts[g] + more);
    });
  }

  drawVoice(slot, layer, { unit, value }, number, top, verb) {
    Object.assign(slot, { layer, unit });
    const [text, bar, canvas, label] = slot.children;
    const name = this.nameOfUnit(layer, unit);
    bar.firstChild.style.transform = `scaleY(${shareOf(Math.abs(value), top)})`;
    setText(text, number);
    setText(label, layer === this.last ? name : unit + 1);
    slot.ariaLabel = slot.title = `${name} ${verb} ${number}`;
    canvas.hidden = layer > 0;
    if (layer > 0) return;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(this.rows[0][unit].firstElementChild, 0, 0);
  }

  // curves and time

  drawCurves() {
    const runs = this.runs.filter((run) => run.snapshots.length);
    for (const chart of this.charts) chart.draw(runs, this.run);
    for (const [run, { node }] of this.rowOfRun) {
      if (!runs.includes(run)) node.remove();
    }
    this.rowOfRun = new Map(runs.map((run) => [run, this.rowOfRun.get(run) ?? this.buildRun(run)]));
    for (const run of runs) this.drawRun(run, this.rowOfRun.get(run));
    this.parts.forget.disabled = runs.length < 2;
  }

  buildRun(run) {
    const row = this.make("run");
    row.stroke.setAttribute("stroke", run.style.color);
    row.stroke.setAttribute("stroke-dasharray", run.style.dash);
    row.name.textContent = run.name;
    row.name.title = `Show the network of ${run.name}`;
    row.box.ariaLabel = row.box.title = `Show the curves of ${run.name}`;
    row.keep.hidden = !this.model.get("live");
    row.keep.onclick = () => this.keepOrDrop(run);
    row.name.onclick = () => {
      this.show(run);
      this.seek(Infinity);
      this.refresh(true);
    };
    row.box.onchange = () => {
      run.hidden = !row.box.checked;
      this.refresh(true);
    };
    this.parts.runs.append(row.node);
    return row;
  }

  drawRun(run, { error, keep, name }) {
    const isNewest = run === this.runs.at(-1);
    const action = !isNewest ? "Remove" : run.kept ? "Kept" : "Keep";
    setText(error, percent(run.snapshots.at(-1).error[1]));
    setText(keep, isNewest ? action : "×");
    keep.ariaLabel = keep.title = `${action} ${run.name}`;
    keep.disabled = action === "Kept";
    press(name, run === this.run);
  }

  keepOrDrop(run) {
    const type = run === this.runs.at(-1) ? "keep" : "drop";
    run.kept = true;
    this.model.send({ type, run: run.id });
    if (type === "drop") this.drop(run);
    this.refresh(true);
  }

  forget() {
    this.model.send({ type: "clear" });
    for (const run of this.runs.slice(0, -1)) this.drop(run);
    this.refresh(true);
  }

  drawTime() {
    const { run, position } = this;
    const { clock, slider, play } = this.parts;
    const epoch = between(run, position, (snapshot) => Math.cbrt(snapshot.epoch)) ** 3;
    const iteration = Math.round(between(run, position, (snapshot) => snapshot.iteration));
    for (const chart of this.charts) chart.point(epoch, position);
    setText(clock, epoch < 0.1 ? `step ${iteration}` : `epoch ${epoch.toFixed(2)}`);
    const end = Math.max(run.marks.length, run.snapshots.length, 2) - 1;
    Object.assign(slider, { max: end, value: position });
    const said = nameOf(this.answersOverTime()[Math.round(position)]);
    slider.ariaValueText = `${clock.textContent}, iteration ${iteration}, reads ${said}`;
    this.drawAnswers(end);
    play.ariaLabel = play.title = this.playing ? "Pause" : "Play";
  }

  /** Return what each snapshot of the run reads in the digit shown. */
  answersOverTime() {
    const { run } = this;
    const { image } = this.digits[this.chosen];
    const isKnown = this.answered?.run === run && this.answered.image === image;
    if (!isKnown) this.answered = { run, image, answers: [] };
    const { answers } = this.answered;
    for (const { weights } of run.snapshots.slice(answers.length)) {
      answers.push(placeOfLargest(forward(run, weights, image).at(-1).activations));
    }
    return answers;
  }

  /** Show below the slider when the network read what. */
  drawAnswers(end) {
    const { answers } = this.answered;
    const { label } = this.digits[this.chosen];
    const key = `${end} ${label} ${answers}`;
    if (this.answersDrawn === key) return;
    this.answersDrawn = key;
    const starts = [...answers.keys()].filter((k) => answers[k] !== answers[k - 1]);
    const percentOf = (k) => (100 * Math.min(Math.max(k - 0.5, 0), end)) / end;
    const parts = starts.map((start, s) => {
      const [left, right] = [start, starts[s + 1] ?? answers.length].map(percentOf);
      const part = document.createElement("span");
      part.className = answers[start] === label ? "nv-right" : "";
      part.style = `left: ${left}%; width: ${right - left}%`;
      setText(part, nameOf(answers[start]));
      return part;
    });
    this.parts.answers.replaceChildren(...parts);
    const said = starts.map((k) => `${nameOf(answers[k])} from snapshot ${k + 1} on`);
    this.parts.answers.ariaLabel = `Read as ${said.join(", ")}`;
  }
}

/** Go to a unit, if it is there; Tab comes back to it. */
function focus(unit) {
  if (!unit) return;
  for (const other of unit.parentNode.children) other.tabIndex = other === unit ? 0 : -1;
  unit.focus();
}

/** Return the largest size among numbers, for a scale. */
const largest = (values) => Math.max(...Array.from(values, Math.abs).filter(Number.isFinite), 1e-9);

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
