// The state is the address: what is shown, as numbers and names behind `#`.
// Python decides what is allowed (`experiments/explorer/state.py`); this is the same table.

export const VERSION = "1", MOST = 8;
const CLOCKS = [
  "policy-gradient", "grpo-2", "grpo-4", "grpo-8", "grpo-16", "grpo-64", "grpo-inf",
  "pass-at-8", "rejection-sampling",
];

export const FIELDS = {
  success_rates: { letter: "s", words: "success rates", range: [0, 1], many: true },
  logits: { letter: "l", words: "logits", range: [-700, 700], many: true },
  confidences: { letter: "c", words: "confidences", range: [0, 1], many: true },
  weight: { letter: "w", words: "weight of confidence", range: [0, 1] },
  errors: { letter: "n", words: "errors of the verifier", range: [0, 1], many: true },
  clock: { letter: "u", words: "clock", names: CLOCKS },
  beta: { letter: "b", words: "weight of the KL penalty", range: [0, 10] },
  dose: { letter: "d", words: "SFT dose", range: [0, 1000] },
  run: { letter: "r", words: "run", names: ["rlvr", "mixture", "rlif", "kl"] },
  map: { letter: "map", words: "map", names: ["quality", "bad-mass", "mixture", "noise", "dose"] },
  view: { letter: "view", words: "view", names: ["simplex", "logits"] },
};

export const START = Object.freeze({
  success_rates: [0.9, 0.6, 0.1], logits: [-2.995732, -0.356675, -1.386294], confidences: [0.5, 0.75, 0.6],
  weight: 0.5, errors: [0, 0], clock: "policy-gradient", beta: 0, dose: 0,
  run: "rlvr", map: "quality", view: "simplex", rest: [],
});

// A message for the reader, one line.
export class StateError extends Error {}

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

function number(text) {
  if (/^\s*[+-]?(inf|infinity)\s*$/i.test(text)) return text.includes("-") ? -Infinity : Infinity;
  return NUMBER.test(text) ? Number(text) : NaN;
}

function read(field, text) {
  const given = `${field.words} (${field.letter})`;
  if (field.names) {
    if (field.names.includes(text)) return text;
    throw new StateError(`${given} "${text}" is unknown; choose from ${field.names.join(", ")}.`);
  }
  const numbers = text.split(",").map(number);
  if (numbers.some(Number.isNaN) || (numbers.length > 1 && !field.many)) {
    const one = field.many ? "numbers joined by commas" : "one number";
    throw new StateError(`${given} "${text}": give ${one}.`);
  }
  const [low, high] = field.range;
  const never = (x) => field.letter === "l" && x === -Infinity;
  const wrong = numbers.find((x) => !(x >= low && x <= high) && !never(x));
  if (wrong !== undefined) throw new StateError(`${given} ${wrong}: give ${low} to ${high}.`);
  return field.many ? numbers : numbers[0];
}

// The state of a fragment, with or without `#`; what it leaves out is as at the start.
export function parse(text) {
  const byLetter = Object.fromEntries(Object.entries(FIELDS).map(([n, f]) => [f.letter, n]));
  const state = { ...START, rest: [] };
  for (const [letter, value] of new URLSearchParams(text.replace(/^#/, ""))) {
    const name = Object.hasOwn(byLetter, letter) ? byLetter[letter] : null;
    if (letter === "v") {
      if (value !== VERSION) throw new StateError(`state of version "${value}"; this explorer reads ${VERSION}.`);
    } else if (name) state[name] = read(FIELDS[name], value);
    else state.rest.push([letter, value]);
  }
  const K = state.success_rates.length;
  if (K < 2 || K > MOST) throw new StateError(`${K} success rates (s); give 2 to ${MOST}.`);
  for (const [name, size] of [["logits", K], ["confidences", K], ["errors", 2]]) {
    const { words, letter } = FIELDS[name], given = state[name].length;
    if (given !== size) throw new StateError(`${given} ${words} (${letter}); give ${size} numbers.`);
  }
  if (Math.max(...state.logits) === -Infinity) throw new StateError("logits (l): one at least must be finite.");
  return state;
}

const quote = (text) =>
  encodeURIComponent(text).replace(/%2F/g, "/").replace(/[!*'()]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

// The fragment, with `#`. Numbers as `String` writes them are read back the same.
export function fragment(state) {
  const parts = [`v=${VERSION}`];
  for (const [name, field] of Object.entries(FIELDS)) parts.push(`${field.letter}=${[state[name]].flat().map(String).join(",")}`);
  for (const [key, text] of state.rest) parts.push(`${quote(key)}=${quote(text)}`);
  return "#" + parts.join("&");
}

// The fields as the server takes them; a logit of minus infinity is null.
export function toJson(state) {
  const fields = Object.fromEntries(Object.keys(FIELDS).map((name) => [name, state[name]]));
  return { ...fields, logits: state.logits.map((x) => (x === -Infinity ? null : x)) };
}

export function fromJson(given, rest = []) {
  return { ...START, ...given, logits: given.logits.map((x) => (x === null ? -Infinity : x)), rest };
}

export const extra = (state, key) => state.rest.find(([name]) => name === key)?.[1] ?? null;

export function withExtra(state, key, value) {
  const rest = state.rest.filter(([name]) => name !== key);
  return { ...state, rest: value === null ? rest : [...rest, [key, value]] };
}

// ---- who is who ------------------------------------------------------------------------

// Patterns by role; of equal ones the first. `rest`: all but best and rival.
export function roles(state) {
  const rates = state.success_rates, all = rates.map((_, k) => k);
  const drawn = all.filter((k) => state.logits[k] > -Infinity);
  const top = (ks) => ks.reduce((a, b) => (rates[b] > rates[a] ? b : a));
  const best = top(drawn), lower = drawn.filter((k) => rates[k] < rates[best]);
  const others = all.filter((k) => k !== best);
  const rival = top(lower.length ? lower : others);
  const rest = others.filter((k) => k !== rival).sort((a, b) => rates[b] - rates[a] || a - b);
  const worst = lower.length ? lower.reduce((a, b) => (rates[b] < rates[a] ? b : a)) : drawn[0];
  return { best, rival, rest, worst, order: [best, rival, ...rest], still: !lower.length };
}

// Names of up to three patterns say who they are, and `numbered` which; those of more, their rate.
export function names(state, numbered = true) {
  const rates = state.success_rates, { best, rival } = roles(state);
  if (rates.length > 3) return rates.map((s, k) => `pattern ${k} (${+s.toFixed(3)})`);
  if (rates.every((s) => s === rates[0])) return rates.map((_, k) => `pattern ${k}`);
  const word = (s, k) => {
    if (k === best) return "best";
    if (state.logits[k] === -Infinity) return "never drawn";
    if (s === rates[best]) return "best too";
    if (k === rival) return "rival";
    return s === rates[rival] ? "rival too" : "bad";
  };
  return rates.map((s, k) => word(s, k) + (numbered ? ` (${k})` : ""));
}

export function logPolicy(state) {
  const top = Math.max(...state.logits);
  const sum = top + Math.log(state.logits.reduce((total, x) => total + Math.exp(x - top), 0));
  return state.logits.map((x) => x - sum);
}
export const policy = (state) => logPolicy(state).map(Math.exp);

// What a run pays each pattern on average; without its KL penalty.
export function rewards(state, run = state.run) {
  if (run === "rlvr" || run === "kl") {
    const [positive, negative] = state.errors;
    return state.success_rates.map((s) => positive + (1 - positive - negative) * s);
  }
  const w = run === "mixture" ? state.weight : 1;
  return state.success_rates.map((s, k) => (1 - w) * s + w * state.confidences[k]);
}

// ---- changes ---------------------------------------------------------------------------

const LEAST = -700;
export const short = (x, digits = 4) => (Number.isFinite(x) ? +x.toFixed(digits) : x);
const asLogit = (x) => (x === -Infinity ? x : short(Math.max(x, LEAST)));
export const replaced = (row, k, value) => row.map((old, j) => (j === k ? value : old));

// Base model with these log-probabilities (up to a constant).
export const withLogs = (state, logs) => ({ ...state, logits: logs.map(asLogit) });

// One pattern gets probability p, the others keep their proportions.
export function withProbability(state, k, p) {
  const logs = logPolicy(state), others = Math.log(-Math.expm1(logs[k]));
  const left = Math.log1p(-p);
  if (others === -Infinity) return withLogs(state, logs.map((_, j) => (j === k ? Math.log(p) : left - Math.log(logs.length - 1))));
  return withLogs(state, logs.map((x, j) => (j === k ? Math.log(p) : x - others + left)));
}

export function withPattern(state) {
  const K = state.success_rates.length;
  const share = 1 / (K + 1), logs = logPolicy(state).map((x) => x + Math.log1p(-share));
  const { rival, best } = roles(state), s = state.success_rates;
  const between = short((s[rival] + s[best]) / 2, 2);
  return withLogs({
    ...state,
    success_rates: [...s, s.includes(between) ? 0.3 : between],
    confidences: [...state.confidences, 0.5],
  }, [...logs, Math.log(share)]);
}

export function withoutPattern(state, k) {
  const keep = (row) => row.filter((_, j) => j !== k);
  const logits = keep(state.logits);
  return {
    ...state, success_rates: keep(state.success_rates), confidences: keep(state.confidences),
    logits: Math.max(...logits) === -Infinity ? logits.map(() => 0) : logits,
  };
}
