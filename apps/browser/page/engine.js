// The worker with the model, started anew after a crash.

export class Engine {
  #worker = null;
  #waiting = [];
  // The files of the model that is open, to open it again.
  #files = null;

  constructor() {
    this.#start();
  }

  /** Opens the model in files `{path, content}` and returns its description. */
  async open(files) {
    const result = await this.#ask({ task: "open", files });
    this.#files = files;
    return result;
  }

  /** Predicts the content of a file: `{lines, mask, ms}`. */
  file(name, content) {
    return this.#ask({ task: "file", name, content });
  }

  /** Predicts a row, an object of texts by column. */
  row(row) {
    return this.#ask({ task: "row", row });
  }

  #start() {
    this.#worker = new Worker("worker.js", { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#settle({ error: `the program of this page cannot start: ${event.message ?? "a file is missing"}`, fatal: true });
    };
  }

  #ask(message) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message);
    });
  }

  // The worker answers in the order of the questions.
  #settle(data) {
    const waiting = data.fatal ? this.#waiting.splice(0) : this.#waiting.splice(0, 1);
    if (data.fatal) {
      this.#worker.terminate();
      this.#start();
      if (this.#files) this.#ask({ task: "open", files: this.#files }).catch(() => {});
    }
    for (const { resolve, reject } of waiting) {
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    }
  }
}
