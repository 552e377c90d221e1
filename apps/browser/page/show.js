// Shows predictions. All texts of models and files go through `textContent` or a canvas, never markup.

const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a000", "#8a6fd1"];
// Of light colors.
const INK_ON = { "#e69f00": "#000", "#cc79a7": "#000", "#56b4e9": "#000", "#b8a000": "#000" };
const MAX_ROWS = 200;
const MAX_BARS = 20;

export const colorOf = (index) => COLORS[index % COLORS.length];

export function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

const percent = (value) => `${(100 * value).toFixed(1)}%`;
const number = (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 });

/** The answer to one input, in words. */
export function headline(line) {
  if (line.label !== undefined) return line.label;
  if (line.value !== undefined) return number(line.value);
  if (line.objects) return line.objects.length === 1 ? "1 object" : `${line.objects.length} objects`;
  if (line.faces) return line.faces.length === 1 ? "1 face" : `${line.faces.length} faces`;
  if (line.areas) return `${line.width.toLocaleString("en")} × ${line.height.toLocaleString("en")} pixels`;
  return "";
}

/** Bars of pairs of a name and a share; `best` is the name of the answer, `colors` the names in the order of their colors. */
function bars(shares, best, colors) {
  const list = element("ul", "", "bars");
  const sorted = [...shares].sort((a, b) => b[1] - a[1]);
  // A long list starts with the likely ones; a short one keeps its order.
  const shown = shares.length > MAX_BARS ? sorted.slice(0, MAX_BARS) : shares;
  for (const [name, value] of shown) {
    const item = element("li", "", name === best ? "best" : "");
    const bar = element("i");
    bar.style.width = percent(Math.min(1, Math.max(0, value)));
    const label = element("span", name);
    // The background has no color.
    if (colors && name !== colors[0]) label.prepend(swatch(colors.indexOf(name)));
    item.append(bar, label, element("span", percent(value)));
    list.append(item);
  }
  return list;
}

function swatch(index) {
  const made = element("span", "", "swatch");
  made.style.background = colorOf(index);
  return made;
}

/** The photo with what was found on it, `wide` pixels of the page wide. */
export async function photo(file, line, mask, labels, wide) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    // A kind of image that the model reads and the browser does not show, such as TIFF.
    if (!line.width) return null;
  }
  const [width, height] = [line.width ?? bitmap.width, line.height ?? bitmap.height];
  // One pixel of the page.
  const unit = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(wide * unit));
  canvas.height = Math.max(1, Math.round((canvas.width * height) / width));
  if (bitmap) context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  if (mask) await paintMask(context, mask, line);
  const scale = canvas.width / width;
  const objects = line.objects ?? [];
  for (const object of objects) paintBox(context, object, labels, scale, unit);
  // No box crosses a text.
  for (const object of objects) paintLabel(context, object, labels, scale, unit);
  for (const face of line.faces ?? []) paintPoints(context, face, scale, unit);
  return canvas;
}

async function paintMask(context, mask, { width, height }) {
  const image = new ImageData(width, height);
  const colors = COLORS.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  mask.forEach((index, at) => {
    // The first class is the background.
    if (index === 0) return;
    image.data.set(colors[index % colors.length], 4 * at);
    image.data[4 * at + 3] = 140;
  });
  const bitmap = await createImageBitmap(image);
  context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height);
}

function paintBox(context, { label, box }, labels, scale, unit) {
  const [left, top, right, bottom] = box.map((edge) => edge * scale);
  context.strokeStyle = colorOf(labels.indexOf(label));
  context.lineWidth = 2 * unit;
  context.strokeRect(left, top, right - left, bottom - top);
}

function paintLabel(context, { label, score, box }, labels, scale, unit) {
  const [left, top] = box.map((edge) => edge * scale);
  const color = colorOf(labels.indexOf(label));
  const text = `${label} ${percent(score)}`;
  context.font = `600 ${12 * unit}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 8 * unit;
  const high = 17 * unit;
  // Within the photo.
  const x = Math.max(0, Math.min(left - unit, context.canvas.width - wide));
  const y = top < high ? top : top - high;
  context.fillStyle = color;
  context.fillRect(x, y, wide, high);
  context.fillStyle = INK_ON[color] ?? "#fff";
  context.textBaseline = "middle";
  context.fillText(text, x + 4 * unit, y + high / 2);
}

function paintPoints(context, { points }, scale, unit) {
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(x * scale, y * scale, 3 * unit, 0, 2 * Math.PI);
    context.fillStyle = "#00e5a0";
    context.fill();
    context.lineWidth = unit;
    context.strokeStyle = "#00382a";
    context.stroke();
  }
}

/** The details of one prediction. */
export function details(line, labels) {
  if (line.probabilities) return [bars(inOrder(line.probabilities, labels), line.label)];
  if (line.areas) return [bars(inOrder(line.areas, labels), null, labels)];
  if (line.objects) {
    const counts = new Map();
    for (const { label } of line.objects) counts.set(label, (counts.get(label) ?? 0) + 1);
    const list = element("ul", "", "bars");
    for (const [label, count] of counts) {
      const item = element("li");
      const name = element("span", label);
      name.prepend(swatch(labels.indexOf(label)));
      item.append(name, element("span", String(count)));
      list.append(item);
    }
    return [list];
  }
  return [];
}

// JSON objects are sorted by name, and numbers among names come first; classes have an order of their own.
function inOrder(shares, labels) {
  return labels.filter((label) => label in shares).map((label) => [label, shares[label]]);
}

/** Predictions of several rows as a table, with a button that saves all of them. */
export function table(lines, text) {
  const first = lines[0];
  const classes = Object.keys(first.probabilities ?? {});
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  const names = ["row", first.label === undefined ? "value" : "answer", ...classes];
  head.append(...names.map((name) => element("th", name)));
  const body = made.createTBody();
  for (const line of lines.slice(0, MAX_ROWS)) {
    const cells = [String(line.row), headline(line), ...classes.map((name) => percent(line.probabilities[name]))];
    body.insertRow().append(...cells.map((cell) => element("td", cell)));
  }
  const scroll = element("div", "", "scroll");
  scroll.append(made);
  const save = element("a", "Save as JSON lines", "button");
  save.download = "predictions.jsonl";
  save.href = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const buttons = element("div", "", "buttons");
  buttons.append(save);
  const more = lines.length > MAX_ROWS ? [element("p", `The first ${MAX_ROWS} of ${lines.length.toLocaleString("en")} rows.`, "soft")] : [];
  return [scroll, ...more, buttons];
}
