// The buttons by which a reader takes pictures, tables and text along.

import { asCsv, asPng, asSvg, copy, save } from "./export.js";
import { make } from "./controls.js";
import { fragment, toJson } from "./state.js";

const FIGURES = ["simplex", "policy", "accuracy", "clocks", "hull", "map"];

export function connectExports({ $, state, shown, numbers, sampled, writeAddress }) {
  for (const name of FIGURES) {
    const svg = $(name), canvas = name === "map" ? $("cells") : null, tools = $(`f-${name}`).querySelector(".tools");
    const legend = () => (name === "simplex" ? [...$("runkey").children] : []);
    const title = $(`f-${name}`).querySelector("h2").textContent;
    tools.append(
      make("button", { type: "button", "aria-label": `Save “${title}” as SVG`, onclick: () => save(`${name}.svg`, asSvg(svg, canvas, legend()), "image/svg+xml") }, "SVG"),
      make("button", { type: "button", "aria-label": `Save “${title}” as PNG`, onclick: async () => save(`${name}.png`, await asPng(svg, canvas, legend())) }, "PNG"),
    );
  }
  const flash = (button, text) => {
    const before = button.dataset.text ?? button.textContent;
    button.dataset.text = before;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  $("copy-link").addEventListener("click", async () => {
    writeAddress(false);
    flash($("copy-link"), (await copy(location.href)) ? "Copied" : "Copy it from the address bar");
  });
  $("save-csv").addEventListener("click", () => { if (shown()) save("curves.csv", asCsv(shown(), sampled()), "text/csv"); });
  $("save-json").addEventListener("click", () => {
    const answer = (one) => { const { state: _, key: __, ...rest } = one ?? {}; return rest; };
    const curves = answer(shown()), found = answer(numbers()), seeds = answer(sampled());
    save("explorer.json", JSON.stringify({ fragment: fragment(state()), state: toJson(state()), curves, numbers: found, ...(sampled() ? { sampled: seeds } : {}) }, null, 1), "application/json");
  });
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const node = $(button.dataset.copy);
      flash(button, (await copy(node.textContent, node)) ? "Copied" : "Selected: press Ctrl+C");
    });
  }
  return {
    text(found) {
      for (const name of ["command", "python"]) if (found?.[name] && $(name).textContent !== found[name]) $(name).textContent = found[name];
    },
  };
}
