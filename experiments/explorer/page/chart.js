// Curves over log time: axes, marks, a ribbon, bands, and labels at the ends of lines.

import { Pen, apart, few, layer, path, power } from "./svg.js";

let clips = 0;

// Whether a row says something of log10 time x: one of runs that were sampled ends.
const told = (curve, x) => !curve.ends || (x >= curve.t[0] && x <= curve.t[curve.t.length - 1]);

// Value at log10 time x of a row, in log time; before the first time it is the first value.
export function valueAt(t, v, x) {
  const n = t.length;
  if (n === 0) return NaN;
  if (x >= (t[n - 1] ?? -Infinity)) return v[n - 1];
  let low = 0, high = n - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((t[middle] ?? -Infinity) <= x) low = middle; else high = middle;
  }
  const from = t[low] ?? -Infinity;
  if (from === -Infinity || t[high] === from) return v[low];
  return v[low] + ((v[high] - v[low]) * (x - from)) / (t[high] - from);
}

// Round numbers between low and high, at most `most`.
export function ticks(low, high, most = 5) {
  const raw = (high - low) / most, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw * 0.999);
  const row = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) row.push(+(i * step).toPrecision(12));
  return row;
}

// Bounds that leave room around values, at round numbers.
export function bounds(values, least = 0.2) {
  let low = Math.min(...values), high = Math.max(...values);
  const pad = Math.max((high - low) * 0.04, (least - (high - low)) / 2, 0);
  const step = high - low > 0.5 ? 0.1 : 0.05;
  low = Math.max(0, Math.floor((low - pad) / step + 1e-9) * step);
  high = Math.min(1, Math.ceil((high + pad) / step - 1e-9) * step);
  return [low, high];
}

export class Chart {
  constructor(svg) {
    this.svg = svg;
    this.clip = `clip-${++clips}`;
    const defs = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "defs"));
    const clip = defs.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "clipPath"));
    clip.id = this.clip;
    this.rect = clip.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    this.pens = ["axis", "lines", "labels"].map((name) => new Pen(layer(svg, name)));
    this.measure();
  }

  measure() {
    const box = this.svg.getBoundingClientRect();
    this.w = Math.max(260, Math.round(box.width));
    this.h = Math.max(90, Math.round(box.height));
    this.svg.setAttribute("viewBox", `0 0 ${this.w} ${this.h}`);
  }

  timeAt(clientX) {
    const box = this.svg.getBoundingClientRect();
    const at = ((clientX - box.left) / box.width) * this.w;
    if (!this.x || at < this.left - 6 || at > this.right + 6) return null;
    const part = Math.min(Math.max((at - this.left) / (this.right - this.left), 0), 1);
    return this.x[0] + part * (this.x[1] - this.x[0]);
  }

  // spec: x, y bounds; curves {key, t, v, cls, label, faint, ends: words, where it ends with its row}; bands {key, t, low, high, cls};
  // marks {x, label}; levels {y, label}; dots {x, y, label, cls}; ribbon {from, cls, label}[];
  // list: labels one below the other by `place`; cursor: log10 time or null; room: pixels for labels on the right.
  draw(spec) {
    const { x, y, cursor = null, ribbon = null, room = 112 } = spec;
    const top = spec.marks?.length ? 22 : 12, below = ribbon ? 46 : 32;
    Object.assign(this, { x, y, left: 36, right: this.w - room, top, bottom: this.h - below });
    const { left, right, bottom } = this;
    const X = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (right - left);
    const Y = (v) => bottom - ((v - y[0]) / (y[1] - y[0])) * (bottom - top);
    Object.assign(this, { X, Y });
    const [axis, lines, labels] = this.pens;
    for (const [name, value] of [["x", left], ["y", top - 4], ["width", right - left], ["height", bottom - top + 8]]) this.rect.setAttribute(name, value);
    axis.draw((add) => {
      for (const v of ticks(y[0], y[1], Math.max(2, Math.floor((bottom - top) / 22)))) {
        add(`g${v}`, "line", { class: "grid", x1: left, x2: right, y1: Y(v), y2: Y(v) });
        add(`y${v}`, "text", { class: "tick", x: left - 7, y: Y(v) + 4, "text-anchor": "end" }, String(v));
      }
      const step = Math.max(1, Math.ceil((x[1] - x[0]) / Math.max(2, Math.floor((right - left) / 46))));
      for (let n = Math.ceil(x[0] / step) * step; n <= x[1]; n += step) {
        add(`t${n}`, "line", { class: "tickmark", x1: X(n), x2: X(n), y1: bottom, y2: bottom + 4 });
        add(`x${n}`, "text", { class: "tick", x: X(n), y: this.h - 12, "text-anchor": "middle" }, power(n));
      }
      add("time", "text", { class: "tick", x: right + 16, y: this.h - 12 }, "time t");
      for (const level of spec.levels ?? []) add(`l${level.label}`, "line", { class: "level", x1: left, x2: right, y1: Y(level.y), y2: Y(level.y) });
    });
    lines.draw((add) => {
      const inside = { "clip-path": `url(#${this.clip})` };
      for (const band of spec.bands ?? []) {
        const xs = band.t.map((v) => X(v ?? x[0] - 1));
        const up = path(xs, band.high.map(Y)), down = path([...xs].reverse(), [...band.low].reverse().map(Y));
        add(band.key, "path", { class: `band ${band.cls}`, d: up + down.replace("M", "L") + "Z", ...inside });
      }
      (spec.marks ?? []).forEach((mark) => add(`m${mark.label}`, "line", { class: "mark", x1: X(mark.x), x2: X(mark.x), y1: top - 4, y2: bottom }));
      for (const curve of spec.curves) {
        add(curve.key, "path", { class: `curve ${curve.cls}${curve.faint ? " faint" : ""}`, d: this.line(curve), ...inside });
      }
      (ribbon ?? []).forEach((part, i) => {
        const from = Math.max(X(part.from ?? x[0]), left), to = i + 1 < ribbon.length ? Math.min(X(ribbon[i + 1].from), right) : right;
        if (to > from) add(`r${i}`, "rect", { class: `plateau ${part.cls}`, x: from, y: bottom + 9, width: to - from, height: 8, rx: 1.5 });
      });
      if (cursor !== null) add("cursor", "line", { class: "cursor", x1: X(cursor), x2: X(cursor), y1: top - 4, y2: bottom + (ribbon ? 17 : 0) });
      for (const curve of spec.curves) {
        if (cursor === null || curve.faint || !told(curve, cursor)) continue;
        add(`c${curve.key}`, "circle", { class: `bead ${curve.cls}`, cx: X(cursor), cy: Y(valueAt(curve.t, curve.v, cursor)), r: 3.5 });
      }
    });
    labels.draw((add) => {
      this.#marks(add, spec.marks ?? []);
      for (const dot of spec.dots ?? []) {
        const flip = X(dot.x) > left + 96; // text on the left, where the curve was flat
        add(`d${dot.label}`, "circle", { class: `bead ${dot.cls}`, cx: X(dot.x), cy: Y(dot.y), r: 3 });
        add(`e${dot.label}`, "text", { class: `note halo ${dot.cls}`, x: X(dot.x) + (flip ? -8 : 8), y: Y(dot.y) + (Y(dot.y) > bottom - 30 ? -7 : 16), "text-anchor": flip ? "end" : "start" }, dot.label);
      }
      for (const curve of spec.curves) {
        const n = curve.t.length - 1;
        if (!curve.ends || curve.t[n] < x[0] || curve.t[n] > x[1]) continue;
        const flip = X(curve.t[n]) - left > 7 * curve.ends.length, low = Y(curve.v[n]) > (top + bottom) / 2;
        add(`u${curve.key}`, "line", { class: "mark", x1: X(curve.t[n]), x2: X(curve.t[n]), y1: top - 4, y2: bottom });
        add(`o${curve.key}`, "text", { class: "note halo until", x: X(curve.t[n]) + (flip ? -6 : 6), y: low ? top + 8 : bottom - 6, "text-anchor": flip ? "end" : "start" }, curve.ends);
      }
      const ends = spec.curves.filter((c) => c.label && told(c, cursor ?? x[1])).map((c) => {
        const value = valueAt(c.t, c.v, cursor ?? x[1]);
        return { ...c, y: Y(valueAt(c.t, c.v, x[1])), text: cursor === null ? c.label : `${c.short ?? c.label} ${few(value)}` };
      });
      for (const level of spec.levels ?? []) ends.push({ key: `n${level.label}`, cls: "quiet", y: Y(level.y), text: level.label });
      const step = Math.min(15, (bottom - top + 8) / Math.max(1, ends.length - 1));
      if (spec.list) ends.sort((a, b) => a.place - b.place).forEach((end, i) => { end.y = end.at = top + 2 + i * step; });
      else apart(ends, top, ribbon ? bottom - 2 : bottom + 2, step);
      for (const end of ends) {
        add(`t${end.key}`, "text", { class: `name ${end.cls}`, x: right + 16, y: end.at + 4 }, end.text);
        if (Math.abs(end.at - end.y) > 3) add(`k${end.key}`, "path", { class: "lead", d: `M${right + 2} ${end.y.toFixed(1)}L${right + 13} ${end.at.toFixed(1)}` });
      }
      if (cursor !== null) add("now", "text", { class: "moment now halo", x: X(cursor), y: this.h - 12, "text-anchor": "middle" }, `t = ${few(10 ** cursor)}`);
      if (ribbon) add("ribbon", "text", { class: "tick", x: right + 16, y: bottom + 17 }, "most likely");
    });
  }

  line({ t, v, ends }) {
    const [low, high] = this.x, xs = [], ys = [];
    let first = 0;
    while (first + 1 < t.length && (t[first + 1] ?? -Infinity) < low) first++;
    for (let i = first; i < t.length; i++) {
      xs.push(this.X(Math.max(t[i] ?? low - 1, low - 1)));
      ys.push(this.Y(v[i]));
      if (t[i] !== null && t[i] > high) break;
    }
    if (!ends && xs.length && xs[xs.length - 1] < this.right) { xs.push(this.right); ys.push(ys[ys.length - 1]); }
    return path(xs, ys);
  }

  // Labels of moments in one line above the plot, the later ones kept right of the earlier.
  #marks(add, marks) {
    let free = -Infinity;
    const row = [...marks].sort((a, b) => a.x - b.x).map((mark) => ({ ...mark, wide: 6.4 * mark.label.length + 8 }));
    row.forEach((mark, i) => {
      const at = this.X(mark.x), next = row[i + 1] ? this.X(row[i + 1].x) : this.right + 60;
      const left = at - mark.wide > free && (at + mark.wide > this.right + 60 || (next - at < mark.wide && i + 1 < row.length));
      add(`n${mark.label}`, "text", { class: "moment", x: Math.max(at, free) + (left ? -4 : 4), y: 12, "text-anchor": left ? "end" : "start" }, mark.label);
      free = left ? at : Math.max(at, free) + mark.wide;
    });
  }
}
