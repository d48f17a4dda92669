// A picture is a list of shapes by key: what is there already is changed, not made anew,
// so that a drag moves a few attributes and nothing is laid out again.

const NS = "http://www.w3.org/2000/svg";

export class Pen {
  constructor(parent) {
    this.parent = parent;
    this.nodes = new Map();
  }

  // Draw with `body(add)`, where `add(key, tag, attributes, text)` gives the node.
  draw(body) {
    const seen = new Set();
    let at = this.parent.firstChild;
    body((key, tag, attributes = {}, text = null) => {
      let node = this.nodes.get(key);
      if (node && node.tagName !== tag) { // another shape of that name
        if (node === at) at = at.nextSibling;
        node.remove();
        node = null;
      }
      if (!node) {
        node = document.createElementNS(NS, tag);
        node.dataset.key = key;
        this.nodes.set(key, node);
      }
      seen.add(key);
      for (const [name, value] of Object.entries(attributes)) {
        const text = String(value);
        if (node.getAttribute(name) !== text) node.setAttribute(name, text);
      }
      for (const name of node.getAttributeNames()) if (!(name in attributes) && name !== "data-key") node.removeAttribute(name);
      if (text !== null && node.textContent !== text) node.textContent = text;
      if (node === at) at = at.nextSibling;
      else this.parent.insertBefore(node, at);
      return node;
    });
    for (const [key, node] of this.nodes) if (!seen.has(key)) { node.remove(); this.nodes.delete(key); }
  }
}

export const layer = (svg, name) => {
  const g = document.createElementNS(NS, "g");
  g.setAttribute("class", name);
  return svg.appendChild(g);
};

// A line through points, with gaps where a number is missing.
export function path(xs, ys) {
  let d = "", pen = "M";
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) { pen = "M"; continue; }
    d += pen + xs[i].toFixed(1) + " " + ys[i].toFixed(1);
    pen = "L";
  }
  return d;
}

// Labels at heights y, moved apart to `step` and kept between low and high.
export function apart(labels, low, high, step = 14) {
  const row = [...labels].sort((a, b) => a.y - b.y);
  row.forEach((label, i) => { label.at = Math.max(label.y, i ? row[i - 1].at + step : low); });
  let limit = high;
  for (const label of row.reverse()) { label.at = Math.min(label.at, limit); limit = label.at - step; }
  return labels;
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export const power = (n) => (n === 0 ? "1" : n === 1 ? "10" : "10" + [...String(n)].map((c) => RAISED[c]).join(""));

// A probability or a time in few characters.
export function few(x) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return "∞";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-3) {
    const [digits, e] = x.toExponential(1).split("e");
    const n = Number(e);
    return digits === "1.0" ? power(n) : `${digits.replace(".0", "")}×${power(n)}`;
  }
  return String(size >= 100 ? Math.round(x) : +x.toPrecision(size < 0.1 ? 2 : 3));
}

// A tapered arrow from (x, y) along (dx, dy): thin at its start, with a head at its end.
export function dart(x, y, dx, dy, length, head) {
  const size = Math.hypot(dx, dy) || 1, [ux, uy] = [dx / size, dy / size], at = (along, across) => `${(x + ux * along - uy * across).toFixed(1)} ${(y + uy * along + ux * across).toFixed(1)}`;
  if (!length) return `M${at(head, 0)}L${at(-head, head * 0.75)}L${at(-head * 0.5, 0)}L${at(-head, -head * 0.75)}Z`;
  const half = length / 2, neck = half - head * 1.5;
  return `M${at(-half, 0)}L${at(neck, 0.55)}L${at(neck, head * 0.7)}L${at(half, 0)}L${at(neck, -head * 0.7)}L${at(neck, -0.55)}Z`;
}
