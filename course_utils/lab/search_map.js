// A table of boxes, one for each pair of values that a search tries. A box shows the share of images
// read right, and fills in as its runs are finished; a click on it shows how their losses fell.
//
// Messages that come in: {type: "run", id, place: [row, column], status, accuracy, loss: […]}.
// {type: "hello"} goes out, and asks for all of them.

const PLOT = { width: 300, height: 150, left: 34, right: 6, top: 8, bottom: 18 };
const WORST = 0.5; // shares of errors that have the palest and the strongest ground
const BEST = 0.01;

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** Return what a box says: a share in percent, or a word where there is none. */
function textOf(runs) {
  const done = runs.filter((run) => run.status === "done");
  if (done.length) return (100 * mean(done.map((run) => run.accuracy))).toFixed(1);
  return runs.length ? runs[0].status : "";
}

/** Return how strong the ground of a box is, 0–1: the fewer errors, the stronger. */
function strengthOf(runs) {
  const done = runs.filter((run) => run.status === "done");
  if (!done.length) return 0;
  const errors = Math.max(1 - mean(done.map((run) => run.accuracy)), BEST);
  return Math.min(Math.max(Math.log(WORST / errors) / Math.log(WORST / BEST), 0.05), 1);
}

/** Return the loss curves of runs as an SVG, on a logarithmic scale, a dash pattern for each. */
function curves(runs, title) {
  const losses = runs.flatMap((run) => run.loss).filter((loss) => loss > 0 && loss < 1e6);
  const low = Math.min(...losses, 1) / 1.2;
  const high = Math.max(...losses, 1) * 1.2;
  const { width, height, left, right, top, bottom } = PLOT;
  const x = (share) => left + share * (width - left - right);
  const y = (loss) =>
    height -
    bottom -
    (Math.log(Math.min(Math.max(loss, low), high) / low) / Math.log(high / low)) *
      (height - top - bottom);
  const ticks = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 100, 1000].filter((v) => v > low && v < high);
  const grid = ticks.map(
    (v) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(v)}" y2="${y(v)}" />` +
      `<text x="${left - 4}" y="${y(v) + 4}" text-anchor="end">${v}</text>`,
  );
  const lines = runs.map(({ loss }, k) => {
    const last = Math.max(loss.length - 1, 1);
    const points = loss.map((v, i) => `${x(i / last).toFixed(1)},${y(v).toFixed(1)}`);
    return `<polyline points="${points.join(" ")}" stroke-dasharray="${["", "6 3", "2 3"][k % 3]}" />`;
  });
  const box = make("div", { className: "search-curves" });
  box.innerHTML =
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">` +
    `${grid.join("")}${lines.join("")}` +
    `<text x="${width - right}" y="${height - 4}" text-anchor="end">training done</text></svg>`;
  box.firstChild.setAttribute("aria-label", `${title}. Loss from start to end, logarithmic.`);
  return box;
}

function render({ model, el }) {
  const { rows, columns, names } = model.get("grid");
  const results = new Map(); // of each place: the runs that are finished
  const title = make("div", { className: "search-title" });
  title.setAttribute("role", "status");
  const plot = make("div");
  let chosen = null;

  const boxes = rows.map((row, i) =>
    columns.map((column, j) => {
      const box = make("button", { type: "button", className: "search-box" });
      box.onclick = () => choose([i, j]);
      box.onfocus = box.onclick;
      return box;
    }),
  );
  const nameOf = ([i, j]) =>
    names.map((name, axis) => `${name} ${(axis ? columns : rows)[axis ? j : i]}`).join(", ");

  function update([i, j]) {
    const box = boxes[i][j];
    const runs = results.get(`${i} ${j}`) ?? [];
    box.textContent = textOf(runs);
    box.style.setProperty("--strength", `${Math.round(80 * strengthOf(runs))}%`);
    box.ariaLabel = `${nameOf([i, j])}: ${textOf(runs) || "not yet"}`;
  }

  function choose(place) {
    chosen = place;
    const runs = results.get(place.join(" ")) ?? [];
    for (const [i, line] of boxes.entries())
      line.forEach((box, j) => box.setAttribute("aria-pressed", i === place[0] && j === place[1]));
    const told = runs.map((run) => textOf([run]) + (run.status === "done" ? " %" : ""));
    title.textContent = `${nameOf(place)}: ${told.join(", ") || "not yet"}`;
    plot.replaceChildren(curves(runs, title.textContent));
  }

  function receive({ type, place, ...run }) {
    if (type !== "run") return;
    const key = place.join(" ");
    const known = results.get(key) ?? [];
    if (known.some(({ id }) => id === run.id)) return;
    results.set(key, [...known, run]);
    update(place);
    if (chosen?.join(" ") === key) choose(place);
  }

  const head = make("tr", {}, make("th", { textContent: `${names[0]} ↓ ${names[1]} →` }));
  head.append(...columns.map((column) => make("th", { scope: "col", textContent: column })));
  const lines = rows.map((row, i) => {
    const cells = boxes[i].map((box) => make("td", {}, box));
    return make("tr", {}, make("th", { scope: "row", textContent: row }), ...cells);
  });
  const table = make("table", {}, head, ...lines);
  el.classList.add("search-map");
  el.append(table, make("div", { className: "search-chosen" }, title, plot));
  rows.forEach((_, i) => columns.forEach((__, j) => update([i, j])));
  choose([0, 0]);
  for (const run of model.get("runs")) receive(run); // where no kernel answers
  model.on("msg:custom", receive);
  model.send({ type: "hello" });
  return () => model.off("msg:custom", receive);
}

export default { render };
