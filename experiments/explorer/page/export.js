// What is shown, to take along: pictures, tables, and text for the clipboard. All is made here.

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "stroke-opacity", "opacity", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "paint-order", "visibility"];
const NS = "http://www.w3.org/2000/svg";

const FOOT = 26; // pixels for a legend

// A picture as SVG text that needs no style sheet; a canvas under it goes in as an image, and
// a legend of the page (nodes with a colour each) below it.
export function asSvg(svg, canvas = null, legend = []) {
  const copy = svg.cloneNode(true), { width, height } = svg.viewBox.baseVal, box = { width, height: height + (legend.length ? FOOT : 0) };
  const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of LOOKS) { const value = style.getPropertyValue(name); if (value) to[i].setAttribute(name, value); }
    for (const name of ["class", "tabindex", "role"]) to[i].removeAttribute(name);
  });
  for (const node of copy.querySelectorAll("[data-key=hint]")) node.remove();
  copy.setAttribute("xmlns", NS);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const back = document.createElementNS(NS, "rect");
  for (const [name, value] of Object.entries({ width: box.width, height: box.height, fill: getComputedStyle(document.body).backgroundColor })) back.setAttribute(name, value);
  copy.prepend(back);
  copy.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
  let at = 12;
  for (const node of legend) {
    const put = (tag, attributes, text = "") => {
      const made = copy.appendChild(document.createElementNS(NS, tag));
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      made.textContent = text;
    };
    const fill = getComputedStyle(node, "::before").backgroundColor, style = getComputedStyle(node);
    put("rect", { x: at, y: height + 10, width: 16, height: 3, rx: 1.5, fill });
    put("text", { x: at + 22, y: height + 16, fill: style.color, "font-family": style.fontFamily, "font-size": "12.5px" }, node.textContent);
    at += 22 + 7 * node.textContent.length + 18;
  }
  if (canvas) {
    const image = document.createElementNS(NS, "image"), { left, top, width, height } = canvas.style;
    for (const [name, value] of Object.entries({ href: canvas.toDataURL(), x: parseFloat(left), y: parseFloat(top), width: parseFloat(width), height: parseFloat(height), preserveAspectRatio: "none", "image-rendering": "pixelated" })) image.setAttribute(name, value);
    back.after(image);
  }
  return new XMLSerializer().serializeToString(copy);
}

export async function asPng(svg, canvas = null, legend = [], scale = 2) {
  const text = asSvg(svg, canvas, legend), { width, height } = svg.viewBox.baseVal, foot = legend.length ? FOOT : 0;
  const image = new Image(), address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    await new Promise((done, failed) => { image.onload = done; image.onerror = failed; image.src = address; });
    const sheet = document.createElement("canvas");
    sheet.width = width * scale;
    sheet.height = (height + foot) * scale;
    sheet.getContext("2d").drawImage(image, 0, 0, sheet.width, sheet.height);
    return await new Promise((done) => sheet.toBlob(done, "image/png"));
  } finally { URL.revokeObjectURL(address); }
}

// One row per run and time: run, log10_t (empty: from the start), accuracy, probabilities.
// Of sampled runs, quantiles of accuracy.
export function asCsv(shown, sampled = null) {
  const K = shown.state.success_rates.length, rows = [["run", "log10_t", "accuracy", ...Array.from({ length: K }, (_, k) => `p${k}`)]];
  for (const [name, run] of Object.entries(shown.runs)) {
    run.log10_t.forEach((t, i) => rows.push([name, t ?? "", run.accuracy[i], ...run.probs.map((row) => row[i])]));
  }
  for (const [name, times] of Object.entries(shown.clocks)) {
    times.forEach((t, i) => rows.push([`clock:${name}`, t ?? "", shown.runs.rlvr.accuracy[i], ...shown.runs.rlvr.probs.map((row) => row[i])]));
  }
  for (const [q, row] of Object.entries(sampled?.quantiles ?? {})) {
    row.forEach((a, i) => rows.push([`sampled:${q}`, sampled.log10_t[i] ?? "", a, ...Array(K).fill("")]));
  }
  return rows.map((row) => row.join(",")).join("\n") + "\n";
}

export function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Text to the clipboard; where the browser forbids it, selected for the reader to copy.
export async function copy(text, node = null) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (node) getSelection().selectAllChildren(node);
    return false;
  }
}
