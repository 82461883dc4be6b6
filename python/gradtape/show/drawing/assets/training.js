// A network that learns: its gradients, its boundary and its curves, epoch by epoch.
const FRAMES = DATA.frames;
const SVG = "http://www.w3.org/2000/svg";
const lines = [...document.querySelectorAll("[data-weight]")];
// Hues that stay apart for every kind of colour vision (Okabe and Ito 2008).
const HUES = [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [240, 228, 66], [86, 180, 233]];

const shape = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

// Lines are compared within a layer and a frame: late gradients are small everywhere.
function gradients(frame) {
  const largest = [];
  frame.grads.forEach((grad, k) => {
    largest[DATA.columns[k]] = Math.max(largest[DATA.columns[k]] || 0, Math.abs(grad || 0));
  });
  lines.forEach((line, k) => {
    const grad = frame.grads[k];
    const most = largest[DATA.columns[k]];
    const share = grad && most ? Math.abs(grad) / most : 0;
    line.setAttribute("stroke-width", (0.4 + 4.6 * share).toFixed(2));
    line.setAttribute("opacity", (0.18 + 0.77 * share).toFixed(2));
    line.classList.toggle("gt-down", grad < 0);
    line.classList.toggle("gt-up", !(grad < 0));
    line.querySelector("title").textContent = `${DATA.names[k]}: ${frame.weights[k]}, grad ${grad}`;
  });
}

const hue = (k) => HUES[((k % HUES.length) + HUES.length) % HUES.length];
const mixed = (share) => HUES[0].map((c, i) => c + (HUES[1][i] - c) * share);
const values = FRAMES.flatMap((frame) => frame.field).concat(DATA.points.map((p) => p[2])).filter((x) => x !== null);
const [low, high] = values.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
// Two targets are coloured from one to the other, and what lies beyond them like them.
const targets = DATA.points.map((p) => p[2]);
const [least, most] = targets.length ? [targets.reduce((a, x) => Math.min(a, x)), targets.reduce((a, x) => Math.max(a, x))] : [low, high];
const colour = (x) => DATA.classes
  ? hue(x)
  : mixed(Math.max(0, Math.min(1, (x - least) / (most - least || 1))));

function boundary(frame) {
  const canvas = document.querySelector("#field canvas");
  canvas.width = canvas.height = DATA.grid;
  const context = canvas.getContext("2d");
  const image = context.createImageData(DATA.grid, DATA.grid);
  frame.field.forEach((x, k) => {
    const row = DATA.grid - 1 - Math.floor(k / DATA.grid);
    const [r, g, b] = x === null ? [128, 128, 128] : colour(x);
    image.data.set([r, g, b, 110], 4 * (row * DATA.grid + (k % DATA.grid)));
  });
  context.putImageData(image, 0, 0);
}

function points() {
  const [left, right, bottom, top] = DATA.area;
  const dots = DATA.points.map(([x, y, target]) => shape("circle", {
    cx: (100 * (x - left)) / (right - left),
    cy: 100 - (100 * (y - bottom)) / (top - bottom),
    r: 1.3,
    fill: `rgb(${colour(target).map(Math.round)})`,
  }));
  document.querySelector("#field svg").replaceChildren(...dots);
  $("boundary").hidden = false;
}

const BOX = { left: 46, right: 372, top: 14, bottom: 196 };
const last = FRAMES[FRAMES.length - 1].epoch || 1;
const across = (epoch) => BOX.left + ((BOX.right - BOX.left) * epoch) / last;
const seen = FRAMES.filter((frame) => frame.loss !== null);
const highest = Math.max(...seen.map((frame) => frame.loss), 1e-300);
const lowest = Math.min(0, ...seen.map((frame) => frame.loss));
const CURVES = [
  { name: "loss", kind: "", of: (f) => f.loss, at: (x) => BOX.bottom - ((x - lowest) / (highest - lowest)) * (BOX.bottom - BOX.top) },
  { name: "accuracy", kind: " second", of: (f) => f.accuracy, at: (x) => BOX.bottom - x * (BOX.bottom - BOX.top) },
].filter((curve) => FRAMES.some((frame) => curve.of(frame) !== null));

const way = (curve, frames) => frames.filter((frame) => curve.of(frame) !== null)
  .map((frame, i) => `${i ? "L" : "M"}${across(frame.epoch).toFixed(1)} ${curve.at(curve.of(frame)).toFixed(1)}`).join("");

function curves(at) {
  const parts = [0, 0.5, 1].flatMap((share) => {
    const y = BOX.bottom - share * (BOX.bottom - BOX.top);
    const text = (lowest + share * (highest - lowest)).toPrecision(2);
    const percent = `${100 * share}%`;
    return [
      shape("path", { class: "axis", d: `M${BOX.left} ${y}H${BOX.right}` }),
      shape("text", { class: "axis-text", x: BOX.left - 6, y: y + 4, "text-anchor": "end" }, text),
      ...(CURVES.length > 1 ? [shape("text", { class: "axis-text", x: BOX.right + 6, y: y + 4 }, percent)] : []),
    ];
  });
  parts.push(shape("text", { class: "axis-text", x: BOX.right, y: BOX.bottom + 18, "text-anchor": "end" }, `epoch ${last}`));
  CURVES.forEach((curve, i) => {
    parts.push(shape("path", { class: `curve faint${curve.kind}`, d: way(curve, FRAMES) }));
    parts.push(shape("path", { class: `curve${curve.kind}`, d: way(curve, FRAMES.slice(0, at + 1)) }));
    const value = curve.of(FRAMES[at]);
    if (value !== null) parts.push(shape("circle", { class: `mark${curve.kind}`, cx: across(FRAMES[at].epoch), cy: curve.at(value), r: 4.5 }));
    parts.push(shape("text", { class: `name${curve.kind}`, x: BOX.left + i * 60, y: BOX.bottom + 18 }, curve.name));
  });
  $("curves").replaceChildren(...parts);
}

function show(at) {
  const frame = FRAMES[at];
  document.body.dataset.phase = "training";
  $("phase").textContent = frame.epoch ? `Epoch ${frame.epoch}` : "Before training";
  $("numbers").textContent = frame.say;
  gradients(frame);
  if (frame.field.length) boundary(frame);
  curves(at);
}

if (FRAMES[0].field.length) points();
player(FRAMES.length, show, (at) => FRAMES[at].say);
