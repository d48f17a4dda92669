// What is drawn over time: policies, accuracies, and one accuracy by every clock.

import { bounds, valueAt } from "./chart.js";
import { few } from "./svg.js";
import { names, roles } from "./state.js";

export const RUN_NAMES = { rlvr: "RLVR", mixture: "mixture", rlif: "RLIF", kl: "RLVR + KL" };
export const CLOCK_NAMES = {
  "policy-gradient": "policy gradient", "grpo-2": "GRPO, G = 2", "grpo-4": "GRPO, G = 4",
  "grpo-8": "GRPO, G = 8", "grpo-16": "GRPO, G = 16", "grpo-64": "GRPO, G = 64",
  "grpo-inf": "GRPO, G = ∞", "pass-at-8": "pass@8", "rejection-sampling": "rejection sampling",
};
const SHORT = (name) => CLOCK_NAMES[name].replace("policy gradient", "PG").replace("rejection sampling", "rejection").replace("GRPO, G = ", "GRPO ");

// The run in focus, or RLVR where it is not there (no KL run without a KL penalty).
export const focus = (shown) => shown.runs[shown.state.run] ?? shown.runs.rlvr;

// Moments of the run in focus: T0 from the engine, the crossing from the curves.
export function moments(shown, numbers) {
  const { best } = roles(shown.state), found = {};
  const lead = focus(shown).leaders.find(([k]) => k === best);
  if (lead && lead[1] !== null) found.crossing = lead[1];
  const t0 = numbers?.numbers?.log10_t0;
  if (Number.isFinite(t0)) found["T₀"] = t0;
  return Object.entries(found).map(([label, x]) => ({ label, x }));
}

// Where the best pattern is rarest, if it is rarer there than at the base.
export function dip(shown) {
  const run = focus(shown), row = run.probs[roles(shown.state).best];
  let at = 0;
  row.forEach((p, i) => { if (p < row[at]) at = i; });
  if (at === 0 || at === row.length - 1 || row[at] > row[0] * 0.97) return null;
  return { x: run.log10_t[at], y: row[at], label: `dips to ${few(row[at])}` };
}

export function policyView(chart, { shown, numbers, pinned, cursor, span, room }) {
  const run = focus(shown), words = names(shown.state), { best } = roles(shown.state), low = dip(shown);
  const curves = [];
  if (pinned) focus(pinned).probs.forEach((v, k) => curves.push({ key: `pin${k}`, t: focus(pinned).log10_t, v, cls: `pattern-${k}`, faint: true }));
  const narrow = room < 110, many = words.length > 3;
  run.probs.forEach((v, k) => {
    const name = many ? words[k].replace("pattern", "p.") : words[k];
    curves.push({ key: `p${k}`, t: run.log10_t, v, cls: `pattern-${k}`, label: narrow ? name : words[k], short: name.replace(/ \(.*/, "") });
  });
  chart.draw({
    x: span, y: [0, 1], curves, cursor, room,
    marks: moments(shown, numbers).filter(({ x }) => x > span[0] && x < span[1]),
    dots: low && low.x > span[0] && low.x < span[1] ? [{ ...low, cls: `pattern-${best}` }] : [],
    ribbon: run.leaders.map(([k, t]) => ({ from: t, cls: `pattern-${k}` })),
  });
}

export function accuracyView(chart, { shown, pinned, sampled, cursor, span, room }) {
  const all = [shown.base.accuracy], curves = [], bands = [];
  const add = (run, key, cls, more) => {
    curves.push({ key, t: run.log10_t, v: run.accuracy, cls, ...more });
    all.push(Math.min(...run.accuracy), Math.max(...run.accuracy));
  };
  if (pinned) for (const [name, run] of Object.entries(pinned.runs)) add(run, `pin-${name}`, `run-${name}`, { faint: true });
  for (const [name, run] of Object.entries(shown.runs)) {
    const cls = `run-${name}${name === shown.state.run ? " focus" : ""}`;
    add(run, name, cls, { label: RUN_NAMES[name], short: name === "kl" ? "KL" : RUN_NAMES[name] });
  }
  if (sampled) {
    // From the first step that is saved to the last one: nothing was sampled outside.
    const { log10_t, until } = sampled, kept = (row) => row.filter((_, i) => log10_t[i] !== null);
    const t = kept(log10_t), q = Object.fromEntries(Object.entries(sampled.quantiles).map(([name, row]) => [name, kept(row)]));
    const cls = "sampled run-rlvr", last = 10 ** (until ?? t[t.length - 1]);
    bands.push({ key: "band", t, low: q["0.05"], high: q["0.95"], cls });
    curves.push({ key: "median", t, v: q["0.5"], cls, label: "64 seeds", short: "64 seeds", ends: `sampled up to t = ${few(+last.toPrecision(3))}` });
    all.push(Math.min(...q["0.05"]), Math.max(...q["0.95"]));
  }
  chart.draw({ x: span, y: bounds(all), curves, bands, cursor, room, levels: [{ y: shown.base.accuracy, label: "base model" }] });
}

export function clocksView(chart, { shown, pinned, cursor, span, room }) {
  const run = shown.runs.rlvr, narrow = chart.w < 460, factor = speeds(shown);
  const all = [Math.min(...run.accuracy), Math.max(...run.accuracy)], curves = [];
  for (const [name, t] of Object.entries(shown.clocks)) {
    const cls = `clock-${name}${name === shown.state.clock ? " focus" : ""}`, f = factor[name];
    const label = narrow ? SHORT(name) : CLOCK_NAMES[name];
    const times = name === "policy-gradient" || !Number.isFinite(f) ? "" : ` ×${few(+f.toPrecision(2))}`;
    curves.push({ key: name, t, v: run.accuracy, cls, label: label + times, short: SHORT(name), place: Number.isFinite(f) ? -Math.log(f) : 0 });
  }
  curves.sort((a, b) => a.cls.includes("focus") - b.cls.includes("focus"));
  if (pinned) curves.unshift({ key: "pin", t: pinned.runs.rlvr.log10_t, v: pinned.runs.rlvr.accuracy, cls: "run-rlvr", faint: true });
  chart.draw({ x: span, y: bounds(all), curves, cursor, room: narrow ? 106 : 168, list: true });
}

// By what factor each clock is sooner half way to its end than the policy gradient.
export function speeds(shown) {
  const run = shown.runs.rlvr, n = run.accuracy.length - 1, half = (run.accuracy[0] + run.accuracy[n]) / 2;
  const up = run.accuracy[n] >= run.accuracy[0];
  const at = run.accuracy.findIndex((a) => (up ? a >= half : a <= half));
  const base = shown.clocks["policy-gradient"][at];
  return Object.fromEntries(Object.entries(shown.clocks).map(([name, t]) => [name, 10 ** (base - t[at])]));
}

export function accuracyWords(shown) {
  return Object.entries(shown.runs).map(([name, run]) => `${RUN_NAMES[name]} ${few(run.accuracy[run.accuracy.length - 1])}`).join(", ");
}


// An axis of time for the clocks: from the fastest to the policy gradient and the chosen one.
export function clockSpan(shown, [low, high]) {
  const run = shown.runs.rlvr.accuracy, first = run[0], last = run[run.length - 1], size = Math.abs(last - first);
  if (size < 1e-6) return [low, high];
  const begins = run.findIndex((a) => Math.abs(a - first) > 0.02 * size), ends = run.findIndex((a) => Math.abs(a - last) < 0.02 * size);
  const finite = Object.values(shown.clocks).map((t) => t[begins]).filter(Number.isFinite);
  const stops = ["policy-gradient", shown.state.clock].map((name) => shown.clocks[name][ends]).filter(Number.isFinite);
  if (!finite.length || !stops.length) return [low, high];
  const from = Math.floor(Math.min(...finite)), to = Math.ceil(Math.max(...stops) + 0.2);
  return [from, Math.max(to, from + 2)];
}

// The policy of the run in focus at a time, in words.
export function policyWords(shown, cursor) {
  const run = focus(shown), words = names(shown.state);
  const at = (row) => (cursor === null ? row[row.length - 1] : valueAt(run.log10_t, row, cursor));
  const when = cursor === null ? "at the end" : `at t = ${few(10 ** cursor)}`;
  return `${RUN_NAMES[shown.state.run]} ${when}: ${run.probs.map((row, k) => `${words[k]} ${few(at(row))}`).join(", ")}`;
}
