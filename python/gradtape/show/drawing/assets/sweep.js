// The forward pass and the reverse sweep over the drawing of a graph.
const STEPS = DATA.steps;
const PHASES = { leaves: "Leaves", forward: "Forward pass", seed: "Seed", reverse: "Reverse sweep", end: "Gradients" };
const svg = document.querySelector("svg.gradtape");
const boxes = new Map();
const edges = new Map();
for (const g of svg.querySelectorAll("g[data-node]")) {
  const data = g.querySelector(".gt-data");
  boxes.set(Number(g.dataset.node), { g, data, grad: g.querySelector(".gt-grad"), text: data.textContent });
}
for (const g of svg.querySelectorAll("g[data-edge]")) {
  const to = svg.querySelector(`g[data-box="${g.dataset.to}"]`).dataset.node;
  if (!edges.has(Number(to))) edges.set(Number(to), []);
  edges.get(Number(to)).push(g);
}
const first = svg.querySelector("g[data-box]");

const element = (name, text, kind) => {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

function arithmetic(step) {
  $("title").textContent = step.title;
  const many = step.lines.length > 4;
  $("lines").className = many ? "many" : "";
  const lines = step.lines[0] === step.title ? step.lines.slice(1) : step.lines;
  $("lines").replaceChildren(...lines.map((line, i) =>
    element("div", line, !many && step.phase === "forward" && i === lines.length - 1 ? "result" : "")));
  $("terms").hidden = step.terms.length === 0;
  $("terms").tBodies[0].replaceChildren(...step.terms.map((term) => {
    const row = document.createElement("tr");
    const sum = element("td", `${term.before} → `, "sum");
    sum.append(element("b", term.after));
    const numbers = term.numbers ? `${term.numbers} = ${term.partial}` : term.partial;
    row.append(element("td", term.name), element("td", term.formula || "–"),
      element("td", numbers), element("td", term.share), sum);
    return row;
  }));
  $("work").scrollTop = 0;
}

function picture(at) {
  const known = new Set();
  const adjoints = new Map();
  for (const step of STEPS.slice(0, at + 1)) {
    step.data.forEach((node) => known.add(node));
    Object.entries(step.adjoints).forEach(([node, text]) => adjoints.set(Number(node), text));
  }
  const step = STEPS[at];
  for (const [node, box] of boxes) {
    box.data.textContent = known.has(node) ? box.text : "·";
    box.grad.textContent = adjoints.has(node) ? adjoints.get(node) : "·";
    box.g.classList.toggle("later", !known.has(node));
    box.g.classList.toggle("work", node === step.node);
    box.g.classList.toggle("touched", step.phase === "reverse" && String(node) in step.adjoints);
  }
  for (const [node, groups] of edges) {
    const on = node === step.node && (step.phase === "forward" || step.phase === "reverse");
    groups.forEach((g) => {
      g.classList.toggle("on", on);
      // Over the edges that share its way.
      if (on) first.before(g);
    });
  }
}

function follow(step) {
  const box = boxes.get(step.node);
  if (!box) return;
  const frame = $("picture").getBoundingClientRect();
  const place = box.g.getBoundingClientRect();
  // Only as far as it needs to be seen with what it uses.
  const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches && !document.body.classList.contains("plain");
  const x = place.left < frame.left + 220 || place.right > frame.right - 40;
  const y = place.top < frame.top + 10 || place.bottom > frame.bottom - 10;
  $("picture").scrollBy({
    left: x ? (place.left + place.right - frame.left - frame.right) / 2 : 0,
    top: y ? (place.top + place.bottom - frame.top - frame.bottom) / 2 : 0,
    behavior: smooth ? "smooth" : "instant",
  });
}

function show(at) {
  const step = STEPS[at];
  document.body.dataset.phase = step.phase;
  $("phase").textContent = PHASES[step.phase];
  arithmetic(step);
  picture(at);
  follow(step);
}

// A picture that is a little too wide is made smaller; one that is far too wide is scrolled.
function fit() {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const scale = Math.min(1, Math.max(0.66, (($("picture").clientWidth - 2) / width)));
  svg.setAttribute("width", width * scale);
  svg.setAttribute("height", height * scale);
}
window.addEventListener("resize", fit);
fit();

player(STEPS.length, show, (at) => STEPS[at].say);
