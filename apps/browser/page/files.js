// Files that are dropped or chosen.

/** The files `{path, file}` of a drop, those in folders included. */
export async function droppedFiles(transfer) {
  // All entries have to be taken before the first wait.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

async function collect(entry, found) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A folder comes in parts, the last of which is empty.
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const child of part) await collect(child, found);
  }
}

/** The files `{path, file}` of an input. */
export const chosenFiles = (input) =>
  [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

const folderOf = (path) => path.slice(0, path.lastIndexOf("/") + 1);

export const isZip = ({ path, file }) => /\.zip$/i.test(path) || file.type === "application/zip";
export const isImage = ({ path, file }) => file.type.startsWith("image/") || /\.(bmp|gif|jpe?g|png|tiff?|webp)$/i.test(path);

/** Reads the files of models among others, such as checkpoints of a run. */
export async function readModel(files) {
  const isModel = ({ path }) => /(^|\/)model\.json$/.test(path);
  const folders = new Set(files.filter(isModel).map(({ path }) => folderOf(path)));
  const wanted = files.filter((entry) => isZip(entry) || folders.has(folderOf(entry.path)));
  return Promise.all(wanted.map(async ({ path, file }) => ({ path, content: await file.arrayBuffer() })));
}
