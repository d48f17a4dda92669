// Words and numbers from the server, as they come; never as markup.

import { make } from "./controls.js";

const VIEWS = ["simplex", "policy", "accuracy", "clocks", "hull", "map"];

// Text in which powers of ten, as in 10^-3.2, are raised.
export function raised(text) {
  return text.split(/(\^-?\d+(?:\.\d+)?)/).map((part) => (part.startsWith("^") ? make("sup", {}, part.slice(1)) : part));
}

// Label and text of each row, and beside it the pinned state's.
export function showNumbers(node, numbers, pinned) {
  const rows = numbers?.rows;
  if (!rows) return;
  const before = Object.fromEntries((pinned?.rows ?? []).map((row) => [row.key, row.text]));
  const list = rows.map(({ key, label, text, title }) => make("tr", { "data-row": key, title: title ?? "" },
    make("th", { scope: "row" }, label), make("td", { class: "text" }, ...raised(text)), pinned ? make("td", { class: "was" }, ...raised(before[key] ?? "")) : null));
  const head = pinned ? [make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col" }, "now"), make("th", { scope: "col" }, "pinned")))] : [];
  node.replaceChildren(make("table", {}, ...head, make("tbody", {}, ...list)));
}

// One sentence under each view, and the pages of the statements that it rests on.
export function showSentences(numbers) {
  for (const name of VIEWS) {
    const node = document.getElementById(`says-${name}`), found = numbers?.sentences?.[name];
    const links = (found?.statements ?? []).flatMap((id) => [" ", make("a", { href: `/statements/${encodeURIComponent(id)}`, target: "_blank", rel: "noopener", class: "why", title: "the statement, and its proof" }, `why: ${id}`)]);
    node.replaceChildren(...raised(found?.text ?? ""), ...links);
  }
}

// A button for each preset, and a list of those that are models of papers; the function
// that comes back marks the one that is shown.
export function showPresets(node, about, presets, load) {
  if (!Array.isArray(presets) || !presets.length) return () => {};
  const own = presets.filter((preset) => !preset.paper), papers = presets.filter((preset) => preset.paper);
  const buttons = own.map((preset) => make("button", { type: "button", title: preset.about, onclick: () => load(preset.fragment) }, preset.title));
  const list = make("select", { "aria-label": "Models of papers", onchange: () => { if (list.value) load(list.value); } },
    make("option", { value: "" }, "From a paper …"), ...papers.map((preset) => make("option", { value: preset.fragment }, preset.title)));
  node.append(...buttons, ...(papers.length ? [list] : []));
  node.hidden = false;
  return (text) => {
    const shown = presets.find((preset) => preset.fragment === text);
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", own[i] === shown));
    list.value = shown?.paper ? shown.fragment : "";
    list.classList.toggle("on", Boolean(shown?.paper));
    about.textContent = shown?.about ?? "";
    about.hidden = !shown;
  };
}

const PARTS = { curves: "curves", numbers: "numbers", maps: "the map" };

// Whether something is still being compiled for the first time.
export function showStatus(node, all) {
  if (all === null) {
    tell(node, "The explorer's server does not answer.");
    return true;
  }
  const waits = Object.keys(PARTS).filter((name) => !all.ready.includes(name) && !(name in all.failed));
  const broken = Object.entries(all.failed).map(([name, message]) => `${PARTS[name] ?? name}: ${message}`);
  const words = waits.map((name) => PARTS[name]).join(", ");
  if (broken.length) tell(node, `Not available: ${broken.join("; ")}`);
  else if (!waits.length) tell(node, "");
  else tell(node, waits.includes("curves") ? `Compiling ${words}: a few seconds` : `Compiling ${words}; the curves move already`);
  return broken.length > 0 || waits.length > 0;
}

export function tell(node, text) {
  if (text && node.textContent !== text) node.textContent = text;
  node.classList.toggle("on", Boolean(text));
}
