// The area to draw in: black ink on white paper, whatever the colors of the page.

const PEN = 20;

export class Pad {
  #canvas;
  #context;
  #last = null;

  /** Calls `changed` after each part of a line. */
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#context.lineCap = "round";
    this.#context.lineJoin = "round";
    this.#context.lineWidth = PEN;
    this.clear();
    canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      this.#last = this.#place(event);
      this.#draw(this.#last);
      changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.#last) return;
      // A fast hand is in several places between two events.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const part of events.length ? events : [event]) this.#draw(this.#place(part));
      changed();
    });
    const stop = () => { this.#last = null; };
    canvas.addEventListener("pointerup", stop);
    canvas.addEventListener("pointercancel", stop);
  }

  /** Whether nothing is drawn. */
  isEmpty = true;

  clear() {
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.isEmpty = true;
  }

  /** The drawing as a PNG file. */
  async file() {
    const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
    return new File([blob], "drawing.png", { type: "image/png" });
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    const scale = this.#canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  #draw(to) {
    this.#context.beginPath();
    this.#context.moveTo(...this.#last);
    this.#context.lineTo(...to);
    this.#context.stroke();
    this.#last = to;
    this.isEmpty = false;
  }
}
