// Tries the models of the server. Every text from models and files is set as text, never as markup.
const at = (id) => document.getElementById(id);
// Characters that would act instead of being shown, such as those that reverse a text, as their codes; /docs does the same.
const acting = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const shown = (text) => String(text).replace(acting, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
const make = (tag, { textContent = '', ...properties } = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  if (textContent) element.textContent = shown(textContent);
  element.append(...children.map((child) => (typeof child === 'string' ? shown(child) : child)));
  return element;
};
let models = [];
let token = '';
let last = 0;

const headers = (more = {}) => (token ? { ...more, Authorization: `Bearer ${token}` } : more);

const problem = async (response) => {
  const text = await response.text();
  try { return JSON.parse(text).detail || text; } catch { return text || response.statusText; }
};

const fail = (text) => { at('error').textContent = shown(text); };

async function start() {
  fail('');
  let response;
  try {
    response = await fetch('/v1/models', { headers: headers() });
  } catch (error) {
    at('about').textContent = '';
    return fail(`The server does not answer: ${error.message}`);
  }
  at('token-form').hidden = response.status !== 401;
  if (!response.ok) {
    at('about').textContent = '';
    return fail(await problem(response));
  }
  models = (await response.json()).models;
  at('model').replaceChildren(...models.map((model) => make('option', { value: model.name, textContent: model.name })));
  at('choice').hidden = models.length < 2;
  show();
}

const current = () => models.find((model) => model.name === at('model').value) || models[0];

function show() {
  const model = current();
  fail('');
  last += 1;
  at('result').replaceChildren();
  const count = model.classes.length;
  const classes = count ? `, ${count} ${count === 1 ? 'class' : 'classes'}` : '';
  const kind = model.kind.replaceAll('-', ' ');
  at('about').textContent = shown(`${model.name}: ${kind} from the recipe ${model.recipe}${classes}`);
  const forms = { image: imageForm, row: rowForm, text: textForm, prompt: promptForm, observation: observationForm };
  at('input').replaceChildren(forms[model.input.type](model));
}

function imageForm(model) {
  const file = make('input', { type: 'file', accept: 'image/*' });
  const drop = make('label', { className: 'drop' }, 'Drop an image here, or choose one', file);
  const use = (image) => image && ask(model, image, { 'Content-Type': 'application/octet-stream' }, image);
  file.addEventListener('change', () => use(file.files[0]));
  drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    use(event.dataTransfer.files[0]);
  });
  return drop;
}

function withButton(text, send, ...fields) {
  const button = make('button', { type: 'submit', textContent: text });
  const form = make('form', {}, ...fields, button);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try { await send(); } finally { button.disabled = false; }
  });
  return form;
}

const json = { 'Content-Type': 'application/json' };

function rowForm(model) {
  const fields = model.input.columns.map((column) => [column, field(column)]);
  const labels = fields.map(([column, input]) => make('label', {}, column.name, input));
  const send = () => {
    const row = {};
    for (const [column, input] of fields) {
      const text = input.value.trim();
      const number = Number(text);
      const isNumber = column.kind === 'numeric' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
      const isFlag = column.kind === 'boolean' && (text === '0' || text === '1');
      row[column.name] = text === '' ? null : isNumber || isFlag ? number : text;
    }
    return ask(model, JSON.stringify(row), json);
  };
  return withButton('Predict', send, make('div', { className: 'fields' }, ...labels));
}

function field(column) {
  const { kind, values, typical } = column;
  if (values.length && values.length <= 50) {
    const choice = select(values);
    choice.value = typical;
    return choice;
  }
  return make('input', { type: 'text', inputMode: kind === 'numeric' ? 'decimal' : 'text', value: typical });
}

function select(values) {
  const options = values.map((value) => make('option', { value, textContent: value }));
  return make('select', {}, ...options, make('option', { value: '', textContent: '(missing)' }));
}

function textForm(model) {
  const first = make('textarea', { placeholder: model.input.pair ? 'First text' : 'Text' });
  const second = make('textarea', { placeholder: 'Second text' });
  const send = () => {
    const text = first.value;
    const body = model.input.pair ? { text, text_pair: second.value } : { text };
    return ask(model, JSON.stringify(body), json);
  };
  return withButton('Predict', send, first, ...(model.input.pair ? [second] : []));
}

function observationForm(model) {
  const zeros = Array(model.input.size).fill('0').join(', ');
  const input = make('input', { type: 'text', value: zeros, size: 40 });
  const send = () => {
    const numbers = input.value.split(/[\s,[\]]+/).filter(Boolean).map(Number);
    return ask(model, JSON.stringify(numbers), json);
  };
  return withButton('Act', send, make('label', {}, `${model.input.size} numbers `, input), ' ');
}

function promptForm(model) {
  const prompt = make('textarea', { value: 'Once ' });
  return withButton('Generate', () => generate(model, prompt.value), prompt);
}

async function ask(model, body, more, image) {
  const own = (last += 1);
  fail('');
  const begin = performance.now();
  let response;
  try {
    const path = `/v1/models/${encodeURIComponent(model.name)}/predict`;
    response = await fetch(path, { method: 'POST', headers: headers(more), body });
  } catch (error) {
    return own === last && fail(`The server does not answer: ${error.message}`);
  }
  const reason = response.ok ? '' : await problem(response);
  const answer = response.ok ? await response.json() : null;
  if (own !== last) return;
  if (!answer) {
    at('result').replaceChildren();
    return fail(reason);
  }
  const note = response.headers.get('Tinderbox-Note');
  render(answer, performance.now() - begin, note, image);
}

function render(answer, milliseconds, note, image) {
  const parts = [];
  // As the command line shows it.
  const value = typeof answer.value === 'number' ? answer.value.toFixed(6) : answer.value;
  const text = answer.label ?? value ?? answer.action ?? (answer.labels && (answer.labels.join(', ') || 'no label'));
  if (text !== undefined) parts.push(make('p', { className: 'answer', textContent: String(text) }));
  if (answer.tags) parts.push(make('p', { className: 'answer', textContent: answer.tags.map(([word, tag]) => `${word}/${tag}`).join(' ') }));
  const shares = answer.probabilities || answer.areas;
  if (shares) parts.push(bars(shares));
  const { threshold, classes } = current();
  if (answer.label !== undefined && threshold !== undefined) {
    const text = `The label is ${classes[1]} from a probability of ${(100 * threshold).toFixed(1)}% on.`;
    parts.push(make('p', { className: 'muted', textContent: text }));
  }
  if (note) parts.push(make('p', { className: 'muted', textContent: `Note: ${note}` }));
  if (image) parts.push(photo(answer, image));
  if (answer.objects) parts.push(list(answer.objects));
  parts.push(make('p', { className: 'muted', textContent: `${milliseconds.toFixed(1)} ms` }));
  const raw = JSON.stringify(answer, null, 1);
  const short = raw.length > 20000 ? `${raw.slice(0, 20000)}…` : raw;
  parts.push(make('details', {}, make('summary', { textContent: 'JSON' }), make('pre', { textContent: short })));
  at('result').replaceChildren(...parts);
}

function bars(shares) {
  const all = Object.entries(shares).sort((a, b) => b[1] - a[1]).slice(0, 10);
  const rows = all.map(([name, value]) => make('tr', {},
    make('td', { textContent: name }),
    make('td', {}, make('progress', { max: 1, value })),
    make('td', { textContent: `${(100 * value).toFixed(1)}%` })));
  return make('table', { className: 'bars' }, make('tbody', {}, ...rows));
}

// What is drawn on the image, in words.
function list(objects) {
  if (!objects.length) return make('p', { textContent: 'No object found.' });
  const row = (tag, cells) => make('tr', {}, ...cells.map((text) => make(tag, { textContent: text })));
  const rows = objects.map(({ label, score, box }) => row('td', [label, score.toFixed(2), box.map((side) => side.toFixed(0)).join(', ')]));
  const head = row('th', ['class', 'score', 'left, top, right, bottom']);
  return make('div', { className: 'wide' }, make('table', {}, head, ...rows));
}

const svg = (tag, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function photo(answer, image) {
  const url = URL.createObjectURL(image);
  const picture = make('img', { src: url, alt: image.name || 'the image' });
  picture.addEventListener('load', () => URL.revokeObjectURL(url));
  const frame = make('div', { className: 'photo' }, picture);
  if (!answer.height) return frame;
  const overlay = svg('svg', { viewBox: `0 0 ${answer.width} ${answer.height}` });
  const unit = Math.max(answer.width, answer.height) / 300;
  for (const { label, score, box: [left, top, right, bottom] } of answer.objects || []) {
    overlay.append(svg('rect', { x: left, y: top, width: right - left, height: bottom - top, fill: 'none', stroke: '#e8590c', 'stroke-width': 1.5 * unit }));
    const name = svg('text', { x: left, y: Math.max(top - 2 * unit, 9 * unit), fill: '#e8590c', 'font-size': 10 * unit });
    name.textContent = shown(`${label} ${score.toFixed(2)}`);
    overlay.append(name);
  }
  for (const face of answer.faces || []) {
    for (const [x, y] of face.points) overlay.append(svg('circle', { cx: x, cy: y, r: 1.5 * unit, fill: '#e8590c' }));
  }
  frame.append(overlay);
  return frame;
}

async function generate(model, prompt) {
  const own = (last += 1);
  fail('');
  const out = make('pre');
  at('result').replaceChildren(out);
  let response;
  try {
    const body = JSON.stringify({ prompt, model: model.name });
    response = await fetch('/v1/generate', { method: 'POST', headers: headers(json), body });
  } catch (error) {
    return fail(`The server does not answer: ${error.message}`);
  }
  if (!response.ok) return fail(await problem(response));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done || own !== last) return own === last || reader.cancel();
    pending += value;
    const events = pending.split('\n\n');
    pending = events.pop();
    for (const event of events) {
      const data = event.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
      const content = JSON.parse(data || '{}');
      if (content.detail) fail(content.detail);
      out.append(shown(content.text || ''));
    }
  }
}

at('model').addEventListener('change', show);
// A link has no token.
at('docs').addEventListener('click', async (event) => {
  if (!token) return;
  event.preventDefault();
  const response = await fetch('/docs', { headers: headers() });
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  document.querySelector('main').replaceWith(page.querySelector('main'));
});
at('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = at('token').value.trim();
  start();
});
start();
