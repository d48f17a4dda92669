// The base model as a handle, the paths of training from it, and the flow behind them.

import { Pen, dart, few, layer, path, power } from "./svg.js";
import { PLANE, drift, layout, logShares, shares, withShares } from "./geometry.js";
import { names, policy, rewards, roles } from "./state.js";
import { valueAt } from "./chart.js";

const REACH = 22; // pixels around the handle that take a finger
const LN10 = Math.log(10);
const STEP = 4; // pixels of an arrow key

export class Simplex {
  // `moved(state, moving)`: the reader moved the base model.
  constructor(svg, moved) {
    Object.assign(this, { svg, moved, state: null, shown: null, pinned: null, cursor: null, touched: false });
    this.pens = Object.fromEntries(["ground", "flow", "paths", "words", "rings"].map((name) => [name, new Pen(layer(svg, name))]));
    const defs = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "defs"));
    this.clip = defs.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "clipPath"));
    this.clip.id = "plane-clip";
    this.clip.append(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    this.reach = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
    this.handle = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
    this.reach.setAttribute("class", "reach");
    this.reach.setAttribute("r", REACH);
    for (const [name, value] of Object.entries({ class: "handle", r: 9, tabindex: 0, role: "slider", "aria-label": "Base model. Arrow keys move it, with shift in larger steps", "aria-valuemin": 0, "aria-valuemax": 1, "aria-orientation": "vertical" })) this.handle.setAttribute(name, value);
    svg.addEventListener("pointerdown", (e) => this.#down(e));
    svg.addEventListener("pointermove", (e) => { if (this.held === e.pointerId) this.#to(this.#point(e), true); });
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (e) => this.#up(e));
    this.handle.addEventListener("keydown", (e) => this.#key(e));
    this.measure();
  }

  measure() {
    const box = this.svg.getBoundingClientRect();
    this.w = Math.max(240, Math.round(box.width));
    this.h = Math.max(160, Math.round(box.height));
    this.svg.setAttribute("viewBox", `0 0 ${this.w} ${this.h}`);
  }

  // ---- hands ---------------------------------------------------------------------------

  #point(event) {
    const box = this.svg.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.w, ((event.clientY - box.top) / box.height) * this.h];
  }

  #down(event) {
    const [x, y] = this.#point(event), on = event.target === this.handle || event.target === this.reach;
    if (event.button || (event.pointerType === "touch" && !on)) return;
    this.held = event.pointerId;
    this.svg.setPointerCapture(event.pointerId);
    this.handle.focus({ preventScroll: true });
    this.grip = on ? [x - this.place[0], y - this.place[1]] : [0, 0];
    if (!on) this.#to([x, y], true);
    event.preventDefault();
  }

  #up(event) {
    if (this.held !== event.pointerId) return;
    this.held = undefined;
    this.moved(this.state, false);
  }

  #to([x, y], moving) {
    const [dx, dy] = this.grip ?? [0, 0];
    this.touched = true;
    this.moved(withShares(this.state, this.map.back([x - dx, y - dy])), moving);
  }

  #key(event) {
    const go = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!go || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEP * (event.shiftKey ? 5 : 1), [x, y] = this.place;
    this.grip = [0, 0];
    this.#to([x + go[0] * step, y + go[1] * step], false);
    event.preventDefault();
  }

  // ---- drawing -------------------------------------------------------------------------

  // The handle at once; `drawPaths` follows when the curves come.
  drawBase(state) {
    const before = this.state;
    this.state = state;
    this.map = layout(state, this.w, this.h);
    this.place = this.map.of(logShares(state));
    this.#far(state);
    this.handle.classList.toggle("far", this.far.length > 0);
    if (this.map.kind === "plane") {
      const { box } = this.map;
      for (const [name, value] of [["x", box.left], ["y", box.top], ["width", box.right - box.left], ["height", box.bottom - box.top]]) this.clip.firstChild.setAttribute(name, value);
      this.place = [Math.min(Math.max(this.place[0], box.left), box.right), Math.min(Math.max(this.place[1], box.top), box.bottom)];
    }
    for (const node of [this.reach, this.handle]) {
      node.setAttribute("cx", this.place[0].toFixed(2));
      node.setAttribute("cy", this.place[1].toFixed(2));
    }
    const p = policy(state), words = names(state);
    this.handle.setAttribute("aria-valuenow", +p[roles(state).best].toPrecision(4));
    this.handle.setAttribute("aria-valuetext", p.map((q, k) => `${words[k]} ${few(q)}`).join(", "));
    const key = JSON.stringify([this.w, this.h, state.view, state.success_rates, rewards(state), state.logits.length > 3 && state.logits]);
    if (key !== this.key || !before) { this.key = key; this.#ground(); this.#flow(); }
    this.#rings();
  }

  // Which of its log-ratios lie beyond the axes, and on which side.
  #far(state) {
    const { kind, odds } = this.map, logs = logShares(state), who = names(state, false).map((text) => text.replace(/ \(.*/, ""));
    const { best, rival, rest } = roles(state), third = rest.length > 1 ? "the rest" : who[rest[0]];
    const row = kind === "plane" ? [[0, PLANE.x, [1, 0], who[best]], [2, PLANE.y, [0, -1], third]] : odds ? [[0, PLANE.x, [1, 0], who[best]]] : [];
    this.far = row.map(([i, [low, high], [dx, dy], name]) => {
      const v = (logs[i] - logs[1]) / LN10, side = v < low - 1e-9 ? -1 : v > high + 1e-9 ? 1 : 0;
      const text = Number.isFinite(v) ? power(Math.round(v)) : v < 0 ? "0" : "∞";
      return { side, dx: dx * side, dy: dy * side, text: `π(${name}) : π(${who[rival]}) = ${text}` };
    }).filter(({ side }) => side);
  }

  drawPaths(shown, pinned, cursor) {
    Object.assign(this, { shown, pinned, cursor });
    const { map } = this;
    const place = (state, probs, i) => map.at(shares(state, probs.map((row) => row[i])));
    this.pens.paths.draw((add) => {
      const one = (key, state, run, cls) => {
        const points = run.log10_t.map((_, i) => place(state, run.probs, i));
        const clipped = map.kind === "plane" ? { "clip-path": "url(#plane-clip)" } : {};
        add(key, "path", { class: cls, d: path(points.map((q) => q[0]), points.map((q) => q[1])), ...clipped });
        return points.filter((q) => this.#visible(q));
      };
      if (map.kind === "segment") return this.#lanes(add, shown, cursor);
      if (pinned) for (const [name, run] of Object.entries(pinned.runs)) one(`pin-${name}`, pinned.state, run, `curve faint run-${name}`);
      const order = Object.keys(shown.runs).filter((name) => name !== shown.state.run).reverse();
      for (const name of [...order, shown.state.run].filter((name) => shown.runs[name])) {
        const points = one(name, shown.state, shown.runs[name], `curve run-${name}${name === shown.state.run ? " focus" : ""}`);
        const head = this.#head(points);
        if (head) add(`head-${name}`, "path", { class: `head run-${name}`, d: head });
      }
      if (cursor !== null) for (const [name, run] of Object.entries(shown.runs)) {
        const probs = run.probs.map((row) => valueAt(run.log10_t, row, cursor)), [x, y] = map.at(shares(shown.state, probs));
        if (this.#visible([x, y])) add(`bead-${name}`, "circle", { class: `bead run-${name}`, cx: x, cy: y, r: 4.5 });
      }
    });
    this.#rings();
  }

  #visible([x, y]) {
    const { box } = this.map;
    return this.map.kind !== "plane" || (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
  }

  // An arrow head half way along a path.
  #head(points) {
    const far = [0];
    for (let i = 1; i < points.length; i++) far.push(far[i - 1] + Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]));
    const total = far[far.length - 1];
    if (!(total > 40)) return null;
    const i = far.findIndex((d) => d > total * 0.5), [x, y] = points[i], j = Math.max(0, far.findIndex((d) => d > total * 0.5 - 8) - 1);
    return dart(x, y, x - points[j][0], y - points[j][1], 0, 5.5);
  }

  #ground() {
    const { map, state, w, h } = this, words = names(state), { order, best, rival } = roles(state);
    const who = names(state, false).map((text) => text.replace(/ \(.*/, "")), lead = order.length > 3 ? who : words;
    this.pens.ground.draw((add) => {
      if (map.kind === "triangle") {
        const [a, b, c] = map.corners, mid = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
        const centre = [(a[0] + b[0] + c[0]) / 3, (a[1] + b[1] + c[1]) / 3], poly = (...ps) => "M" + ps.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L") + "Z";
        if (order.length === 3) [[a, b, c], [b, c, a], [c, a, b]].forEach(([p, q, r], i) => add(`area${i}`, "path", { class: `area pattern-${order[i]}`, d: poly(p, mid(p, q), centre, mid(p, r)) }));
        add("edge", "path", { class: "edge", d: poly(a, b, c) });
        if (order.length === 3) this.#level(add, map.corners, order.map((k) => state.success_rates[k]));
      } else if (map.kind === "plane") this.#plane(add);
    });
    this.pens.words.draw((add) => {
      const word = (k) => `${words[k]}${order.length > 3 ? "" : `: ${+state.success_rates[k].toFixed(3)}`}`, half = (text) => 3.8 * text.length;
      if (map.kind === "triangle") {
        const [a, b, c] = map.corners, third = order.length > 3 ? "the rest" : word(order[2]);
        add("a", "text", { class: `corner pattern-${best}`, x: a[0], y: a[1] - 10, "text-anchor": "middle" }, word(best));
        add("b", "text", { class: `corner pattern-${rival}`, x: Math.min(b[0], w - half(word(rival))), y: b[1] + 20, "text-anchor": "middle" }, word(rival));
        add("c", "text", { class: order.length > 3 ? "corner quiet" : `corner pattern-${order[2]}`, x: Math.max(c[0], half(third)), y: c[1] + 20, "text-anchor": "middle" }, third);
      } else if (map.kind === "segment") {
        const { box } = map;
        add("b", "text", { class: `corner halo pattern-${rival}`, x: box.left, y: box.y + 42, "text-anchor": "start" }, word(rival));
        add("a", "text", { class: `corner halo pattern-${best}`, x: box.right, y: box.y + 42, "text-anchor": "end" }, word(best));
        add("edge", "line", { class: "edge", x1: box.left, x2: box.right, y1: box.y, y2: box.y });
        const marks = map.odds ? [-12, -8, -4, 0, 4].map((n) => [(n + 12) / 16, power(n)]) : [0, 0.25, 0.5, 0.75, 1].map((v) => [v, String(v)]);
        for (const [v, text] of marks) {
          add(`m${text}`, "line", { class: "tickmark", x1: map.X(v), x2: map.X(v), y1: box.y, y2: box.y + 5 });
          add(`t${text}`, "text", { class: "tick halo", x: map.X(v), y: box.y + 20, "text-anchor": "middle" }, text);
        }
        add("axis", "text", { class: "tick halo", x: (box.left + box.right) / 2, y: box.y + 42, "text-anchor": "middle" }, map.odds ? `odds π(${who[best]}) : π(${who[rival]})` : `probability of ${who[best]}`);
      } else {
        const { box } = map;
        add("x", "text", { class: "tick", x: (box.left + box.right) / 2, y: h - 6, "text-anchor": "middle" }, `π(${who[best]}) : π(${who[rival]})`);
        add("y", "text", { class: "tick", transform: `translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, `π(${order.length > 3 ? "the rest" : who[order[2]]}) : π(${who[rival]})`);
        const place = [[map.X(2.2), map.Y(-5), best, `${lead[best]} leads`], [map.X(-6), map.Y(-8), rival, `${lead[rival]} leads`], [map.X(-6), map.Y(2.2), order[2], order.length > 3 ? "the rest lead" : `${words[order[2]]} leads`]];
        place.forEach(([x, y, k, text], i) => add(`lead${i}`, "text", { class: order.length > 3 && i === 2 ? "corner quiet" : `corner pattern-${k}`, x, y, "text-anchor": "middle" }, text));
      }
    });
  }

  #plane(add) {
    const { map, state } = this, { box, X, Y } = map, { order } = roles(state), o = [X(0), Y(0)], d = (ps) => "M" + ps.map((p) => p.join(" ")).join("L") + "Z";
    const high = Math.min(PLANE.x[1], PLANE.y[1]);
    add("area0", "path", { class: `area pattern-${order[0]}`, d: d([o, [X(0), box.bottom], [box.right, box.bottom], [X(high), Y(high)]]) });
    add("area1", "path", { class: `area pattern-${order[1]}`, d: d([o, [box.left, o[1]], [box.left, box.bottom], [o[0], box.bottom]]) });
    add("area2", "path", { class: order.length > 3 ? "area quiet" : `area pattern-${order[2]}`, d: d([o, [X(high), Y(high)], [box.left, box.top], [box.left, o[1]]]) });
    add("edge", "rect", { class: "edge", x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top });
    for (let n = PLANE.x[0]; n <= PLANE.x[1]; n += 2) add(`x${n}`, "text", { class: "tick", x: X(n), y: box.bottom + 15, "text-anchor": "middle" }, power(n));
    for (let n = PLANE.y[0]; n <= PLANE.y[1]; n += 2) add(`y${n}`, "text", { class: "tick", x: box.left - 6, y: Y(n) + 4, "text-anchor": "end" }, power(n));
  }

  // Where accuracy is the rival's rate: what a path crosses at T0.
  #level(add, [a, b, c], [best, rival, bad]) {
    if (!(best > rival && rival > bad)) return;
    const share = (rival - bad) / (best - bad), to = [c[0] + share * (a[0] - c[0]), c[1] + share * (a[1] - c[1])];
    add("level", "line", { class: "mark", x1: b[0], y1: b[1], x2: to[0], y2: to[1] });
    add("leveltext", "text", { class: "note", x: to[0] - 6, y: to[1] + 4, "text-anchor": "end" }, "T₀");
  }

  #flow() {
    const { map, state } = this, pays = rewards(state), darts = [], spots = [];
    if (map.kind === "triangle") {
      const n = 14;
      for (let i = 0; i < n; i++) for (let j = 0; j < n - i; j++) {
        const p = [(i + 1 / 3) / n, (j + 1 / 3) / n];
        spots.push([...p, 1 - p[0] - p[1]].map(Math.log));
      }
    } else if (map.kind === "plane") {
      const { box } = map;
      for (let i = 0; i < 13; i++) for (let j = 0; j < 13; j++) spots.push(map.back([box.left + ((i + 0.5) / 13) * (box.right - box.left), box.top + ((j + 0.5) / 13) * (box.bottom - box.top)]));
    }
    for (const logs of spots) {
      const v = drift(state, pays, logs), [x, y] = map.of(logs), size = map.kind === "triangle" ? 0.1 : 1e-3 / Math.max(...v.map(Math.abs), 1e-300);
      const to = map.of(logs.map((l, i) => l + v[i] * size)), dx = to[0] - x, dy = to[1] - y, length = Math.hypot(dx, dy);
      if (!(length > 1e-9)) continue;
      const far = map.kind === "triangle" ? 6 + 10 * Math.min(1, length / 1.4) : 11;
      darts.push(dart(x, y, dx, dy, far, 3));
    }
    this.pens.flow.draw((add) => add("field", "path", { class: "flow", d: darts.join("") }));
  }

  // Two patterns: how fast each run moves from every place, and an arrow of where it goes.
  #lanes(add, shown, cursor) {
    const { map, h } = this, { box } = map, runs = Object.entries(shown.runs).filter(([name]) => name !== "kl");
    const places = Array.from({ length: 61 }, (_, i) => box.left + (i / 60) * (box.right - box.left));
    const speeds = runs.map(([name]) => places.map((x) => {
      const logs = map.back([x, 0]), v = drift(shown.state, rewards(shown.state, name), logs);
      return map.odds ? v[0] - v[1] : Math.exp(logs[0]) * v[0];
    }));
    const most = Math.max(...speeds.flat().map(Math.abs), 1e-300), high = box.y - 40;
    runs.forEach(([name], i) => add(`speed-${name}`, "path", { class: `curve thin run-${name}`, d: path(places, speeds[i].map((v) => box.y - (v / most) * high)) }));
    add("speedword", "text", { class: "tick", x: (box.left + box.right) / 2, y: box.y - high - 10, "text-anchor": "middle" }, "speed towards the best pattern, by where the model is");
    Object.entries(shown.runs).forEach(([name, run], i) => {
      const y = h - 92 + i * 27, x = (j) => map.at(shares(shown.state, run.probs.map((row) => row[j])))[0], n = run.log10_t.length - 1;
      add(name, "line", { class: `curve run-${name}${name === shown.state.run ? " focus" : ""}`, x1: x(0), x2: x(n), y1: y, y2: y });
      add(`head-${name}`, "path", { class: `head run-${name}`, d: dart(x(n), y, x(n) - x(0) || 1, 0, 0, 6) });
      add(`word-${name}`, "text", { class: `note halo run-${name}`, x: (box.left + box.right) / 2, y: y - 6, "text-anchor": "middle" }, { rlvr: "RLVR", mixture: "mixture", rlif: "RLIF", kl: "RLVR + KL" }[name]);
      if (cursor !== null) add(`bead-${name}`, "circle", { class: `bead run-${name}`, cx: map.at(shares(shown.state, run.probs.map((row) => valueAt(run.log10_t, row, cursor))))[0], cy: y, r: 4.5 });
    });
  }

  #rings() {
    const { map, shown, pinned, place } = this;
    this.pens.rings.draw((add) => {
      this.far.forEach(({ dx, dy, text }, i) => {
        const [x, y] = place, left = x < this.w / 2;
        add(`far${i}`, "path", { class: "far", d: dart(x + 5 * dx, y + 5 * dy, dx, dy, 0, 10) });
        add(`farword${i}`, "text", { class: "note halo farword", x: x + (left ? 16 : -16), y: Math.min(Math.max(y - 12, 26), this.h - 60) + 16 * i, "text-anchor": left ? "start" : "end" }, text);
      });
      if (pinned) {
        const [x, y] = map.of(logShares(pinned.state));
        if (this.#visible([x, y])) add("pinned", "circle", { class: "ring pinned", cx: x, cy: y, r: 7 });
      }
      if (shown && this.state.dose > 0 && shown.state.logits.length === this.state.logits.length) {
        const [x, y] = map.at(shares(shown.state, shown.base.policy));
        if (this.#visible([x, y]) && Math.hypot(x - place[0], y - place[1]) > 3) {
          add("sft", "line", { class: "mark", x1: place[0], y1: place[1], x2: x, y2: y });
          add("after", "circle", { class: "ring after", cx: x, cy: y, r: 6 });
          add("afterword", "text", { class: "note halo", x: x + 10, y: y + 4 }, "after SFT");
        }
      }
      const rare = policy(this.state)[roles(this.state).best] < 0.005 && this.state.view === "simplex";
      if (rare) ["The best pattern is", "too rare to see here:", "look at “log”."].forEach((line, i) => add(`rare${i}`, "text", { class: "note", x: 0, y: 16 + 16 * i }, line));
      if (!this.touched && !this.far.length) {
        const low = map.kind === "segment" || place[1] > this.h - 70;
        add("hint", "text", { class: "hint halo", x: place[0], y: place[1] + (low ? -17 : 27), "text-anchor": "middle" }, "drag me");
      }
    });
  }
}
