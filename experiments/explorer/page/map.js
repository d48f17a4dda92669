// The phase diagram: cells on a canvas, and over them axes, theory's lines and the reader's place.

import { Pen, apart, dart, few, layer, path, power } from "./svg.js";
import { colour } from "./colours.js";
import { policy, roles } from "./state.js";
import { ticks } from "./chart.js";

const GREY = [198, 200, 204], NEVER = [[244, 239, 246], [206, 194, 212]];

export function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// Where a state is on its map.
export function place(state) {
  const p = policy(state), { best, rival, worst } = roles(state), s = state.success_rates;
  return {
    quality: [p[best], s[best] - s[rival]], "bad-mass": [p[best], p[worst]],
    mixture: [state.weight, state.confidences[rival]], noise: state.errors, dose: [state.dose, p[best]],
  }[state.map];
}

export class PhaseMap {
  // `load(side, i, j)`: the reader chose a cell; `say(text)` tells of the cell looked at.
  constructor(canvas, svg, { load, say }) {
    Object.assign(this, { canvas, svg, load, say, shown: null, cell: null });
    this.pens = ["axis", "theory", "place"].map((name) => new Pen(layer(svg, name)));
    const defs = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "defs"));
    const make = (parent, tag, attributes) => {
      const node = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
      for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
      return node;
    };
    const scale = make(defs, "linearGradient", { id: "batlow" });
    for (let i = 0; i <= 16; i++) make(scale, "stop", { offset: i / 16, "stop-color": `rgb(${colour(i / 16)})` });
    this.clip = make(make(defs, "clipPath", { id: "map-clip" }), "rect", {});
    canvas.addEventListener("pointermove", (e) => this.#look(this.#at(e)));
    canvas.addEventListener("pointerleave", () => { if (document.activeElement !== canvas) this.#look(null); });
    canvas.addEventListener("click", (e) => this.#choose(this.#at(e)));
    canvas.addEventListener("keydown", (e) => this.#key(e));
    canvas.addEventListener("focus", () => { if (!this.cell && this.shown && canvas.matches(":focus-visible")) this.#look(this.#own()); });
    canvas.addEventListener("blur", () => this.#look(null));
    this.measure();
  }

  measure() {
    const box = this.svg.getBoundingClientRect();
    this.w = Math.max(260, Math.round(box.width));
    this.h = Math.max(220, Math.round(box.height));
    this.svg.setAttribute("viewBox", `0 0 ${this.w} ${this.h}`);
    Object.assign(this, { left: 56, right: this.w - 14, top: 60, bottom: this.h - 44 });
    const style = this.canvas.style, { left, right, top, bottom } = this;
    style.left = `${left}px`; style.top = `${top}px`;
    style.width = `${right - left}px`; style.height = `${bottom - top}px`;
    for (const [name, value] of [["x", left], ["y", top], ["width", right - left], ["height", bottom - top]]) this.clip.setAttribute(name, value);
  }

  // ---- hands ---------------------------------------------------------------------------

  #at(event) {
    if (!this.shown) return null;
    const box = this.canvas.getBoundingClientRect(), { n } = this.shown;
    const part = (v, size) => Math.min(Math.max(Math.floor((v / size) * n), 0), n - 1);
    return [part(event.clientX - box.left, box.width), part(box.bottom - event.clientY, box.height)];
  }

  #own() {
    const { x, y } = this.shown, here = this.here ?? [x[0], y[0]];
    const near = (row, v) => row.reduce((a, _, i) => (Math.abs(row[i] - v) < Math.abs(row[a] - v) ? i : a), 0);
    return [near(x, here[0]), near(y, here[1])];
  }

  #key(event) {
    if (!this.shown) return;
    const go = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(this.cell);
    else if (go) {
      const { n } = this.shown, far = event.shiftKey ? Math.round(n / 10) : 1, [i, j] = this.cell ?? this.#own();
      const inside = (v) => Math.min(Math.max(v, 0), n - 1);
      this.#look([inside(i + far * go[0]), inside(j + far * go[1])]);
    } else return;
    event.preventDefault();
  }

  #choose(cell) {
    if (!cell || !this.shown || Number.isNaN(this.#value(cell))) return;
    this.load(this.shown.n, ...cell);
  }

  #look(cell) {
    this.cell = cell;
    this.#tell();
    if (this.shown) this.#place();
  }

  #tell() {
    if (!this.shown) return this.say("");
    if (this.cell) return this.say(this.#words(this.cell));
    const { axes } = this.shown;
    this.say(this.here ? `Your model${this.#off() ? " is off this map" : " is the ring"}: ${axes.x.label} ${few(this.here[0])}, ${axes.y.label} ${few(this.here[1])}. Click a cell to load it.` : "");
  }

  #value([i, j]) { return this.shown.z[j * this.shown.n + i]; }

  #words([i, j]) {
    const { x, y, axes, time } = this.shown, z = this.#value([i, j]);
    const where = `${axes.x.label} ${few(x[i])}, ${axes.y.label} ${few(y[j])}: `;
    if (Number.isNaN(z)) return `${where}there is no such base model`;
    if (!time) return `${where}accuracy ${z.toFixed(3)}`;
    if (z === Infinity) return `${where}never`;
    return where + (z === -Infinity ? "above the rival's rate from the start" : `T₀ = ${few(10 ** z)}`);
  }

  // ---- drawing -------------------------------------------------------------------------

  // `answer` is of the state `asked`; `state` is the reader's by now.
  draw(answer, state, asked) {
    const z = decode(answer.z), n = answer.x.length, known = z.filter(Number.isFinite);
    let low = Infinity, high = -Infinity;
    for (const v of known) { if (v < low) low = v; if (v > high) high = v; }
    if (!known.length) [low, high] = [0, 1];
    if (high - low < 1e-9) high = low + 1e-9;
    const time = answer.label.startsWith("log10");
    if (this.shown && this.shown.n !== n) this.cell = null;
    this.shown = { ...answer, z, n, low, high, time, kind: asked.map };
    const image = new ImageData(n, n);
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) {
      const v = z[j * n + i], at = 4 * ((n - 1 - j) * n + i);
      if (Number.isNaN(v)) continue;
      const hatch = (i + j) % (n > 50 ? 8 : 4) < (n > 50 ? 2 : 1) ? 1 : 0;
      const rgb = v === -Infinity ? GREY : v === Infinity ? NEVER[hatch] : colour((v - low) / (high - low));
      image.data.set([...rgb, 255], at);
    }
    this.canvas.width = this.canvas.height = n;
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.#why("");
    this.#axes();
    this.drawPlace(state);
  }

  // Whether the reader's own place is beyond the axes.
  #off() {
    const { x, y } = this.shown, [a, b] = this.here, n = x.length, half = (row) => Math.abs(row[n - 1] - row[n - 2]) / 2;
    const out = (row, v, low) => !(v >= low && v <= row[n - 1] + half(row));
    const least = (row, log) => (log ? row[0] * Math.sqrt(row[0] / row[1]) : row[0] - half(row));
    return out(x, a, least(x, this.shown.axes.x.log)) || out(y, b, least(y, this.shown.axes.y.log));
  }

  // Why there is no map, in its place.
  none(text) {
    this.shown = this.here = this.cell = null;
    this.canvas.width = this.canvas.height = 1;
    for (const pen of this.pens) pen.draw(() => {});
    this.say("");
    this.#why(text);
  }

  #why(text) {
    const node = this.canvas.parentNode.querySelector(".none");
    node.textContent = text;
    node.hidden = !text;
  }

  #scales() {
    const { x, y, axes, n } = this.shown, { left, right, top, bottom } = this;
    const along = (row, log, from, to) => {
      const f = log ? Math.log10 : (v) => v, half = 0.5 / n, [a, b] = [f(row[0]), f(row[n - 1])];
      return (v) => from + (to - from) * (half + (1 - 2 * half) * ((f(v) - a) / (b - a)));
    };
    return { X: along(x, axes.x.log, left, right), Y: along(y, axes.y.log, bottom, top) };
  }

  #marks(row, log, most) {
    const low = row[0], high = row[row.length - 1];
    if (!log) return ticks(low, high, most).map((v) => [v, String(v)]);
    const decades = Math.log10(high / low);
    if (decades < 2.5) return [1, 3].flatMap((m) => [-4, -3, -2, -1, 0, 1, 2].map((e) => m * 10 ** e)).filter((v) => v >= low * 0.999 && v <= high * 1.001).map((v) => [v, few(v)]);
    const step = Math.ceil(decades / most), marks = [];
    for (let e = Math.ceil(Math.log10(low) - 1e-9); e <= Math.log10(high) + 1e-9; e++) if (e % step === 0) marks.push([10 ** e, power(e)]);
    return marks;
  }

  #axes() {
    const { x, y, z, axes, low, high, time, label, lines = [] } = this.shown, { left, right, top, bottom, w } = this;
    const { X, Y } = this.#scales(), [axis, theory] = this.pens;
    axis.draw((add) => {
      add("frame", "rect", { class: "edge", x: left, y: top, width: right - left, height: bottom - top });
      for (const [v, text] of this.#marks(x, axes.x.log, 6)) {
        add(`tx${text}`, "line", { class: "tickmark", x1: X(v), x2: X(v), y1: bottom, y2: bottom + 4 });
        add(`x${text}`, "text", { class: "tick", x: X(v), y: bottom + 17, "text-anchor": "middle" }, text);
      }
      for (const [v, text] of this.#marks(y, axes.y.log, 6)) {
        add(`ty${text}`, "line", { class: "tickmark", x1: left - 4, x2: left, y1: Y(v), y2: Y(v) });
        add(`y${text}`, "text", { class: "tick", x: left - 8, y: Y(v) + 4, "text-anchor": "end" }, text);
      }
      add("xlabel", "text", { class: "tick", x: (left + right) / 2, y: bottom + 37, "text-anchor": "middle" }, axes.x.label);
      add("ylabel", "text", { class: "tick", transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, axes.y.label);
      const wide = Math.min(150, (w - left) * 0.36);
      add("title", "text", { class: "tick", x: left, y: 11 }, time ? label.replace(/^log10 T0/, "T₀") : label);
      add("scale", "rect", { x: left, y: 19, width: wide, height: 9, rx: 2, fill: "url(#batlow)" });
      const marks = time ? ticks(low, high, 4).map((v) => [v, power(+v.toFixed(1))]) : ticks(low, high, 5).map((v) => [v, String(v)]);
      const whole = time ? marks.filter(([v]) => Number.isInteger(v)) : marks;
      for (const [v, text] of whole.length ? whole : [[low, few(time ? 10 ** low : low)]]) add(`z${text}`, "text", { class: "tick", x: left + (wide * (v - low)) / (high - low), y: 42, "text-anchor": "middle" }, text);
      const keys = [];
      if (z.includes(-Infinity)) keys.push(["swatch grey", "from the start"]);
      if (z.includes(Infinity)) keys.push(["swatch never", "never"]);
      let at = left + wide + 22;
      for (const [cls, text] of keys) {
        add(text, "rect", { class: cls, x: at, y: 18, width: 11, height: 11, rx: 2 });
        add(`${text}word`, "text", { class: "tick", x: at + 16, y: 28 }, text);
        at += 16 + 6.4 * text.length + 14;
      }
    });
    theory.draw((add) => {
      const names = [];
      lines.forEach((line, i) => {
        const inside = line.points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b) && (!axes.x.log || a > 0) && (!axes.y.log || b > 0));
        const xs = inside.map(([a]) => X(a)), ys = inside.map(([, b]) => Y(b)), d = path(xs, ys);
        add(`u${i}`, "path", { class: "theory under", d, "clip-path": "url(#map-clip)" });
        add(`l${i}`, "path", { class: `theory line-${i % 4}`, d, "clip-path": "url(#map-clip)" });
        const seen = inside.map((_, k) => k).filter((k) => xs[k] > left + 8 && xs[k] < right - 20 && ys[k] > top + 16 && ys[k] < bottom - 6);
        if (seen.length) { const k = seen[Math.floor(seen.length * (0.75 - 0.25 * (i % 3)))]; names.push({ i, x: xs[k], y: ys[k], text: line.label }); }
      });
      for (const { i, x: tx, at, text } of apart(names, top + 14, bottom - 6)) {
        const flip = tx + 6.2 * text.length > right - 6;
        add(`n${i}`, "text", { class: "onmap", x: flip ? Math.max(tx - 6, left + 6.2 * text.length) : tx + 6, y: at - 5, "text-anchor": flip ? "end" : "start" }, text);
      }
    });
  }

  // The reader's own place moves at once, also while the map is of an older state.
  drawPlace(state) {
    this.here = this.shown && state.map === this.shown.kind ? place(state) : null;
    if (!this.cell) this.#tell();
    if (this.shown) this.#place();
  }

  redraw(state) {
    if (!this.shown) return;
    this.#axes();
    this.drawPlace(state);
  }

  #place() {
    const { X, Y } = this.#scales(), { left, right, top, bottom } = this, { n } = this.shown;
    this.pens[2].draw((add) => {
      const fits = (v, from, to) => Math.min(Math.max(v, from), to);
      if (this.here) {
        // Off the axes there is no ring, but an arrow at the edge with the value.
        const at = [X(this.here[0]), Y(this.here[1])], edges = [[left, right], [top, bottom]];
        const side = at.map((v, i) => (v > edges[i][1] + 0.5 ? 1 : v >= edges[i][0] - 0.5 ? 0 : v === -Infinity || v < edges[i][0] ? -1 : i ? 1 : -1));
        const [cx, cy] = at.map((v, i) => fits(side[i] ? edges[i][side[i] > 0 ? 1 : 0] : v, ...edges[i]));
        if (side[0] || side[1]) {
          const far = [side[0] && `${few(this.here[0])}`, side[1] && `${few(this.here[1])}`].filter(Boolean).join(", ");
          const d = dart(cx - 8 * side[0], cy - 8 * side[1], side[0], side[1], 0, 9), flip = cx > (left + right) / 2;
          add("farunder", "path", { class: "mine under", d });
          add("far", "path", { class: "mine farmine", d });
          add("farword", "text", { class: "onmap", x: cx + (flip ? -24 : 24), y: fits(cy + 4, top + 14, bottom - 8), "text-anchor": flip ? "end" : "start" }, `your model: ${far}`);
        } else {
          add("halo", "circle", { class: "mine under", cx, cy, r: 7 });
          add("ring", "circle", { class: "mine", cx, cy, r: 7 });
        }
      }
      if (this.cell) {
        const [i, j] = this.cell, w = (right - left) / n, h = (bottom - top) / n, grow = Math.max(0, 7 - w) / 2;
        const box = { x: left + i * w - grow, y: bottom - (j + 1) * h - grow, width: w + 2 * grow, height: h + 2 * grow };
        add("under", "rect", { class: "cell under", ...box });
        add("cell", "rect", { class: "cell", ...box });
      }
    });
  }
}
