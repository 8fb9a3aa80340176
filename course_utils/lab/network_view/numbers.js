// What the picture of a network needs to compute: the forward pass, parts of sums, the time axis,
// a drawing in MNIST's form, and numbers as text. Nothing here touches the page.

export const SIDE = 28; // pixels of an image
export const PIXELS = SIDE * SIDE;
const CENTRE = 14; // where MNIST has a digit's centre of mass, counted from 0

const sumOf = (values) => values.reduce((sum, v) => sum + v, 0);
export const limit = (v, low, high) => Math.min(Math.max(v, low), high);

// ---- the network ---------------------------------------------------------------------------------

/** Return the weights of a snapshot: `view` is a DataView of numbers of 2 or 4 bytes. */
export function decode(dtype, view) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  if (dtype === "f4") return new Float32Array(bytes);
  // sign, exponent and fraction of each number go where those of 4 bytes are; then all of them are
  // too small by 2 ** 112, as exponents are counted from elsewhere; and 65536 stands for infinity
  const widen = (bits) => ((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13);
  const numbers = new Float32Array(Int32Array.from(new Uint16Array(bytes), widen).buffer);
  return numbers.map((v) => (Math.abs(v) < 2 ** -96 ? v * 2 ** 112 : v * Infinity));
}

export function softmax(scores) {
  const top = Math.max(...scores); // so that no exponential is too large
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = sumOf(powers);
  return powers.map((power) => power / sum);
}

// each function, and its slope by what it has made
export const ACTIVATIONS = {
  relu: { of: (z) => Math.max(z, 0), slope: (a) => (a > 0 ? 1 : 0) },
  sigmoid: { of: (z) => 1 / (1 + Math.exp(-z)), slope: (a) => a * (1 - a) },
};

function weightedSums(input, weights, start, biases) {
  const sums = Float64Array.from(biases);
  const n = sums.length;
  for (let i = 0; i < input.length; i++) {
    if (!input[i]) continue; // most pixels are paper
    for (let j = 0, at = start + i * n; j < n; j++) sums[j] += input[i] * weights[at + j];
  }
  return sums;
}

/**
 * Bring an image through the network, and return what each layer got and made of it.
 * `weights` holds all weights, layer by layer and row by row, and then all biases.
 */
export function forward({ layers, activation }, weights, image) {
  const found = [];
  let input = image;
  let start = 0;
  let bias = sumOf(layers.slice(1).map((n, l) => n * layers[l]));
  for (let l = 1; l < layers.length; l++) {
    const [n, from] = [layers[l], start];
    const weight = (i, j) => weights[from + i * n + j];
    const biases = weights.subarray(bias, bias + n);
    const sums = weightedSums(input, weights, from, biases);
    const isLast = l === layers.length - 1;
    const activations = isLast ? softmax(sums) : sums.map(ACTIVATIONS[activation].of);
    found.push({ input, biases, sums, activations, weight });
    start += input.length * n;
    bias += n;
    input = activations;
  }
  return found;
}

/** Return the place of the largest value, or -1 if one of them is no finite number. */
export function placeOfLargest(values) {
  return values.every(Number.isFinite) ? values.indexOf(Math.max(...values)) : -1;
}

// For the most, then the least: where, and how much.
const ordered = (values) =>
  Array.from(values, (value, unit) => ({ unit, value })).sort((p, q) => q.value - p.value);

/** Return what the units below, or the pixels, add to the sum of unit j: weight × input. */
export function partsOfSum({ input, weight }, j) {
  return ordered(Array.from(input, (v, i) => (v ? v * weight(i, j) : 0)));
}

/** Return what the units above, with their gradients, add to that of the activation of unit i. */
export function partsOfGradient({ weight }, gradients, i) {
  return ordered(gradients.map((g, j) => (g ? g * weight(i, j) : 0)));
}

/** Return for each layer the gradients of its sums: how the loss of an image with a `label` changes. */
export function backward({ activation }, found, label) {
  const gradients = found.map(() => []);
  gradients[found.length - 1] = Array.from(found.at(-1).activations, (p, k) => p - (k === label));
  for (let l = found.length - 1; l > 0; l--) {
    gradients[l - 1] = Array.from(found[l - 1].activations, (a, i) => {
      const slope = ACTIVATIONS[activation].slope(a);
      return slope && slope * total(partsOfGradient(found[l], gradients[l], i));
    });
  }
  return gradients;
}

/** Return the sum of parts: of all, of those that add (`sign` 1), or of those that take away (-1). */
export function total(parts, sign = 0) {
  return parts.reduce((sum, { value }) => (sign && value * sign <= 0 ? sum : sum + value), 0);
}

/** Return the root mean square of the first n weights: the scale for their pictures. */
export function spread(weights, n) {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += weights[k] ** 2;
  return Number.isFinite(sum) && sum > 0 ? Math.sqrt(sum / n) : 1;
}

// ---- time ------------------------------------------------------------------------------------------

/** Return a snapshot, or what is between two of them: at 2.5, what is halfway from 2 to 3. */
export function momentAt(run, position) {
  const k = Math.floor(position);
  const [here, next, share] = [run.snapshots[k], run.snapshots[k + 1], position - k];
  if (!share) return here;
  const mix = (a, b) => a + share * (b - a);
  run.mixed ??= new Float32Array(here.weights.length); // used for one moment after another
  for (let i = 0; i < run.mixed.length; i++) run.mixed[i] = mix(here.weights[i], next.weights[i]);
  return {
    epoch: mix(Math.cbrt(here.epoch), Math.cbrt(next.epoch)) ** 3,
    iteration: Math.round(mix(here.iteration, next.iteration)),
    loss: here.loss.map((loss, i) => mix(loss, next.loss[i])),
    error: here.error.map((error, i) => mix(error, next.error[i])),
    weights: run.mixed,
  };
}

/** Return the range to draw: no loss above the first ones has a say, so none that blew up. */
export function rangeOfLoss(runs) {
  const finite = (losses) => losses.filter((v) => Number.isFinite(v) && v > 0);
  const means = runs.map(({ snapshots }) => finite(snapshots.map(({ loss }) => loss[1])));
  const low = 10 ** Math.floor(Math.log10(Math.min(1, ...means.flat())));
  const first = finite(means.map((losses) => losses[0]));
  return { low: Math.max(low, 1e-6), high: Math.min(Math.max(3, ...first), 1000) };
}

// ---- a drawing in MNIST's form: as lab/handwriting.py does it ------------------------------------------

// An image is a list of lines here, and a line a list of ink. What has to be done to both sides of it
// is done to its lines, and once more when it is turned, so that its columns are the lines.

const turn = (lines) => lines[0].map((_, k) => lines.map((line) => line[k]));
const bothSides = (lines, change) => turn(change(turn(change(lines))));

function roundLikePython(v) {
  const rounded = Math.round(v);
  return rounded - v === 0.5 && rounded % 2 ? rounded - 1 : rounded; // a half goes to the even number
}

function drawLine(lines, [x0, y0], [x1, y1], radius) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  const margin = radius + 1; // only pixels this near can get ink
  const first = (a, b) => limit(Math.trunc(Math.min(a, b) - margin), 0, lines.length);
  const end = (a, b) => limit(Math.trunc(Math.max(a, b) + margin + 1), 0, lines.length);
  for (let row = first(y0, y1); row < end(y0, y1); row++) {
    const line = lines[row];
    for (let column = first(x0, x1); column < end(x0, x1); column++) {
      const [x, y] = [column + 0.5 - x0, row + 0.5 - y0];
      // how far along the line, 0 to 1, the point nearest to this pixel lies; or it is a dot
      const along = squared > 1e-6 ? limit((x * dx + y * dy) / squared, 0, 1) : 0;
      const cover = radius + 0.5 - Math.hypot(x - along * dx, y - along * dy);
      line[column] = Math.max(line[column], Math.min(cover, 1));
    }
  }
}

/** Draw strokes of points [x, y], 0–1, with a round pen: side × side numbers of ink, 0–255. */
function rasterise(strokes, width, side) {
  const lines = Array.from({ length: side }, () => new Array(side).fill(0));
  const radius = Math.max(width * side, 1) / 2;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
    points.forEach((point, k) => {
      drawLine(lines, point, points[k + 1] ?? point, radius);
    });
  }
  return lines.map((line) => line.map((v) => Math.round(255 * v)));
}

function withoutEdges(lines) {
  const hasInk = (line) => line.some((v) => v > 0);
  return lines.slice(lines.findIndex(hasInk), lines.findLastIndex(hasInk) + 1);
}

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((2.5 - 0.5 * x) * x - 4) * x + 2 : 0;
}

/** Make m pixels of each line, by the bicubic filter of Pillow. */
function resample(lines, m) {
  const n = lines[0].length;
  const scale = n / m;
  const wide = Math.max(scale, 1);
  const filters = Array.from({ length: m }, (_, k) => {
    const centre = (k + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * wide + 0.5));
    const length = Math.min(n, Math.trunc(centre + 2 * wide + 0.5)) - first;
    const shares = Array.from({ length }, (_, i) => cubic((first + i - centre + 0.5) / wide));
    return { first, shares, all: sumOf(shares) };
  });
  return lines.map((line) =>
    filters.map(({ first, shares, all }) => {
      const ink = shares.reduce((sum, share, i) => sum + share * line[first + i], 0) / all;
      return limit(Math.round(ink), 0, 255);
    }),
  );
}

/** Put paper around lines, so that there are 28 and the centre of mass of their ink is in line 14. */
function centre(lines) {
  const ink = lines.map(sumOf);
  const middle = sumOf(ink.map((v, k) => v * k)) / sumOf(ink);
  const top = limit(roundLikePython(CENTRE - middle), 0, SIDE - lines.length);
  const paper = lines[0].map(() => 0);
  return Array.from({ length: SIDE }, (_, k) => lines[k - top] ?? paper);
}

/** Return strokes of points [x, y], 0–1, as 784 pixels, 0–1; or null where there is no ink. */
export function mnistForm(strokes, width) {
  const drawn = rasterise(strokes, width, 280);
  if (!sumOf(drawn.flat())) return null;
  const cut = bothSides(drawn, withoutEdges);
  const scale = 20 / Math.max(cut.length, cut[0].length);
  const fit20 = (lines) => resample(lines, Math.max(1, roundLikePython(lines[0].length * scale)));
  const small = bothSides(cut, fit20);
  if (!sumOf(small.flat())) return null; // it was a speck too faint to be left
  return Float32Array.from(bothSides(small, centre).flat(), (v) => v / 255);
}

// ---- numbers as text -------------------------------------------------------------------------------

/** Return a number as text, with a true minus; a large one in the way of 1.2e34. */
export function plain(v, digits = 2, plus = "") {
  if (Number.isNaN(v ?? NaN)) return "nan";
  const size = Math.abs(v);
  const text = size < 1e5 ? size.toFixed(digits) : size.toExponential(1).replace("+", "");
  const sign = v < 0 ? "−" : plus;
  return (Number(text) ? sign : "") + text.replace("Infinity", "∞"); // no sign for 0.00
}

export const signed = (v, digits = 2) => plain(v, digits, "+");

export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const fine = share < 0.0995 || (share > 0.99 && share < 0.9995);
  return `${(100 * share).toFixed(fine ? 1 : 0)}\u00a0%`;
}

/** Round numbers so that what is shown adds up: the largest takes what rounding leaves over. */
export function roundTogether(values, digits = 2) {
  const round = (v) => Number(v.toFixed(digits));
  const sum = sumOf(values);
  if (!Number.isFinite(sum)) return { values, sum };
  const rounded = values.map(round);
  const largestOne = placeOfLargest(rounded.map(Math.abs));
  rounded[largestOne] += round(sum) - sumOf(rounded);
  return { values: rounded, sum: round(sum) };
}

/** Return a share of the largest, 0–1, for a length on the page, whatever became of the numbers. */
export const shareOf = (v, top) => limit(v / top || 0, 0, 1);
