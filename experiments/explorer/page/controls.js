// Sliders that say in plain words what they move; each has a field to type a number into.

import { few } from "./svg.js";
import { MOST, names, policy, replaced, withPattern, withProbability, withoutPattern } from "./state.js";

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// ---- scales: from a value to a place of the slider, and back ------------------------------

const digits = (x, n) => +Number(x).toPrecision(n);
const part = { min: 0, max: 1, step: 0.01, to: (v) => v, from: (x) => x };
const odds = {  // of a probability, by its log-odds: from 1e-12
  min: -12, max: 4, step: 0.05,
  to: (p) => Math.log10(p / (1 - p)), from: (x) => digits(1 / (1 + 10 ** -x), x > 2 ? 6 : 3),
};
const zeroLog = (low, high) => {  // nothing at the left end, else logarithmic
  const span = Math.log10(high / low);
  return {
    min: 0, max: 100, step: 1,
    to: (v) => (v <= 0 ? 0 : 1 + (99 * Math.log10(v / low)) / span),
    from: (x) => (x < 1 ? 0 : digits(low * 10 ** (((x - 1) / 99) * span), 2)),
  };
};

function typed(text) {
  const percent = /%\s*$/.test(text), value = Number(text.replace(/%\s*$/, "").replace(",", "."));
  return text.trim() === "" ? NaN : percent ? value / 100 : value;
}
const plain = (x) => (x !== 0 && Math.abs(x) < 1e-3 ? digits(x, 2).toExponential() : String(digits(x, x < 0.01 ? 2 : x > 0.9 && x < 1 ? 4 : 3)));

let ids = 0;

// One slider. `spec`: label, symbol, help, scale, range, get(state), set(state, value).
class Slider {
  constructor(spec, change) {
    Object.assign(this, spec);
    const id = `slider-${++ids}`, { scale } = spec;
    this.input = make("input", { type: "range", id, min: scale.min, max: scale.max, step: scale.step, class: spec.cls ?? "" });
    this.field = make("input", { type: "text", inputmode: "decimal", class: "value", autocomplete: "off", spellcheck: "false" });
    const symbol = spec.symbol ? make("i", {}, spec.symbol) : null;
    this.label = make("label", { for: id, title: spec.help ?? "" }, spec.label, symbol ? "\u00a0" : null, symbol);
    this.node = make("div", { class: "slider" }, this.label, this.input, this.field);
    const put = (value, moving) => change((state) => this.set(state, value), { source: this.input, moving });
    this.input.addEventListener("input", () => put(scale.from(+this.input.value), true));
    this.input.addEventListener("change", () => put(scale.from(+this.input.value), false));
    this.field.addEventListener("change", () => {
      const value = typed(this.field.value), [low, high] = this.range;
      const fits = value >= low && value <= high;
      this.#doubt(fits ? "" : `Give ${plain(low)} to ${high > 0.9999 && high < 1 ? "1 − 1e-12" : high}.`);
      if (fits) change((state) => this.set(state, value), { source: this.field, moving: false });
    });
    this.wrong = make("p", { class: "wrong", id: `${id}-wrong`, role: "status", hidden: true });
    this.node.append(this.wrong);
    this.field.setAttribute("aria-describedby", this.wrong.id);
  }

  // What was typed stays, with what is allowed, until it is corrected.
  #doubt(text) {
    this.wrong.textContent = text;
    this.wrong.hidden = !text;
    this.field.setAttribute("aria-invalid", Boolean(text));
  }

  show(state, source = null) {
    const value = this.get(state), { scale } = this, moved = value !== this.value;
    this.value = value;
    if (moved) this.#doubt("");
    const kept = !this.wrong.hidden;
    const name = this.name ? this.name(state) : this.label.textContent;
    if (source !== this.input) this.input.value = Math.min(Math.max(scale.to(value), scale.min), scale.max);
    this.input.setAttribute("aria-valuetext", few(value));
    this.input.setAttribute("aria-label", name);
    this.field.setAttribute("aria-label", `${name}, as a number`);
    if (!kept && (document.activeElement !== this.field || source === this.field)) this.field.value = plain(value);
    this.field.title = String(value);
    const off = this.off?.(state) ?? false;
    this.input.disabled = this.field.disabled = off;
    this.node.classList.toggle("off", off);
  }
}

// ---- patterns --------------------------------------------------------------------------

const column = (name, label, symbol, help) => ({ name, label, symbol, help });
const COLUMNS = [
  column("success_rates", "right answers", "s", "How often an answer by this pattern is right"),
  column("logits", "base probability", "π₀", "How often the base model picks this pattern; the others keep their proportions"),
  column("confidences", "own confidence", "c", "What RLIF pays this pattern: how sure the model is of its answers"),
];

function cellSlider({ name, label, symbol, help }, k, change) {
  const of = (state) => `${names(state)[k]}: ${label}`;
  if (name === "logits") {
    return new Slider({
      label, symbol, help, name: of, scale: odds, range: [1e-300, 1 - 1e-12], cls: `pattern-${k}`,
      get: (state) => policy(state)[k], set: (state, p) => withProbability(state, k, p),
    }, change);
  }
  return new Slider({
    label, symbol, help, name: of, scale: part, range: [0, 1], cls: `pattern-${k}`,
    get: (state) => state[name][k], set: (state, v) => ({ ...state, [name]: replaced(state[name], k, v) }),
  }, change);
}

export class Patterns {
  constructor(node, change) { Object.assign(this, { node, change, rows: [] }); }

  show(state, source) {
    if (this.rows.length !== state.logits.length) this.#build(state.logits.length);
    const words = names(state), plain = names(state, false);
    this.rows.forEach(({ title, drop, sliders }, k) => {
      title.textContent = plain[k];
      drop.setAttribute("aria-label", `remove ${words[k]}`);
      drop.disabled = state.logits.length <= 2;
      for (const slider of sliders) slider.show(state, source);
    });
  }

  #build(K) {
    const { change } = this, head = COLUMNS.map(({ label, symbol, help }) => make("span", { title: help }, `${label} `, make("i", {}, symbol)));
    this.rows = Array.from({ length: K }, (_, k) => {
      const title = make("b", { class: `ink pattern-${k}` });
      const drop = make("button", { class: "drop", type: "button", title: "remove this pattern", onclick: () => change((state) => withoutPattern(state, k), { push: true }) }, "×");
      const sliders = COLUMNS.map((spec) => cellSlider(spec, k, change));
      return { title, drop, sliders, node: make("div", { class: "row", role: "group" }, make("span", { class: "who" }, make("span", { class: `dot pattern-${k}`, title: `pattern ${k}` }, String(k)), title), ...sliders.map((s) => s.node), drop) };
    });
    const add = make("button", { type: "button", class: "quiet", disabled: K >= MOST, onclick: () => change(withPattern, { push: true }) }, "+ add a pattern");
    this.node.classList.toggle("many", K > 3);
    this.node.replaceChildren(make("div", { class: "row head", "aria-hidden": "true" }, make("span"), ...head, make("span")), ...this.rows.map((row) => row.node), add);
  }
}

// ---- reward and training ---------------------------------------------------------------

export const SIZES = ["2", "4", "8", "16", "64", "inf"];
const RULES = [["policy-gradient", "policy gradient"], ["grpo", "GRPO"], ["pass-at-8", "pass@8"], ["rejection-sampling", "rejection sampling"]];
const error = (i) => ({ get: (state) => state.errors[i], set: (state, v) => ({ ...state, errors: replaced(state.errors, i, v) }), scale: part, range: [0, 1] });

const REWARD = [
  { label: "verifier pays wrong answers", symbol: "ε₊", help: "Chance that the verifier pays a wrong answer (false positives)", ...error(0) },
  { label: "verifier misses right answers", symbol: "ε₋", help: "Chance that the verifier does not pay a right answer (false negatives)", ...error(1) },
  {
    label: "weight of own confidence", symbol: "w", help: "The mixture pays (1 − w) for being right and w for being confident: 0 is RLVR, 1 is RLIF",
    scale: part, range: [0, 1], get: (state) => state.weight, set: (state, weight) => ({ ...state, weight }),
  },
];
// The run in focus goes with the penalty, when that comes or goes.
const penalised = ({ run, beta: before }, beta) => (beta === 0 && run === "kl" ? "rlvr" : beta > 0 && !before && run === "rlvr" ? "kl" : run);
const TRAINING = [
  {
    label: "KL penalty", symbol: "β", help: "Weight of the KL penalty to the policy that training starts from; adds the run RLVR + KL",
    scale: zeroLog(1e-4, 10), range: [0, 10], get: (state) => state.beta,
    set: (state, beta) => ({ ...state, beta, run: penalised(state, beta) }),
  },
  {
    label: "SFT on the best pattern", symbol: "dose", help: "Learning rate times steps of supervised fine-tuning on perfect demonstrations, before RL",
    scale: zeroLog(0.01, 1000), range: [0, 1000], get: (state) => state.dose, set: (state, dose) => ({ ...state, dose }),
  },
];

export class Training {
  constructor(reward, training, change) {
    const group = {
      label: "answers per group", symbol: "G", help: "Answers per question that GRPO compares with each other",
      scale: { min: 0, max: SIZES.length - 1, step: 1, to: (g) => g, from: (g) => g }, range: [0, SIZES.length - 1],
      get: (state) => Math.max(SIZES.indexOf(state.clock.replace("grpo-", "")), 0),
      set: (state, g) => ({ ...state, clock: `grpo-${SIZES[g]}` }), off: (state) => !state.clock.startsWith("grpo"),
    };
    const id = "rule";
    this.rule = make("select", { id, onchange: () => change((state) => ({ ...state, clock: this.rule.value === "grpo" ? this.last : this.rule.value }), { source: this.rule }) }, ...RULES.map(([value, text]) => make("option", { value }, text)));
    this.last = "grpo-8";
    this.group = new Slider(group, change);
    this.size = make("output", { class: "value" });
    this.group.field.replaceWith(this.size);
    this.sliders = [...REWARD, ...TRAINING].map((spec) => new Slider(spec, change));
    reward.append(...this.sliders.slice(0, REWARD.length).map((s) => s.node));
    training.append(make("div", { class: "slider choice" }, make("label", { for: id, title: "How rewards move the policy. These follow one path, by different clocks" }, "update rule"), this.rule), this.group.node, ...this.sliders.slice(REWARD.length).map((s) => s.node));
  }

  show(state, source) {
    const grpo = state.clock.startsWith("grpo");
    if (grpo) this.last = state.clock;
    this.rule.value = grpo ? "grpo" : state.clock;
    this.group.show(grpo ? state : { ...state, clock: this.last }, source);
    this.group.input.disabled = !grpo;
    this.group.node.classList.toggle("off", !grpo);
    const size = this.last.replace("grpo-", "").replace("inf", "∞");
    this.size.textContent = size;
    this.group.input.setAttribute("aria-valuetext", size);
    for (const slider of this.sliders) slider.show(state, source);
  }
}

