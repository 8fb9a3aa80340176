// A network at work on a digit, and how it came to be: what was received, and what is shown of it.
//
// Messages that come in, each with `run`, a number:
//   {type: "run", name, layers, activation, epochs, per_epoch, marks}       a run begins
//   {type: "snapshot", iteration, loss: [low, mean, high], error, dtype}    and its weights in a buffer
//   {type: "drop"}                                                          a run is taken away
// and that go out: {type: "hello"}, which asks for all of these, and what buttons ask for.

import { SIDE, PIXELS, decode, forward, placeOfLargest, partsOfSum, total } from "./numbers.js";
import { spread, between, weightsAt, mnistForm, plain, signed, percent } from "./numbers.js";
import { roundTogether, shareOf } from "./numbers.js";
import { STYLES, ICONS, PICTURE, Chart, build, button, setText, drawStrokes } from "./drawing.js";
import { readColors, paint, paintInk, drawLinks, fit, placeOf, press } from "./drawing.js";

const RATE = 6; // snapshots a second
const THROTTLE = 30; // milliseconds between two pictures while Python trains, perhaps on the same cores
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const prefersStill = matchMedia("(prefers-reduced-motion: reduce)");

const LARGE = '<canvas class="nv-picture" width="140" height="140"></canvas>';
const PAGE = `
<div class="nv">
  <div class="nv-bar">
    ${button("train", "Train", "● Train")} ${button("reset", "Begin with new weights", "Reset")}
    ${button("start", "To the start", ICONS.start)} ${button("back", "One step back", ICONS.back)}
    ${button("play", "Play", ICONS.Play)} ${button("on", "One step on", ICONS.on)}
    <select class="nv-speed" title="Speed of playing" aria-label="Speed of playing">
      <option value="0.125">⅛×</option><option value="0.25">¼×</option><option value="0.5">½×</option>
      <option selected value="1">1×</option><option value="2">2×</option><option value="4">4×</option>
    </select>
    <div class="nv-time">
      <input class="nv-slider" type="range" min="0" step="0.01" aria-label="Time"
        style="display: block; width: 100%; height: 16px; margin: 0; accent-color: var(--nv-add)">
      <div class="nv-answers" role="img" style="position: relative; height: 14px; margin: 0 8px"></div>
    </div>
    <span class="nv-clock" style="min-width: 70px"></span>
    ${button("more", "Show code that repeats this run", "Code")}
    <pre popover class="nv-code" tabindex="0"></pre>
  </div>
  <div class="nv-top" style="gap: 20px; align-items: start">
    <div>
      <div class="nv-caption"><span class="nv-digit"></span>
        ${button("undo", "Undo the last stroke", "Undo")} ${button("clear", "Clear the drawing", "Clear")}
      </div>
      <div class="nv-input"><div class="nv-pad" tabindex="0" role="img">${PICTURE}
        <canvas class="nv-ink"></canvas><i class="nv-cross" hidden>+</i></div>
        <div class="nv-strip" role="group" aria-label="Test digits"
          style="display: grid; grid: repeat(5, 23px) / auto-flow 56px; gap: 3px 4px"></div></div>
    </div>
    <div class="nv-inspector">
      <div class="nv-caption nv-title"></div>
      <div class="nv-sum">
        <figure>${LARGE}weights</figure> × <figure>${PICTURE}ink</figure> =
        <figure>${LARGE}ink × weight</figure>
        <table>${'<tr><th scope="row"></th><td></td></tr>'.repeat(5)}</table>
      </div>
      <div class="nv-voices" style="gap: 28px; white-space: nowrap"></div>
    </div>
  </div>
  <div class="nv-net"></div>
  <div class="nv-curves" style="display: flex; gap: 8px; height: 108px">
    <div class="nv-legend" role="group" aria-label="Runs" style="width: 210px">
      <div class="nv-caption"><span>Runs</span>
        ${button("forget", "Remove all runs but the newest", "Clear")}</div>
      <div class="nv-runs" style="height: 86px; overflow-y: auto"></div>
    </div>
  </div>
  <div class="nv-message" role="status"></div>
  <div class="nv-spoken" role="status" style="height: 1px; clip-path: inset(50%)"></div>
</div>`;
const THUMB = `<button type="button" class="nv-thumb">${PICTURE}<span></span></button>`;
const UNIT = `<button type="button" class="nv-unit">${PICTURE}<i></i><span></span></button>`;
const CELL = '<button type="button" class="nv-cell"></button>';
const OUTPUT = `<button type="button" class="nv-output"><div>
  <strong style="font: inherit; font-size: 20px; line-height: 30px"></strong>
  <div><b style="font-weight: inherit"></b><span></span></div></div><i class="nv-score"></i><i></i></button>`;
const VOICE = `<button type="button" class="nv-voice"><span></span><div style="height: 38px; margin: 0 10px"><i></i></div>
  ${PICTURE}<small></small></button>`;
const VOICES = '<div><div class="nv-line"></div><div class="nv-text"></div></div>';
const runHtml = ({ style: { color, dash } }) => `
<div class="nv-line"><input class="nv-box" type="checkbox" checked>
  <svg width="24" height="8" aria-hidden="true">
    <path d="M0 4h24" stroke-width="3" stroke="${color}" stroke-dasharray="${dash}"/></svg>
  ${button("name", "Show the network of this run", "")}<span class="nv-error"></span>
  ${button("keep", "", "")}</div>`;

// ---- what was received, shared by all views of one widget --------------------------------------------

class Store extends EventTarget {
  runs = []; // in the order in which they began

  receive({ type, run: id, ...rest }, buffers) {
    const run = this.runs.find((other) => other.id === id);
    if (type === "run" && !run) this.begin(id, rest);
    else if (type === "snapshot" && run) this.extend(run, rest, buffers[0]);
    else if (type === "drop") this.runs = this.runs.filter((other) => other !== run);
    this.dispatchEvent(new CustomEvent("change", { detail: { type, id } }));
  }

  begin(id, about) {
    const isFree = (style) => this.runs.every((run) => run.style !== style);
    const style = STYLES.find(isFree) ?? STYLES[id % STYLES.length];
    this.runs.push({ id, ...about, style, snapshots: [], hidden: false });
  }

  extend({ snapshots, per_epoch }, { dtype, iteration, ...rest }, buffer) {
    if (iteration <= (snapshots.at(-1)?.iteration ?? -1)) return; // known already
    const weights = decode(dtype, buffer);
    snapshots.push({ ...rest, iteration, epoch: iteration / per_epoch, weights });
  }
}

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
    const listeners = { pointerdown: this.touch, pointermove: this.move, keydown: this.press };
    Object.assign(listeners, {
      pointerup: this.leave,
      pointercancel: this.leave,
      blur: this.leave,
    });
    for (const name in listeners) node.addEventListener(name, listeners[name].bind(this));
  }

  pointOf({ clientX, clientY }) {
    const box = this.ink.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  touch(event) {
    if (this.pointer !== undefined || event.button) return; // one finger at a time
    this.pointer = event.pointerId;
    this.node.setPointerCapture(this.pointer);
    this.cross = null;
    this.begin(this.pointOf(event));
  }

  move(event) {
    if (event.pointerId === this.pointer) this.extend(this.pointOf(event));
  }

  press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== " ") return;
    event.preventDefault();
    const move = (v, k) => Math.min(Math.max(v + 0.04 * (arrow?.[k] ?? 0), 0.04), 0.96);
    this.cross = (this.cross ?? [0.5, 0.3]).map(move);
    if (!arrow) this.isDown = !this.isDown;
    if (!arrow && this.isDown) this.begin(this.cross);
    else if (this.isDown) this.extend(this.cross);
    else this.onDraw();
  }

  begin(point) {
    this.strokes.push([point]);
    clearTimeout(this.timer);
    this.isDrawing = true;
    this.onDraw();
  }

  extend(point) {
    this.strokes.at(-1).push(point);
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

  constructor(model, el, store) {
    Object.assign(this, { model, store, live: model.get("live") });
    const bytes = model.get("digits");
    const pixels = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const image = (k) => Float32Array.from(pixels.subarray(k, k + PIXELS), (v) => v / 255);
    this.digits = model.get("labels").map((label, k) => ({ label, image: image(k * PIXELS) }));
    this.own = { label: null, image: null };
    this.digits.push(this.own);
    this.build();
    el.append(this.root);
    this.listen();
    if (store.runs.length) this.show(store.runs.at(-1));
    this.stateChanged();
  }

  build() {
    this.parts = build(PAGE);
    const { node, pad, strip, curves, train, reset, forget } = this.parts;
    this.root = node;
    this.pad = new Pad(pad, () => this.drawn());
    this.thumbs = this.digits.slice(0, -1).map(() => build(THUMB).node);
    this.thumbs.forEach((thumb, k) => (thumb.onclick = () => this.choose(k)));
    strip.append(...this.thumbs);
    this.charts = ["loss", "error"].map((kind) => new Chart(kind, (place) => this.seek(place)));
    curves.prepend(...this.charts.map((chart) => chart.node));
    this.rowOfRun = new Map();
    for (const part of [train, reset, forget]) part.hidden = !this.live;
    const actions = {
      train: () => this.model.send({ type: this.training ? "stop" : "train" }),
      reset: () => this.model.send({ type: "reset" }),
      start: () => this.seek(0),
      back: () => this.step(-1),
      play: () => this.play(!this.playing),
      on: () => this.step(1),
      more: () => this.parts.code.togglePopover(),
      undo: () => this.pad.erase(1),
      clear: () => this.pad.erase(Infinity),
      forget: () => this.forget(),
    };
    for (const name in actions) this.parts[name].onclick = actions[name];
  }

  listen() {
    this.off = new AbortController();
    const { signal } = this.off;
    const { slider, net } = this.parts;
    this.store.addEventListener("change", ({ detail }) => this.changed(detail), { signal });
    // on the window, since JupyterLab listens on the document
    window.addEventListener("keydown", (event) => this.keepKeys(event), { capture: true, signal });
    // the theme changes the text's colour, and that is made a very short transition in the style
    this.root.addEventListener("transitionend", () => this.refresh(true));
    slider.addEventListener("input", () => this.seek(Math.round(slider.value)));
    slider.addEventListener("keydown", (event) => this.slide(event));
    net.addEventListener("keydown", (event) => this.walk(event));
    this.onTraits = () => this.stateChanged();
    this.model.on("change:state change:message change:text_code", this.onTraits);
    this.resizes = new ResizeObserver(() => this.layout());
    this.resizes.observe(this.root);
  }

  close() {
    this.off.abort();
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.pad.timer);
    this.model.off("change:state change:message change:text_code", this.onTraits);
  }

  // the rows of the network: pictures of the first layer, cells of deeper ones, and the outputs

  buildNet() {
    const { layers } = this.run;
    if (this.shape === layers.join()) return;
    this.shape = layers.join();
    this.pick = null;
    this.last = layers.length - 2; // the layer of the outputs; the first one is 0
    const deeper = layers.slice(2, -1).map((n, l) => this.buildRow(n, l + 1, CELL));
    this.rows = [this.buildRow(layers[1], 0, UNIT), ...deeper];
    this.rows.push(this.buildRow(layers.at(-1), this.last, OUTPUT));
    this.rows.at(-1).forEach((unit, k) => (unit.querySelector("strong").textContent = k));
    this.links = build('<canvas class="nv-links" style="z-index: -1"></canvas>').node;
    this.parts.net.replaceChildren(this.links, ...this.rows.map((row) => row[0].parentNode));
    this.parts.net.classList.toggle("nv-flat", this.last === 0);
  }

  buildRow(n, layer, html) {
    const { node } = build('<div class="nv-row" role="group"></div>');
    const name = html === OUTPUT ? "Outputs" : `Units of layer ${layer + 1}`;
    node.ariaLabel = `${name}; arrow keys move among them`;
    const row = Array.from({ length: n }, () => build(html).node);
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
    this.painted = null;
    this.refresh(true);
  }

  buildVoices() {
    const room = Math.floor((this.parts.inspector.clientWidth - 28) / 98);
    const count = Math.max(2, Math.min(7, room));
    this.groups = [0, 1].map(() => {
      const group = build(VOICES);
      group.slots = Array.from({ length: count }, () => build(VOICE).node);
      for (const slot of group.slots) slot.onclick = () => this.choosePick(slot.layer, slot.unit);
      group.line.append(...group.slots);
      return group;
    });
    this.parts.voices.replaceChildren(...this.groups.map(({ node }) => node));
  }

  // what happens

  changed({ type, id }) {
    const newest = this.store.runs.at(-1);
    if (type === "run" && newest.id === id) this.follow(newest);
    else if (type === "drop" && newest && !this.store.runs.includes(this.run)) this.show(newest);
    else if (type === "snapshot" && this.following && this.run.id === id)
      this.position = lastOf(this.run);
    this.refresh(true);
  }

  /** Show a run as it comes: played, or each snapshot at once. */
  follow(run) {
    this.show(run);
    this.playing = this.training && !prefersStill.matches;
    this.following = !this.playing;
  }

  stateChanged() {
    const { train, message, code, more } = this.parts;
    const state = this.model.get("state");
    const begins = state === "training" && !this.training;
    this.training = state === "training";
    if (begins && this.run) this.follow(this.store.runs.at(-1));
    if (state === "stopped" && this.run) this.seek(Infinity);
    train.ariaLabel = train.title = this.training ? "Stop" : "Train";
    setText(train, this.training ? "■ Stop" : "● Train");
    setText(message, this.model.get("message") ?? "");
    setText(code, this.model.get("text_code") ?? "");
    more.hidden = !code.textContent;
    this.refresh(true);
  }

  show(run) {
    if (this.run === run) return;
    this.run = run;
    this.position = lastOf(this.run);
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
    const isOwn = this.digits[this.chosen] === own;
    if (!isOwn && pad.isDrawing) pad.strokes.splice(0, pad.strokes.length - 1); // a new sheet
    own.image = mnistForm(pad.strokes, pad.width);
    if (own.image && pad.isDrawing) this.chosen = digits.length - 1;
    if (!own.image && isOwn) this.chosen = 0;
    this.refresh();
  }

  choosePick(layer, unit) {
    const same = this.pick?.layer === layer && this.pick.unit === unit;
    this.pick = same ? null : { layer, unit };
    if (document.activeElement.classList.contains("nv-voice")) this.focusUnit(layer, unit);
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

  slide(event) {
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    const by = dx - dy || { PageDown: -10, PageUp: 10 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
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
    const next = this.rows[r + dy];
    if (next) this.focusUnit(r + dy, dy ? Math.floor(share * next.length) : place + dx);
  }

  focusUnit(r, place) {
    const row = this.rows[r];
    if (!row[place]) return;
    for (const unit of row) unit.tabIndex = -1;
    row[place].tabIndex = 0; // Tab comes back to it
    row[place].focus();
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
      const isGrowing = this.training && run === this.store.runs.at(-1);
      this.playing = isGrowing && last < run.marks.length - 1;
    }
    this.refresh();
  }

  draw() {
    const { run, position } = this;
    this.colors = readColors(this.root);
    const weights = weightsAt(run, position);
    const look = `${this.colors.key} ${position} ${run.id}`;
    this.isNew = this.painted !== look; // whether weights or colours are others than before
    this.painted = look;
    const read = ({ image }) => image && forward(run, weights, image);
    if (this.isNew) this.readings = this.digits.map(read);
    else this.readings[this.digits.length - 1] = read(this.own);
    const found = this.readings[this.chosen];
    const answer = placeOfLargest(found.at(-1).activations);
    const pick = this.pick ?? { layer: this.last, unit: Math.max(answer, 0) };
    this.drawInput(answer, found);
    if (this.isNew) this.drawWeights(weights);
    this.drawUnits(found);
    this.drawOutputs(found.at(-1), answer);
    const row = pick.layer === this.last ? this.rows.at(-1) : this.rows[pick.layer];
    for (const unit of this.rows.flat()) press(unit, unit === row[pick.unit]);
    drawLinks(this.links, found, this.places, pick, this.colors);
    this.inspect(found, pick);
    if (this.isStale) this.drawCurves();
    this.isStale = false;
    this.drawTime();
  }

  // the digit

  drawInput(answer, found) {
    const { pad } = this;
    const { image, label } = this.digits[this.chosen];
    const isOwn = label === null;
    const { digit, undo, clear, spoken } = this.parts;
    pad.draw(image, isOwn, this.colors);
    setText(digit, isOwn ? "Your digit" : `Test digit ${label}`);
    undo.disabled = clear.disabled = !pad.strokes.length;
    const verdict = isOwn ? "" : answer === label ? ": right" : ": wrong";
    const says = `reads ${answer}, ${percent(found.at(-1).activations[answer])}${verdict}`;
    const text = `${digit.textContent}. The network ${answer < 0 ? "has no answer" : says}.`;
    pad.node.ariaLabel = `${text} Draw here: Space lowers and lifts the pen, arrow keys move it.`;
    if (!this.playing && pad.pointer === undefined) setText(spoken, text);
    if (this.isNew) this.thumbs.forEach((thumb, k) => this.drawThumb(thumb, k));
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

  drawWeights(weights) {
    const n = this.run.layers[1];
    this.scale = 4 * spread(weights, PIXELS * n);
    this.rows[0].forEach((unit, j) => {
      paint(unit.firstChild, (k) => weights[k * n + j], this.scale, this.colors.ramps);
      if (!this.last) unit.ariaLabel = `Weights of output ${j}`;
    });
  }

  drawUnits(found) {
    if (!this.last) return;
    const others = this.readings.slice(0, -1);
    this.rows.slice(0, -1).forEach((row, layer) => {
      const { activations, sums } = found[layer];
      const top = Math.max(...activations.filter(Number.isFinite), 1e-9);
      row.forEach((unit, j) => {
        const isOff = activations[j] <= 0;
        const isDead = isOff && others.every((reading) => reading[layer].activations[j] <= 0);
        unit.style.setProperty("--share", shareOf(activations[j], top));
        unit.classList.toggle("nv-off", isOff);
        unit.classList.toggle("nv-dead", isDead);
        const state = isDead ? "dead" : isOff ? "off" : plain(activations[j], 1);
        if (unit.lastChild) setText(unit.lastChild, state);
        if (this.playing) return; // nobody reads the rest while it changes
        const why = isDead ? ": off for all test digits" : "";
        unit.ariaLabel = `Unit ${j + 1}, sum ${plain(sums[j])}, activation ${state}${why}`;
        unit.title = unit.ariaLabel;
      });
    });
  }

  drawOutputs({ activations, sums }, answer) {
    const top = Math.max(...sums.map(Math.abs).filter(Number.isFinite), 1);
    this.rows.at(-1).forEach((output, k) => {
      const [score, bar] = [sums[k], output.querySelector(".nv-score")];
      const share = percent(activations[k]);
      bar.style.transform = `scaleX(${Math.sign(score) * shareOf(Math.abs(score), top) || 0})`;
      bar.classList.toggle("nv-minus", score < 0);
      output.style.setProperty("--share", shareOf(activations[k], 1));
      output.classList.toggle("nv-answer", k === answer);
      setText(output.querySelector("b"), share);
      setText(output.querySelector("span"), signed(score, 1));
      output.ariaLabel = `Output ${k}, score ${plain(score)}, ${share}`;
    });
  }

  // the explanation of the unit or output that is picked

  inspect(found, pick) {
    const { sum, voices } = this.parts;
    const layer = found[pick.layer];
    const isOutput = pick.layer === this.last;
    const a = layer.activations[pick.unit];
    const parts = partsOfSum(layer, pick.unit);
    const terms = [total(parts, 1), total(parts, -1), layer.biases[pick.unit]];
    const rounded = roundTogether(terms);
    const [plus, minus, bias] = rounded.values.map((v) => signed(v));
    const numbers = { "blue pixels": plus, "red pixels": minus, bias };
    numbers[isOutput ? "score" : "sum"] = plain(rounded.sum);
    numbers[isOutput ? "softmax" : this.run.activation] = isOutput ? percent(a) : plain(a);
    const name = isOutput ? `output ${pick.unit}` : `unit ${pick.unit + 1}`;
    sum.hidden = pick.layer > 0;
    voices.hidden = pick.layer === 0;
    if (pick.layer === 0) this.inspectPixels(layer, pick.unit, name, numbers);
    else this.inspectVoices(pick.layer, parts, name, numbers);
  }

  inspectPixels({ input, weight }, j, name, numbers) {
    const { ramps } = this.colors;
    const [weights, ink, product] = this.parts.sum.querySelectorAll("canvas");
    setText(this.parts.title, `What ${name} looks for, and what it finds in this digit`);
    paint(weights, (k) => weight(k, j), this.scale, ramps);
    paintInk(ink, input, this.colors);
    paint(product, (k) => (input[k] ? input[k] * weight(k, j) : 0), this.scale, ramps);
    const cells = this.parts.sum.querySelectorAll("th, td");
    Object.entries(numbers)
      .flat()
      .forEach((text, k) => setText(cells[k], text));
  }

  inspectVoices(layer, parts, name, numbers) {
    const [plus, minus, bias, ...results] = Object.values(numbers);
    const result = Object.keys(numbers)
      .slice(3)
      .map((key, k) => `${key} ${results[k]}`);
    setText(this.parts.title, `Why ${name}? ${plus} ${minus}, bias ${bias}: ${result.join(", ")}`);
    const sizes = parts.map(({ value }) => Math.abs(value)).filter(Number.isFinite);
    this.groups.forEach(({ slots, text }, g) => {
      const sign = g ? -1 : 1;
      const speakers = (g ? parts.toReversed() : parts).filter(({ value }) => value * sign > 0);
      const [shown, others] = [speakers.slice(0, slots.length), speakers.slice(slots.length)];
      const values = [...shown.map(({ value }) => value), total(others, sign)];
      const rounded = roundTogether(values).values.map((v) => signed(v));
      const top = Math.max(...sizes, 1e-9);
      slots.forEach((slot, s) => this.drawVoice(slot, layer - 1, shown[s], rounded[s], top));
      const more = others.length ? ` (${others.length} more: ${rounded.at(-1)})` : "";
      setText(text, `${g ? "against it" : "for it"}: ${g ? minus : plus}${more}`);
    });
  }

  drawVoice(slot, layer, part, number, top) {
    slot.classList.toggle("nv-silent", !part);
    if (!part) return;
    Object.assign(slot, { layer, unit: part.unit });
    const [text, bar, canvas, name] = slot.children;
    bar.firstChild.style.transform = `scaleY(${shareOf(Math.abs(part.value), top)})`;
    setText(text, number);
    setText(name, part.unit + 1);
    slot.ariaLabel = slot.title = `Unit ${part.unit + 1} adds ${number}`;
    canvas.hidden = layer > 0;
    if (layer > 0) return;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(this.rows[0][part.unit].firstChild, 0, 0);
  }

  // curves and time

  drawCurves() {
    const runs = this.store.runs.filter((run) => run.snapshots.length);
    for (const chart of this.charts) chart.draw(runs, this.run);
    for (const [run, { node }] of this.rowOfRun) {
      if (!runs.includes(run)) node.remove();
    }
    this.rowOfRun = new Map(runs.map((run) => [run, this.rowOfRun.get(run) ?? this.buildRun(run)]));
    for (const run of runs) this.drawRun(run, this.rowOfRun.get(run));
    this.parts.forget.disabled = runs.length < 2;
  }

  buildRun(run) {
    const row = build(runHtml(run));
    row.name.textContent = run.name;
    row.box.ariaLabel = row.box.title = `Show the curves of ${run.name}`;
    row.keep.hidden = !this.live;
    row.keep.onclick = () => this.keepOrDrop(run, run === this.store.runs.at(-1) ? "keep" : "drop");
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
    const isNewest = run === this.store.runs.at(-1);
    const action = !isNewest ? "Remove" : run.kept ? "Kept" : "Keep";
    setText(error, percent(run.snapshots.at(-1).error[1]));
    setText(keep, isNewest ? action : "×");
    keep.ariaLabel = keep.title = `${action} ${run.name}`;
    keep.disabled = action === "Kept";
    press(name, run === this.run);
  }

  keepOrDrop(run, type) {
    run.kept = true;
    this.model.send({ type, run: run.id });
    this.store.receive({ type, run: run.id });
  }

  forget() {
    this.model.send({ type: "clear" });
    const older = this.store.runs.slice(0, -1);
    for (const { id } of older) this.store.receive({ type: "drop", run: id });
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
    const text = `${clock.textContent}, iteration ${iteration}, reads ${said}`;
    slider.setAttribute("aria-valuetext", text);
    this.drawAnswers(end);
    const label = this.playing ? "Pause" : "Play";
    if (play.ariaLabel !== label) play.innerHTML = ICONS[label];
    play.ariaLabel = play.title = label;
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
      const className = answers[start] === label ? "nv-right" : "";
      const style = `left: ${left}%; width: ${right - left}%`;
      return `<span class="${className}" style="${style}">${nameOf(answers[start])}</span>`;
    });
    this.parts.answers.innerHTML = parts.join("");
    const said = starts.map((k) => `${nameOf(answers[k])} from snapshot ${k + 1} on`);
    this.parts.answers.ariaLabel = `Read as ${said.join(", ")}`;
  }
}

const lastOf = ({ snapshots }) => Math.max(0, snapshots.length - 1);
const nameOf = (answer) => (answer < 0 ? "–" : `${answer}`); // -1: its numbers are not finite

export default () => {
  const store = new Store();
  return {
    initialize({ model }) {
      const receive = (message, buffers) => store.receive(message, buffers);
      model.on("msg:custom", receive);
      model.send({ type: "hello" });
      return () => model.off("msg:custom", receive);
    },
    render({ model, el }) {
      const view = new View(model, el, store);
      return () => view.close();
    },
  };
};
