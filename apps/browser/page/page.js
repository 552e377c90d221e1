// Connects the parts of the page.

import { Engine } from "./engine.js";
import { chosenFiles, droppedFiles, isImage, isZip, readModel } from "./files.js";
import * as form from "./form.js";
import { Pad } from "./pad.js";
import { details, headline, photo, table } from "./show.js";

const find = (id) => document.getElementById(id);
const KINDS = {
  "image-classifier": "classifies images",
  "image-segmenter": "segments photos",
  "object-detector": "finds objects in photos",
  landmarker: "finds points on a face",
  "table-model": "predicts rows of a table",
};
const TABS = ["draw", "photo", "row", "table"];
const HINTS = { draw: "Draw something.", photo: "Choose an image.", row: "Fill in the row.", table: "Choose a file." };

const engine = new Engine();
const pad = new Pad(find("pad"), predictDrawing);
let model = null;
let first = null;
// The last question: an older answer that comes later is not shown.
let asked = 0;

function fail(error) {
  find("error").textContent = `${error.message ?? error}`;
  find("error").hidden = false;
}

/** Runs an action of the user's and shows why it failed. */
async function act(action) {
  find("error").hidden = true;
  setBusy(1);
  try {
    await action();
  } catch (error) {
    fail(error);
  } finally {
    setBusy(-1);
  }
}

let actions = 0;
function setBusy(more) {
  actions += more;
  find("prediction").setAttribute("aria-busy", String(actions > 0));
}

async function openModel(files, name) {
  const start = performance.now();
  const { description, ms } = await engine.open(files);
  performance.measure("open model", { start, detail: ms });
  model = description;
  asked += 1;
  find("model").textContent = `${name ?? model.recipe} ${KINDS[model.kind] ?? model.kind}`;
  find("about").textContent = about(model);
  find("first").hidden = files === first;
  const isTable = model.columns.length > 0;
  const tabs = isTable ? ["row", "table"] : model.draw ? ["draw", "photo"] : ["photo"];
  for (const tab of TABS) find(`tab-${tab}`).hidden = !tabs.includes(tab);
  document.querySelector(".tabs").hidden = tabs.length === 1;
  document.querySelector("main").classList.toggle("table", isTable);
  form.fill(find("cells"), model.columns);
  pad.clear();
  select(tabs[0]);
  document.querySelector("main").hidden = false;
  if (model.draw) warmUp();
}

/** Predicts the empty area: the browser compiles functions when they are first called. */
async function warmUp() {
  const content = await (await pad.file()).arrayBuffer();
  const start = performance.now();
  const { ms } = await engine.file("warm-up", content).catch(() => ({}));
  performance.measure("warm up", { start, detail: ms });
}

function about({ labels, columns, target }) {
  const listed = labels.slice(0, 12).join(", ") + (labels.length > 12 ? ", …" : "");
  const classes = labels.length > 0 ? `${labels.length === 1 ? "1 class" : `${labels.length} classes`}: ${listed}` : "";
  return columns.length > 0 ? `${target} from ${columns.length} columns${classes && `; ${classes}`}` : classes;
}

function select(chosen) {
  for (const tab of TABS) {
    find(tab).hidden = tab !== chosen;
    find(`tab-${tab}`).setAttribute("aria-selected", String(tab === chosen));
  }
  if (chosen !== "draw" || pad.isEmpty) showHint(HINTS[chosen]);
  else predictDrawing();
}

function showHint(text) {
  find("answer").textContent = text;
  find("answer").className = "hint";
  find("time").textContent = "";
  find("details").replaceChildren();
}

/** Asks the model with `ask` and shows the answer; `file` is the image that it is about. */
async function predict(ask, file) {
  const question = (asked += 1);
  const slow = setTimeout(() => { find("time").textContent = "computing…"; }, 150);
  try {
    const start = performance.now();
    const { lines: text, mask, ms } = await ask();
    performance.measure("predict", { start, detail: { ms, text } });
    if (question !== asked) return;
    const lines = JSON.parse(text);
    const parts = await partsOf(lines, mask, file);
    if (question !== asked) return;
    clearTimeout(slow);
    find("time").textContent = ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
    find("answer").className = "";
    find("answer").textContent = lines.length === 1 ? headline(lines[0]) : `${lines.length.toLocaleString("en")} rows`;
    find("details").replaceChildren(...parts);
  } catch (error) {
    if (question === asked) showHint("No prediction.");
    throw error;
  } finally {
    clearTimeout(slow);
  }
}

async function partsOf(lines, mask, file) {
  if (lines.length !== 1) return table(lines, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const canvas = file && await photo(file, lines[0], mask, model.labels, find("details").clientWidth);
  return [...(canvas ? [canvas] : []), ...details(lines[0], model.labels)];
}

async function predictFile(file, isPhoto) {
  const content = await file.arrayBuffer();
  await predict(() => engine.file(file.name, content), isPhoto ? file : undefined);
}

let drawing = false;
let drawnAgain = false;
/** Predicts the drawing, at most one at a time and always the last state. */
function predictDrawing() {
  if (drawing) {
    drawnAgain = true;
    return;
  }
  drawing = true;
  act(async () => {
    do {
      drawnAgain = false;
      await predictFile(await pad.file(), false);
    } while (drawnAgain);
  }).finally(() => { drawing = false; });
}

/** Whatever is dropped or chosen: a model, an image or a table. */
async function take(files) {
  if (files.length > 1 && files.every(isImage)) throw new Error("one image at a time");
  const isModel = (entry) => isZip(entry) || /(^|\/)model\.json$/.test(entry.path);
  if (files.some(isModel) || files.length > 1 || files[0]?.path.includes("/")) {
    const content = await readModel(files);
    const name = files[0].path.split("/")[0].replace(/\.zip$/i, "");
    return openModel(content, name === "model" ? undefined : name);
  }
  const [only] = files;
  if (!only) return undefined;
  if (!model) throw new Error("open a model first");
  const isTable = model.columns.length > 0;
  if (isImage(only) === isTable) {
    throw new Error(isTable ? "this model reads tables, not images" : "this model reads images");
  }
  select(isTable ? "table" : "photo");
  return predictFile(only.file, !isTable);
}

function listen() {
  for (const tab of TABS) find(`tab-${tab}`).addEventListener("click", () => select(tab));
  for (const id of ["folder", "zip", "image", "rows"]) {
    find(id).addEventListener("change", ({ target }) => {
      const files = chosenFiles(target);
      // The same file can be chosen again.
      target.value = "";
      act(() => take(files));
    });
  }
  find("first").addEventListener("click", () => act(() => openModel(first)));
  find("clear").addEventListener("click", () => {
    asked += 1;
    pad.clear();
    showHint(HINTS.draw);
  });
  find("empty").addEventListener("click", () => form.clear(find("cells")));
  find("row").addEventListener("submit", (event) => {
    event.preventDefault();
    act(() => predict(() => engine.row(form.row(find("cells")))));
  });
  const veil = find("veil");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    veil.hidden = true;
    act(async () => take(await droppedFiles(event.dataTransfer)));
  });
}

async function loaded(path) {
  const response = await fetch(`model/${path}`);
  if (!response.ok) throw new Error(`the page lacks its file model/${path}`);
  return response;
}

async function openFirst() {
  const names = await (await loaded("files.json")).json();
  first = await Promise.all(names.map(async (path) => ({ path, content: await (await loaded(path)).arrayBuffer() })));
  await openModel(first);
}

listen();
act(openFirst);
