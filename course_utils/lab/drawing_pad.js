// The paper of the drawing pad: it draws, and sends the points of the strokes. All else is Python's.

const SIDE = 280; // CSS pixels
// milliseconds, while the pen is down: the kernel has time to answer before the next message
const SEND_EVERY = 60;

function pixels(data) {
  // 28×28 bytes of ink as a small canvas, dark on white
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const context = canvas.getContext("2d");
  const image = context.createImageData(28, 28);
  for (let k = 0; k < 784; k++) {
    const grey = 255 - data.getUint8(k);
    image.data.set([grey, grey, grey, 255], 4 * k);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function picture(className, side, scale) {
  const canvas = document.createElement("canvas");
  canvas.className = className;
  canvas.width = canvas.height = side * scale;
  canvas.style.width = `${side}px`;
  canvas.setAttribute("role", "img");
  return canvas;
}

function titled(title, canvas) {
  const box = document.createElement("div");
  const head = document.createElement("div");
  head.textContent = title;
  box.append(head, canvas);
  return box;
}

function render({ model, el }) {
  const scale = window.devicePixelRatio || 1;
  const paper = picture("course-paper", SIDE, scale);
  const seen = picture("course-seen", SIDE / 2, scale);
  const verdict = document.createElement("div");
  verdict.className = "course-verdict";
  verdict.setAttribute("role", "status"); // read aloud when it changes
  const right = document.createElement("div");
  right.append(titled("The network sees 28×28", seen), verdict);
  el.classList.add("course-drawing");
  el.append(titled("Draw a digit here", paper), right);

  function paint() {
    const context = paper.getContext("2d");
    const side = paper.width;
    context.fillStyle = "white";
    context.fillRect(0, 0, side, side);
    const strokes = model.get("strokes");
    const sample = model.get("sample");
    if (!strokes.length && sample.byteLength) {
      context.imageSmoothingEnabled = false;
      context.drawImage(pixels(sample), 0, 0, side, side);
    }
    context.strokeStyle = "black";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = model.get("width") * side;
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
      for (const [x, y] of stroke) context.lineTo(x * side, y * side);
      context.stroke();
    }
  }

  function show() {
    const context = seen.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, seen.width, seen.height);
    const image = model.get("seen");
    if (image.byteLength) {
      context.imageSmoothingEnabled = false;
      context.drawImage(pixels(image), 0, 0, seen.width, seen.height);
    }
  }

  function tell() {
    const text = model.get("verdict");
    verdict.textContent = text;
    paper.setAttribute("aria-label", "Pad to draw a digit on, with mouse, pen or finger");
    seen.setAttribute("aria-label", `The drawing in MNIST's form, 28×28 pixels. ${text}`);
  }

  let pointer = null; // the id of the one that is down
  let timer = null;

  function point(event) {
    const box = paper.getBoundingClientRect();
    const share = (x) => Math.round(x * 10000) / 10000;
    return [
      share((event.clientX - box.left - paper.clientLeft) / paper.clientWidth),
      share((event.clientY - box.top - paper.clientTop) / paper.clientHeight),
    ];
  }

  function send() {
    clearTimeout(timer);
    timer = null;
    model.save_changes();
  }

  function down(event) {
    if (pointer !== null || event.button !== 0) return;
    event.preventDefault();
    pointer = event.pointerId;
    paper.setPointerCapture(pointer);
    model.set("strokes", [...model.get("strokes"), [point(event)]]);
    timer ??= setTimeout(send, SEND_EVERY);
  }

  function move(event) {
    if (event.pointerId !== pointer) return;
    const strokes = model.get("strokes");
    // after Clear in the middle of a stroke, the rest is a stroke of its own
    const current = strokes.length ? strokes[strokes.length - 1] : [];
    model.set("strokes", [...strokes.slice(0, -1), [...current, point(event)]]);
    timer ??= setTimeout(send, SEND_EVERY);
  }

  function up(event) {
    if (event.pointerId !== pointer) return;
    pointer = null;
    send();
  }

  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
  for (const [name, listener] of Object.entries(listeners)) paper.addEventListener(name, listener);
  const changes = {
    "change:strokes change:width change:sample": paint,
    "change:seen": show,
    "change:verdict": tell,
  };
  for (const [names, update] of Object.entries(changes)) model.on(names, update);
  paint();
  show();
  tell();
  return () => {
    clearTimeout(timer);
    for (const [names, update] of Object.entries(changes)) model.off(names, update);
  };
}

export default { render };
