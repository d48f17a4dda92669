// Where a policy lies on the page, and back: a triangle, a plane of log-ratios, or a segment.
// All see a policy as shares of best, rival and the rest.

import { logPolicy, roles, withLogs } from "./state.js";

const LN10 = Math.log(10);
export const PLANE = { x: [-12, 4], y: [-12, 4] }; // log10 of best/rival and of rest/rival
const LEAST = 1e-3; // share that a drag in the triangle leaves to each

const logSum = (logs) => {
  const top = Math.max(...logs);
  return top === -Infinity ? top : top + Math.log(logs.reduce((sum, x) => sum + Math.exp(x - top), 0));
};

// Log-shares of best, rival and rest (two of them where there are two patterns).
export function logShares(state, logs = logPolicy(state)) {
  const { best, rival, rest } = roles(state);
  const own = [logs[best], logs[rival]];
  return rest.length ? [...own, logSum(rest.map((k) => logs[k]))] : own;
}

export function shares(state, probs) {
  const { best, rival, rest } = roles(state);
  const own = [probs[best], probs[rival]];
  return rest.length ? [...own, rest.reduce((sum, k) => sum + probs[k], 0)] : own;
}

// The state whose base model has these log-shares; the rest keep their proportions.
export function withShares(state, logs3) {
  const { best, rival, rest } = roles(state), logs = logPolicy(state);
  const before = logSum(rest.map((k) => logs[k]));
  const total = logSum(logs3);
  return withLogs(state, logs.map((x, k) => {
    if (k === best) return logs3[0] - total;
    if (k === rival) return logs3[1] - total;
    const own = before === -Infinity ? -Math.log(rest.length) : x - before;
    return own + logs3[2] - total;
  }));
}

// A triangle in a box of w x h: best on top, rival right, rest left.
function triangle(w, h) {
  const top = 26, bottom = 30, side = Math.min(w - 56, (h - top - bottom) / 0.866);
  const x = w / 2, y = top + (h - top - bottom - side * 0.866) / 2;
  const corners = [[x, y], [x + side / 2, y + side * 0.866], [x - side / 2, y + side * 0.866]];
  const [[ax, ay], [bx, by], [cx, cy]] = corners;
  const det = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy);
  const at = (p) => [p[0] * ax + p[1] * bx + p[2] * cx, p[0] * ay + p[1] * by + p[2] * cy];
  return {
    kind: "triangle", corners, at, of: (logs) => at(logs.map(Math.exp)),
    back([px, py]) {
      const a = ((by - cy) * (px - cx) + (cx - bx) * (py - cy)) / det;
      const b = ((cy - ay) * (px - cx) + (ax - cx) * (py - cy)) / det;
      const p = [a, b, 1 - a - b].map((q) => Math.max(q, LEAST)), sum = p[0] + p[1] + p[2];
      return p.map((q) => Math.log(q / sum));
    },
  };
}

const clamp = (x, [low, high]) => Math.min(Math.max(x, low), high);

// The plane of log-ratios, for models whose best pattern is rare.
function plane(w, h) {
  const box = { left: 56, right: w - 14, top: 14, bottom: h - 42 };
  const X = (v) => box.left + ((v - PLANE.x[0]) / (PLANE.x[1] - PLANE.x[0])) * (box.right - box.left);
  const Y = (v) => box.bottom - ((v - PLANE.y[0]) / (PLANE.y[1] - PLANE.y[0])) * (box.bottom - box.top);
  const of = (logs) => [
    X(clamp((logs[0] - logs[1]) / LN10, [-99, 99])), Y(clamp((logs[2] - logs[1]) / LN10, [-99, 99])),
  ];
  return {
    kind: "plane", box, X, Y, of, at: (p) => of(p.map(Math.log)),
    back([px, py]) {
      const x = PLANE.x[0] + ((px - box.left) / (box.right - box.left)) * (PLANE.x[1] - PLANE.x[0]);
      const y = PLANE.y[0] + ((box.bottom - py) / (box.bottom - box.top)) * (PLANE.y[1] - PLANE.y[0]);
      const logs = [LN10 * clamp(x, PLANE.x), 0, LN10 * clamp(y, PLANE.y)], total = logSum(logs);
      return logs.map((v) => v - total);
    },
  };
}

// Two patterns: a segment from rival to best, in shares or in log-odds.
function segment(w, h, odds) {
  const box = { left: 30, right: w - 30, y: h * 0.4 }, [low, high] = PLANE.x;
  const X = (v) => box.left + v * (box.right - box.left);
  const place = (logs) => (odds ? (clamp((logs[0] - logs[1]) / LN10, PLANE.x) - low) / (high - low) : Math.exp(logs[0]));
  return {
    kind: "segment", odds, box, X,
    of: (logs) => [X(place(logs)), box.y], at: (p) => [X(place(p.map(Math.log))), box.y],
    back([px]) {
      const v = clamp((px - box.left) / (box.right - box.left), [0, 1]);
      const x = odds ? LN10 * (low + v * (high - low)) : Math.log(clamp(v, [LEAST, 1 - LEAST]) / (1 - clamp(v, [LEAST, 1 - LEAST])));
      const total = logSum([x, 0]);
      return [x - total, -total];
    },
  };
}

export function layout(state, w, h) {
  if (state.success_rates.length === 2) return segment(w, h, state.view === "logits");
  return state.view === "logits" ? plane(w, h) : triangle(w, h);
}

// How log-shares move under the policy gradient with rewards r, at these log-shares.
export function drift(state, pays, logs3) {
  const at = logPolicy(withShares(state, logs3)), p = at.map(Math.exp);
  const mean = p.reduce((sum, q, k) => sum + q * pays[k], 0);
  const speed = p.map((q, k) => q * (pays[k] - mean));
  const pull = p.reduce((sum, q, k) => sum + q * speed[k], 0);
  const logs = speed.map((v) => v - pull), { best, rival, rest } = roles(state);
  if (!rest.length) return [logs[best], logs[rival]];
  const mass = rest.reduce((sum, k) => sum + p[k], 0);
  const third = mass > 0 ? rest.reduce((sum, k) => sum + p[k] * logs[k], 0) / mass : 0;
  return [logs[best], logs[rival], third];
}
