// Runs the model away from the page, so that the page answers while a large image is computed.
import init, { Page } from "./browser_page.js";

let panic = "";
self.reportPanic = (message) => { panic = message; };

const ready = init({ module_or_path: new URL("browser_page_bg.wasm", import.meta.url) }).then(() => new Page());

const tasks = {
  open(page, { files }) {
    for (const { path, content } of files) page.add(path, new Uint8Array(content));
    return { description: JSON.parse(page.open()) };
  },
  file: (page, { name, content }) => answered(page, page.predict(name, new Uint8Array(content))),
  row: (page, { row }) => answered(page, page.predictRow(JSON.stringify(row))),
};

function answered(page, lines) {
  return { lines, mask: page.mask() };
}

self.onmessage = async ({ data }) => {
  let page;
  try {
    page = await ready;
  } catch (error) {
    return self.postMessage({ error: `the program of this page cannot start: ${error}`, fatal: true });
  }
  const start = performance.now();
  try {
    const result = tasks[data.task](page, data);
    self.postMessage({ ...result, ms: performance.now() - start });
  } catch (error) {
    // Messages for people are strings; the rest is a crash, after which the program cannot be used.
    const fatal = typeof error !== "string";
    const isMemory = panic === "" || /capacity overflow|out of memory/.test(panic);
    const reason = isMemory ? "the model or the input needs more memory than a page can have" : panic;
    self.postMessage(fatal ? { error: `the program crashed: ${reason}`, fatal } : { error });
  }
};
