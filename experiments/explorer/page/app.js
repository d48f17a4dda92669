// The page: one state, which is the address; what changes it, and what follows from it.

import { Asker, get, send, watchReady } from "./api.js";
import { Chart } from "./chart.js";
import { Patterns, Training, make } from "./controls.js";
import { connectExports } from "./take.js";
import { Hull } from "./hull.js";
import { PhaseMap } from "./map.js";
import { Simplex } from "./simplex.js";
import { StateError, START, extra, fragment, fromJson, parse, toJson, withExtra } from "./state.js";
import { few } from "./svg.js";
import { raised, showNumbers, showPresets, showSentences, showStatus, tell } from "./texts.js";
import { RUN_NAMES, accuracyView, accuracyWords, clockSpan, clocksView, policyView, policyWords } from "./views.js";

const $ = (id) => document.getElementById(id);
const MAPS = { quality: "rarity and gap", "bad-mass": "rarity and bad mass", mixture: "mixture and confidence", noise: "noise of the verifier", dose: "SFT dose and rarity" };
const REST = 260; // milliseconds without a change after which the map is drawn fine
const PAUSE = 160, MOST = 1000; // a rest of the hand, and how long slow answers wait for one
const PLAY = 6000; // a run of time
const ADDRESS = 140; // and between two changes of the address
const ONE = 1000; // keys that follow each other on one control are one step back

let state = { ...START };
let shown = null, numbers = null, sampled = null, pinned = null; // answers, with the state they are of
let compiling = true, loading = 0, markPreset = () => {};
let cursor = null, span = [-1, 3], moving = false, hand = { source: null, moving: false, at: 0 };
window.explorer = { get state() { return state; }, get shown() { return shown; }, get numbers() { return numbers; }, get askers() { return askers; }, get settled() { return settled(); } };

// ---- state and address -------------------------------------------------------------------

let addressTimer = null;
function writeAddress(push) {
  clearTimeout(addressTimer);
  addressTimer = null;
  const text = fragment(state);
  if (text !== location.hash) history[push ? "pushState" : "replaceState"](null, "", text);
}

// `next`: a state, or what makes one of the state. `push`: a step that Back undoes; if it is
// not said, the first change of each gesture is one, and the rest of the gesture goes with it.
function change(next, { push = null, source = null, moving: still = false } = {}) {
  const now = performance.now(), same = source !== null && hand.source === source && (hand.moving || now - hand.at < ONE);
  push ??= !same;
  hand = { source, moving: still, at: now };
  if (push && addressTimer !== null) writeAddress(false);
  state = typeof next === "function" ? next(state) : next;
  moving = still;
  if (push) writeAddress(true);
  else addressTimer ??= setTimeout(() => writeAddress(false), ADDRESS);
  say("");
  $("unsampled").textContent = "";
  showState(source);
  ask();
}

function readAddress() {
  try {
    state = parse(location.hash);
    hand.source = null;
    const known = /(^#?|&)(v|s|l|c|w|n|u|b|d|r|map|view|pin|o)=/.test(location.hash);
    say(location.hash.length > 1 && !known ? "This address names nothing that can be shown. Here is the start instead." : "");
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    state = { ...START };
    say(`This address cannot be shown: ${error.message} Here is the start instead.`);
  }
  moving = false;
  showState();
  ask();
}

function say(text) {
  $("message").hidden = !text;
  if ($("message").textContent !== text) $("message").textContent = text;
}

// ---- questions ---------------------------------------------------------------------------

const refused = (message, status) => {
  if (status === 404) return; // a part that this server does not have
  say(message[0].toUpperCase() + message.slice(1));
};
const pinText = () => extra(state, "pin");
const askers = {
  curves: new Asker("curves", (answer, question) => {
    const found = { ...answer, state: question.state, key: question.key };
    if (question.pin) pinned = { ...pinned, ...found, pin: question.pin };
    else shown = found;
    if (question.pin) askNow();
    if (shown) { fitSpan(); later(); }
    markStale();
  }, refused),
  numbers: new Asker("numbers", (answer, question) => {
    if (question.pin) {
      if (pinned?.pin === question.pin) pinned.numbers = answer;
      askers.numbers.ask(numbersQuestion());
    } else numbers = { ...answer, state: question.state, key: question.key };
    showNumbers($("numbers"), numbers, pinned?.numbers);
    showSentences(numbers);
    exports.text(numbers);
    markStale();
    later();
  }, refused),
  map: new Asker("map", (answer, question) => map.draw(answer, state, question.state), (message, status) => {
    if (status === 0 || status === 404) refused(message, status);
    else map.none(message[0].toUpperCase() + message.slice(1));
  }),
  train: new Asker("train", (answer, question) => {
    if (extra(state, "o") === "1" && question.key === ownKey()) sampled = { ...answer, key: question.key };
    later();
  }, (message, status, question) => {
    if (status === 0) return refused(message, status);
    if (extra(state, "o") !== "1" || question.key !== ownKey()) return;
    change((old) => withExtra(old, "o", null), { push: false });
    $("unsampled").textContent = status === 404 ? "This server samples no runs." : message[0].toUpperCase() + message.slice(1);
  }),
};

const ownKey = () => { const { view, map: kind, ...own } = toJson(state); return JSON.stringify(own); };
const numbersKey = () => ownKey() + state.map; // a sentence is about the map
const numbersQuestion = () => ({ body: { state: toJson(state) }, state, key: numbersKey() });
const askNow = () => askers.curves.ask({ body: { state: toJson(state) }, state, key: ownKey() });

// What each answer depends on: it is asked anew only when that has changed.
const keys = {};
const changed = (name, value) => { const text = JSON.stringify(value); const is = keys[name] !== text; keys[name] = text; return is; };

// Curves are asked at once. What is slower waits until the hand rests, or for a second, so
// that it does not take the processor from them.
const timers = {}, since = {};
function lazily(name, wait, act, most = Infinity) {
  const now = performance.now();
  since[name] ??= now;
  clearTimeout(timers[name]);
  timers[name] = setTimeout(() => { timers[name] = since[name] = null; act(); }, Math.max(0, Math.min(wait, since[name] + most - now)));
}

function ask() {
  const { view, map: kind, ...own } = toJson(state), pin = pinText();
  if (pin !== (pinned?.pin ?? null)) loadPin(pin);
  if (changed("curves", own)) {
    askNow();
  }
  if (changed("numbers", [own, kind])) {
    lazily("numbers", moving ? PAUSE : 0, () => askers.numbers.ask(numbersQuestion()), MOST);
  }
  const { run, clock, beta, ...place } = own;
  if (changed("map", [place, kind])) {
    lazily("map", moving ? PAUSE : 0, () => askMap(40), MOST);
    lazily("fine", moving ? 3 * REST : REST, () => askMap(100));
  }
  if (extra(state, "o") !== "1") {
    if (sampled) later();
    sampled = null;
    return;
  }
  const key = JSON.stringify(own);
  if (sampled && sampled.key !== key) sampled = null;
  if (!sampled) lazily("train", moving ? PAUSE : 0, () => askers.train.ask({ body: { state: toJson(state), seeds: 64 }, state, key }));
}
const askMap = (side) => askers.map.ask({ body: { state: toJson(state), side }, state });


function loadPin(pin) {
  pinned = null;
  later();
  if (pin === null) return;
  try {
    const other = parse(pin);
    pinned = { pin, state: other, runs: null };
    askers.curves.ask({ body: { state: toJson(other) }, state: other, pin });
    askers.numbers.ask({ body: { state: toJson(other) }, state: other, pin });
    keys.curves = keys.numbers = null;
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    say(`The pinned state cannot be shown: ${error.message}`);
    state = withExtra(state, "pin", null);
  }
}

// Answers that are long in coming (a program is compiled for them) are told of.
const WAITED = { curves: "the curves", numbers: "the numbers", map: "the map", train: "sampled runs" };
setInterval(() => {
  if (compiling) return;
  const late = Object.keys(WAITED).filter((name) => askers[name].since && performance.now() - askers[name].since > 1200);
  for (const [name, id] of [["numbers", "numbers-panel"], ["map", "f-map"], ["train", "f-accuracy"], ["curves", "f-policy"]]) $(id).toggleAttribute("data-late", late.includes(name));
  tell($("status"), late.length ? `Computing ${late.map((name) => WAITED[name]).join(", ")}` : "");
}, 300);

const settled = () => Object.values(askers).every((one) => !one.busy && !one.next) && addressTimer === null && frame === null && loading === 0 && Object.values(timers).every((t) => t === null);

// What is of an older state is dimmed, and not to be taken along.
function markStale() {
  const old = shown?.key !== ownKey(), late = old || numbers?.key !== numbersKey();
  for (const node of document.querySelectorAll("#numbers, .says, #command, #python")) node.setAttribute("aria-busy", late);
  for (const node of document.querySelectorAll("[data-copy=command], [data-copy=python], #save-json")) node.disabled = late;
  $("save-csv").disabled = old;
}

// ---- drawing -----------------------------------------------------------------------------

const charts = { policy: new Chart($("policy")), accuracy: new Chart($("accuracy")), clocks: new Chart($("clocks")) };
const hull = new Hull($("hull"));
const simplex = new Simplex($("simplex"), (next, still) => change(next, { moving: still, source: "base" }));
const map = new PhaseMap($("cells"), $("map"), {
  say: (text) => { if ($("cell").textContent !== text) $("cell").textContent = text; },
  async load(side, i, j) {
    loading += 1;
    const { status, answer } = await send("/api/cell", { state: toJson(state), side, i, j }).finally(() => { loading -= 1; });
    if (status === 200) change(fromJson(answer.state, state.rest), { push: true });
    else refused(answer.error ?? "no such cell", status);
  },
});
const patterns = new Patterns($("patterns"), change), training = new Training($("reward"), $("training"), change);
const exports = connectExports({ charts, $, map, state: () => state, shown: () => shown, numbers: () => numbers, sampled: () => sampled, writeAddress });

// While something is dragged the axis of time only grows, so that curves do not jump.
function fitSpan() {
  const wanted = [shown, pinned].filter((one) => one?.runs).map((one) => one.window);
  const low = Math.min(...wanted.map((w) => w[0])), high = Math.max(...wanted.map((w) => w[1]));
  span = moving ? [Math.min(span[0], low), Math.max(span[1], high)] : [low, high];
}

let frame = null;
const later = () => { frame ??= requestAnimationFrame(() => { frame = null; drawCurves(); }); };

function drawCurves() {
  if (!shown) return;
  const narrow = charts.policy.w < 460, K = shown.state.logits.length;
  const room = narrow ? 92 : 128;
  const other = pinned?.runs ? pinned : null;
  const common = { shown, numbers, pinned: other, cursor, span, room };
  policyView(charts.policy, common);
  accuracyView(charts.accuracy, { ...common, sampled });
  clocksView(charts.clocks, { ...common, span: clockSpan(shown, span) });
  hull.draw(shown, other, narrow ? 92 : 128);
  $("seeds").hidden = !sampled?.command;
  if (sampled?.command && $("train").textContent !== sampled.command) {
    $("train").textContent = sampled.command;
    $("recipe").replaceChildren(...raised(sampled.sentence ?? `Shaded: the middle nine tenths of 64 sampled runs of RLVR at each step; dotted: their median. ${sampled.recipe ?? ""}`));
  }
  if (K === state.logits.length) simplex.drawPaths(shown, other, cursor);
  $("runkey").replaceChildren(...Object.keys(shown.runs).map((name) => make("span", { class: `ink run-${name}` }, RUN_NAMES[name])));
  $("accuracy").setAttribute("aria-label", `Accuracy over time, from ${few(shown.base.accuracy)}. At the end: ${accuracyWords(shown)}`);
  $("clocks").setAttribute("aria-label", `Accuracy of RLVR over the time of ${Object.keys(shown.clocks).length} clocks`);
  $("policy").setAttribute("aria-valuenow", cursor === null ? 0 : Math.min(Math.max((cursor - span[0]) / (span[1] - span[0]), 0), 1).toFixed(3));
  $("policy").setAttribute("aria-valuetext", policyWords(shown, cursor));
}

const pick = (node, name, options, choose) => {
  const group = make("span", { role: "radiogroup", "aria-label": name, class: "segments" });
  for (const [value, text, cls] of options) group.append(make("label", { class: cls ?? "" }, make("input", { type: "radio", name, value, onchange: () => choose(value) }), text));
  group.id = node.id;
  node.replaceWith(group);
  return (value) => { for (const input of group.querySelectorAll("input")) input.checked = input.value === value; };
};
const showRun = pick($("run"), "run in focus", Object.entries(RUN_NAMES), (run) => change((old) => ({ ...old, run, beta: run === "kl" && !old.beta ? 0.01 : old.beta })));
const showView = pick($("view"), "how the base model is drawn", [["simplex", "shares"], ["logits", "log"]], (view) => change((old) => ({ ...old, view })));

const pin = make("button", { type: "button", onclick: () => change((old) => withExtra(old, "pin", pinText() === null ? fragment(withExtra(old, "pin", null)) : null), { push: true }) }, "pin");
const swap = make("button", { type: "button", title: "Exchange the pinned state and this one", onclick: () => change((old) => withExtra(parse(pinText()), "pin", fragment(withExtra(old, "pin", null))), { push: true }) }, "swap");
$("f-simplex").querySelector(".tools").append(pin, swap);

$("map-kind").append(...Object.entries(MAPS).map(([value, text]) => make("option", { value }, text)));
$("map-kind").addEventListener("change", () => change((old) => ({ ...old, map: $("map-kind").value })));
$("sampled").addEventListener("change", () => change((old) => withExtra(old, "o", $("sampled").checked ? "1" : null)));

// All that shows the state itself, at once; answers follow.
function showState(source = null) {
  simplex.drawBase(state);
  patterns.show(state, source);
  training.show(state, source);
  showRun(state.run);
  showView(state.view);
  $("map-kind").value = state.map;
  $("sampled").checked = extra(state, "o") === "1";
  const is = pinText() !== null;
  pin.textContent = is ? "unpin" : "pin to compare";
  pin.title = is ? "Take the pinned state away" : "Keep this state, dashed, beside what you do next";
  pin.setAttribute("aria-pressed", is);
  swap.hidden = !is;
  map.drawPlace(state);
  markStale();
  markPreset(fragment({ ...state, rest: [] }));
  if (shown && shown.state.logits.length === state.logits.length) later();
}

// ---- the cursor of time --------------------------------------------------------------------

function point(at) { if (at !== cursor) { cursor = at; later(); } }
for (const [name, chart] of Object.entries(charts)) {
  $(name).addEventListener("pointermove", (e) => point(chart.timeAt(e.clientX)));
  $(name).addEventListener("pointerleave", () => point(null));
}
$("policy").addEventListener("keydown", (e) => {
  const step = (span[1] - span[0]) / (e.shiftKey ? 10 : 60), at = cursor ?? span[0];
  if (e.key === "Escape") point(null);
  else if (e.key === "ArrowRight" || e.key === "ArrowUp") point(Math.min(at + step, span[1]));
  else if (e.key === "ArrowLeft" || e.key === "ArrowDown") point(Math.max(at - step, span[0]));
  else if (e.key === "Home") point(span[0]);
  else if (e.key === "End") point(span[1]);
  else return;
  e.preventDefault();
});
$("policy").addEventListener("blur", () => point(null));

// Time runs by itself, from the left to the right in a few seconds.
const play = make("button", { type: "button", "aria-pressed": "false", title: "Let time run", onclick: () => run(play.getAttribute("aria-pressed") === "false") }, "▶ play");
$("f-policy").querySelector(".tools").prepend(play);
function run(on) {
  play.setAttribute("aria-pressed", on);
  play.textContent = on ? "■ stop" : "▶ play";
  if (!on) return point(null);
  const [low, high] = span, began = performance.now();
  const step = (now) => {
    const part = (now - began) / PLAY;
    if (play.getAttribute("aria-pressed") === "false") return;
    if (part >= 1) return run(false);
    point(low + Math.max(part, 0) * (high - low));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// ---- begin ---------------------------------------------------------------------------------

const resized = new ResizeObserver(() => {
  for (const one of [...Object.values(charts), hull, simplex, map]) one.measure();
  simplex.drawBase(state);
  map.redraw(state);
  later();
});
for (const id of ["simplex", "policy", "map"]) resized.observe($(id));
addEventListener("hashchange", readAddress);
readAddress();
watchReady((all) => { compiling = showStatus($("status"), all); }, ["curves", "numbers", "maps"]);
get("/api/presets").then((all) => {
  // As this page writes their addresses, to be recognised.
  const own = all.map((preset) => ({ ...preset, fragment: fragment(parse(preset.fragment)) }));
  markPreset = showPresets($("presets"), $("about"), own, (text) => change(() => ({ ...parse(text), rest: state.rest }), { push: true }));
  showState();
}).catch(() => {}); // a server without presets
