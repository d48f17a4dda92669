// Who ever leads: the lower convex hull of (pay, 1 / base probability).
// Its edges are straight in 1/pi and so are curves on a logarithmic axis.

import { Pen, few, layer, path, power } from "./svg.js";
import { logPolicy, names, rewards } from "./state.js";
import { RUN_NAMES } from "./views.js";
import { ticks } from "./chart.js";

const LN10 = Math.log(10);
// Parts of an edge, fine at both ends, where it bends on a logarithmic axis.
const PARTS = [0, ...Array.from({ length: 97 }, (_, i) => 1 / (1 + 10 ** (12 - i / 4))), 1];

// log10 of the height of the edge from i to j at part q.
export function onEdge(from, to, q) {
  const top = Math.max(from, to);
  return top + Math.log10((1 - q) * 10 ** (from - top) + q * 10 ** (to - top));
}

export class Hull {
  constructor(svg) {
    this.svg = svg;
    this.pens = ["axis", "edges", "points"].map((name) => new Pen(layer(svg, name)));
    this.measure();
  }

  measure() {
    const box = this.svg.getBoundingClientRect();
    this.w = Math.max(260, Math.round(box.width));
    this.h = Math.max(120, Math.round(box.height));
    this.svg.setAttribute("viewBox", `0 0 ${this.w} ${this.h}`);
  }

  // Labels beside their points, at the nearest place free of other labels and points.
  #labels(shown, there, words, X, Y, [top, bottom]) {
    const placed = [], still = shown.state.run === "kl" && shown.state.beta > 0; // no order with a penalty
    const short = words.length > 3, spots = there.map((k) => ({ from: X(k) - 8, to: X(k) + 8, y: Y(k), k }));
    for (const k of [...there].sort((a, b) => Y(b) - Y(a))) {
      const order = shown.hull.indexOf(k), nth = ["first", "second", "third"][order] ?? `as no. ${order + 1}`;
      const says = order < 0 ? "never leads" : shown.hull.length === 1 ? "leads throughout" : `leads ${nth}`;
      const name = short ? words[k].replace(/ \(.*/, "").replace("pattern", this.w < 460 ? "p." : "pattern") : words[k];
      const text = still ? name : `${name} ${says}`, wide = 7.2 * text.length;
      const at = (flip, y) => ({ k, text, anchor: flip ? "end" : "start", x: X(k) + (flip ? -13 : 13), from: X(k) + (flip ? -13 - wide : 13), to: X(k) + (flip ? -13 : 13 + wide), y });
      const hits = (one) => one.from < 46 || one.to > this.w || one.y < top || one.y > bottom
        || placed.some((other) => Math.abs(other.y - one.y) < 14 && one.from < other.to && other.from < one.to)
        || spots.some((spot) => spot.k !== k && Math.abs(spot.y - one.y) < 12 && one.from < spot.to && spot.from < one.to);
      const tries = Array.from({ length: 100 }, (_, i) => (i % 2 ? -1 : 1) * 2 * Math.ceil(i / 2)).flatMap((d) => [at(false, Y(k) + d), at(true, Y(k) + d)]);
      placed.push(tries.find((one) => !hits(one)) ?? at(X(k) + 13 + wide > this.w, Math.min(Math.max(Y(k), top), bottom)));
    }
    return placed;
  }

  draw(shown, pinned, room) {
    const { state } = shown, pays = rewards(state), words = names(state), [axis, edges, points] = this.pens;
    const heights = shown.base.policy.map((p, k) => (p > 0 ? -Math.log10(p) : -logPolicy(state)[k] / LN10));
    const there = heights.map((_, k) => k).filter((k) => Number.isFinite(heights[k]));
    const left = 46, right = this.w - room, top = 12, bottom = this.h - 40;
    const most = Math.max(1, Math.ceil(Math.max(...there.map((k) => heights[k])) + 0.15));
    const [low, high] = [Math.min(...pays), Math.max(...pays)], pad = Math.max((high - low) * 0.08, 0.02);
    const x = [Math.max(0, low - pad), Math.min(1, high + pad)];
    const X = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (right - left), Y = (v) => bottom - ((v + 0.1 * most) / (1.1 * most)) * (bottom - top);
    axis.draw((add) => {
      const step = Math.max(1, Math.ceil(most / Math.max(2, Math.floor((bottom - top) / 30))));
      for (let n = 0; n <= most; n += step) {
        add(`g${n}`, "line", { class: "grid", x1: left, x2: right, y1: Y(n), y2: Y(n) });
        add(`y${n}`, "text", { class: "tick", x: left - 7, y: Y(n) + 4, "text-anchor": "end" }, power(n));
      }
      for (const v of ticks(x[0], x[1], 5)) add(`x${v}`, "text", { class: "tick", x: X(v), y: bottom + 16, "text-anchor": "middle" }, String(v));
      add("xlabel", "text", { class: "tick", x: (left + right) / 2, y: this.h - 6, "text-anchor": "middle" }, `average pay of a pattern (${RUN_NAMES[state.run]})`);
      add("ylabel", "text", { class: "tick", transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "1 / base probability");
    });
    edges.draw((add) => {
      const xs = [], ys = [];
      shown.hull.slice(1).forEach((to, i) => {
        const from = shown.hull[i];
        for (const q of PARTS) {
          xs.push(X(pays[from] + (pays[to] - pays[from]) * q));
          ys.push(Y(onEdge(heights[from], heights[to], q)));
        }
      });
      if (xs.length) {
        add("area", "path", { class: "hullarea", d: `${path(xs, ys)}L${xs[xs.length - 1]} ${top}L${xs[0]} ${top}Z` });
        add("hull", "path", { class: "hulledge", d: path(xs, ys) });
      }
      if (pinned) {
        const own = rewards(pinned.state);
        pinned.base.policy.forEach((p, k) => { if (p > 0 && own[k] >= x[0] && own[k] <= x[1]) add(`pin${k}`, "circle", { class: `ring pinned pattern-${k}`, cx: X(own[k]), cy: Y(Math.min(-Math.log10(p), most)), r: 6 }); });
      }
    });
    points.draw((add) => {
      for (const { k, x: at, y, anchor, text } of this.#labels(shown, there, words, (k) => X(pays[k]), (k) => Y(heights[k]), [top, bottom - 4])) {
        const leads = shown.hull.includes(k), cx = X(pays[k]), cy = Y(heights[k]);
        add(`p${k}`, "circle", { class: `${leads ? "vertex" : "never"} pattern-${k}`, cx, cy, r: leads ? 6 : 5 });
        add(`t${k}`, "text", { class: `name halo pattern-${k}`, x: at, y: y + 4, "text-anchor": anchor }, text);
        if (Math.abs(y - cy) > 5) add(`l${k}`, "path", { class: "lead", d: `M${cx} ${cy.toFixed(1)}L${at + (anchor === "end" ? 2 : -2)} ${y.toFixed(1)}` });
      }
    });
    const inOrder = state.run === "kl" && state.beta > 0 ? "" : ` Leading in order: ${shown.hull.map((k) => words[k]).join(", then ")}.`;
    this.svg.setAttribute("aria-label", `Points of pay and 1 over base probability: ${there.map((k) => `${words[k]} ${few(pays[k])}, ${few(1 / shown.base.policy[k])}`).join("; ")}.${inOrder}`);
  }
}
