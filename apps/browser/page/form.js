// The form for a row of a table.

import { element } from "./show.js";

const MISSING = "(missing)";
// Lists of more values than this are suggestions to a text field.
const MAX_OPTIONS = 200;

/** Fills `place` with a field for each column, with a value to begin with. */
export function fill(place, columns) {
  place.replaceChildren(...columns.map((column, index) => {
    const label = element("label", column.name);
    label.append(field(column, index, label));
    return label;
  }));
}

function field({ name, kind, values, typical }, index, label) {
  // A category that no training row has is allowed, but hardly ever meant.
  if (values.length > 0 && values.length <= MAX_OPTIONS) {
    const select = document.createElement("select");
    select.append(new Option(MISSING, ""), ...values.map((value) => new Option(value, value)));
    select.value = typical;
    select.name = name;
    return select;
  }
  const input = document.createElement("input");
  input.name = name;
  input.value = typical;
  input.autocomplete = "off";
  if (kind === "numeric") input.inputMode = "decimal";
  if (values.length > 0) {
    const list = document.createElement("datalist");
    list.id = `values-${index}`;
    list.append(...values.slice(0, 5000).map((value) => new Option(value)));
    label.append(list);
    input.setAttribute("list", list.id);
  }
  return input;
}

const fields = (place) => [...place.querySelectorAll("input, select")];

/** Makes every cell missing. */
export function clear(place) {
  for (const field of fields(place)) field.value = "";
}

/** The cells as texts by column. */
export const row = (place) => Object.fromEntries(fields(place).map(({ name, value }) => [name, value.trim()]));
