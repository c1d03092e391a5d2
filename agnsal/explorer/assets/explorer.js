"use strict";
// The explorer: unpacks the arrays, fills the figures, and computes what the classifier says of edited spectra.

const $ = (id) => document.getElementById(id);
const page = JSON.parse($("document").textContent);
const figures = JSON.parse($("figures").textContent);
const C = 299792.458;
const state = { row: 0, edits: [], stroke: null, mean: null, verdicts: {} };

// ------------------------------------------------------------------------------------------------------- unpacking

async function bytes(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) packed[i] = letters.charCodeAt(i); // Uint8Array.from takes ten times as long
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Rows of whole steps: differences of neighbours, low bytes before high bytes.
async function steps(text, columns) {
  const planes = await bytes(text);
  const n = planes.length / 2;
  const out = new Int16Array(n);
  for (let i = 0; i < n; i += 1) {
    const folded = planes[i] | (planes[n + i] << 8);
    const difference = (folded >>> 1) ^ -(folded & 1);
    out[i] = i % columns ? out[i - 1] + difference : difference;
  }
  return out;
}

function values(table, row, columns, scale) {
  const out = new Float64Array(columns);
  for (let j = 0; j < columns; j += 1) out[j] = table[row * columns + j] * scale[row];
  return out;
}

// ----------------------------------------------------------------------------------------------------- the machine

const machine = page.machine;
const pairs = [];
for (let i = 0; i < page.classes.length; i += 1) for (let j = i + 1; j < page.classes.length; j += 1) pairs.push([i, j]);

function kernels(x) {
  const { vectors, d, norms } = machine.unpacked;
  const out = new Float64Array(machine.n_vectors);
  let own = 0;
  for (let j = 0; j < d; j += 1) own += x[j] * x[j];
  for (let s = 0; s < out.length; s += 1) {
    let product = 0;
    for (let j = 0, at = s * d; j < d; j += 1, at += 1) product += vectors[at] * x[j];
    if (machine.kernel === "rbf") out[s] = Math.exp(-machine.gamma * Math.max(0, own + norms[s] - 2 * product));
    else if (machine.kernel === "poly") out[s] = machine.gamma * product + machine.coef0; // before the power
    else out[s] = product;
  }
  return out;
}

const powered = (value) => (machine.kernel === "poly" ? value ** machine.degree : value);

function decisions(K) {
  return pairs.map((_, p) => {
    let sum = machine.intercepts[p];
    for (let s = 0; s < K.length; s += 1) sum += machine.unpacked.coefficients[p * K.length + s] * powered(K[s]);
    return sum;
  });
}

// Platt's sigmoids, and the coupling of Wu, Lin & Weng (2004), their second method, solved exactly.
function coupled(f) {
  const k = page.classes.length;
  const r = Array.from({ length: k }, () => new Float64Array(k));
  pairs.forEach(([i, j], p) => {
    const odds = -(machine.a[p] * f[p] + machine.b[p]);
    r[i][j] = 1 / (1 + Math.exp(-odds));
    r[j][i] = 1 / (1 + Math.exp(odds));
  });
  if (k === 2) return [r[0][1], r[1][0]];
  const Q = r.map((_, i) => r.map((_, j) => (i === j ? 0 : -r[j][i] * r[i][j])));
  for (let i = 0; i < k; i += 1) for (let j = 0; j < k; j += 1) if (i !== j) Q[i][i] += r[j][i] ** 2;
  const A = Q.map((row) => [...row, 1, 0]);
  A.push([...Array(k).fill(1), 0, 1]); // the bordered system of the constrained minimum
  return solve(A).slice(0, k).map((p) => Math.max(p, 1e-300));
}

function solve(A) {
  const n = A.length;
  for (let i = 0; i < n; i += 1) {
    let best = i;
    for (let r = i + 1; r < n; r += 1) if (Math.abs(A[r][i]) > Math.abs(A[best][i])) best = r;
    [A[i], A[best]] = [A[best], A[i]];
    for (let r = i + 1; r < n; r += 1) {
      const factor = A[r][i] / A[i][i];
      for (let c = i; c <= n; c += 1) A[r][c] -= factor * A[i][c];
    }
  }
  const out = Array(n).fill(0);
  for (let i = n - 1; i >= 0; i -= 1) {
    out[i] = A[i][n];
    for (let c = i + 1; c < n; c += 1) out[i] -= A[i][c] * out[c];
    out[i] /= A[i][i];
  }
  return out;
}

const probabilities = (x) => coupled(decisions(kernels(x)));

function logOdds(f, target) {
  if (page.classes.length === 2) {
    const odds = -(machine.a[0] * f[0] + machine.b[0]);
    return target === 0 ? odds : -odds;
  }
  const p = coupled(f);
  const rest = p.reduce((sum, value, i) => (i === target ? sum : sum + value), 0);
  return Math.log(p[target]) - Math.log(rest);
}

// The gradient of the log-odds: exact through the kernel, by central differences through the coupling.
function gradient(x, target) {
  const K = kernels(x);
  const f = decisions(K);
  const slope = f.map((value, p) => {
    const h = 1e-5 * Math.max(1, Math.abs(value));
    const at = (shift) => logOdds(f.map((v, q) => (q === p ? v + shift : v)), target);
    return (at(h) - at(-h)) / (2 * h);
  });
  const { vectors, d, coefficients } = machine.unpacked;
  const out = new Float64Array(d);
  let own = 0;
  for (let s = 0; s < K.length; s += 1) {
    let weight = 0;
    for (let p = 0; p < pairs.length; p += 1) weight += slope[p] * coefficients[p * K.length + s];
    if (machine.kernel === "rbf") weight *= 2 * machine.gamma * K[s];
    if (machine.kernel === "poly") weight *= machine.degree * machine.gamma * K[s] ** (machine.degree - 1);
    own += weight;
    for (let j = 0, at = s * d; j < d; j += 1, at += 1) out[j] += weight * vectors[at];
  }
  if (machine.kernel === "rbf") for (let j = 0; j < d; j += 1) out[j] -= own * x[j];
  return out;
}

// --------------------------------------------------------------------------------------------------------- editing

// A straight line under a window, between the medians of five bins on each side.
function baseline(x, start, stop) {
  const median = (from, to) => {
    const part = [...x.slice(Math.max(0, from), Math.min(x.length, to))].sort((a, b) => a - b);
    return part.length ? part[part.length >> 1] : x[Math.min(Math.max(from, 0), x.length - 1)];
  };
  const left = median(start - 5, start);
  const right = median(stop, stop + 5);
  const first = start - 3;
  const last = stop + 2;
  return (j) => left + ((right - left) * (j - first)) / (last - first);
}

function withLine(x, line, flux, width) {
  const out = Float64Array.from(x);
  const under = baseline(x, line.start, line.stop);
  const excess = (j) => (j >= line.start && j < line.stop ? x[j] - under(j) : 0);
  const middle = place(line.wavelength);
  const reach = Math.ceil((line.stop - line.start) * Math.max(1, width));
  const low = Math.max(0, Math.floor(middle - reach));
  const high = Math.min(x.length, Math.ceil(middle + reach));
  for (let j = low; j < high; j += 1) {
    const from = middle + (j - middle) / width; // the same flux, spread over a width that many times as large
    const k = Math.floor(from);
    const stretched = (excess(k) + (from - k) * (excess(k + 1) - excess(k))) / width;
    out[j] += flux * stretched - excess(j);
  }
  return out;
}

// The bin of a wavelength, with its fraction.
function place(wavelength) {
  const grid = page.wavelength;
  let j = grid.findIndex((value) => value >= wavelength);
  if (j < 0) j = grid.length - 1;
  if (j === 0) return 0;
  return j - (grid[j] - wavelength) / (grid[j] - grid[j - 1]);
}

function gaussian(x, at, fwhm, ew) {
  const sigma = (at * fwhm) / C / 2.354820045;
  const under = x[Math.round(place(at))];
  return Float64Array.from(x, (value, j) => {
    const z = (page.wavelength[j] - at) / sigma;
    return value + (under * ew * Math.exp(-0.5 * z * z)) / (sigma * Math.sqrt(2 * Math.PI));
  });
}

const observed = (row) => values(state.flux, row, page.wavelength.length, page.flux.scale);
const edited = () => state.edits.reduce((x, edit) => edit(x), observed(state.row));

// --------------------------------------------------------------------------------------------------------- drawing

const model = (name) => {
  for (const drawn of Bokeh.documents) {
    const found = drawn.get_model_by_name(name);
    if (found) return found;
  }
  return null;
};

function smooth(x) {
  const width = Number($("smooth").value);
  if (width === 1) return x;
  const half = width >> 1;
  return x.map((_, j) => {
    let sum = 0;
    let n = 0;
    for (let k = Math.max(0, j - half); k <= Math.min(x.length - 1, j + half); k += 1, n += 1) sum += x[k];
    return sum / n;
  });
}

function cells(row, kind, texts) {
  for (const text of texts) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

function fill(table, header, rows) {
  const parts = [cells(document.createElement("tr"), "th", header)];
  for (const [texts, name] of rows) {
    const row = cells(document.createElement("tr"), "td", texts);
    if (name) row.className = name;
    parts.push(row);
  }
  table.replaceChildren(...parts);
}

const digits = (value) => (value === null || value === undefined || Number.isNaN(value) ? "" : String(Number(value.toPrecision(3))));
const isBad = (row, j) => Boolean(state.mask && state.mask[row * state.maskWidth + (j >> 3)] & (128 >> (j & 7)));

function shownMap(x, target) {
  if (machine && !page.attribution) return gradient(x, target);
  return values(state.map, state.row, page.wavelength.length, page.attribution.scale);
}

function draw() {
  const { row } = state;
  const d = page.wavelength.length;
  const redshift = page.redshift ? page.redshift[row] : null;
  const factor = $("frame").value === "observed" && redshift !== null ? 1 + redshift : 1;
  const axis = page.wavelength.map((value) => value * factor);
  const seen = observed(row);
  const x = edited();
  const changed = state.edits.length > 0;
  const shown = smooth(seen);
  source("spectrum", { x: axis, y: [...shown] });
  source("edited", changed ? { x: axis, y: [...smooth(x)] } : { x: [], y: [] });
  source("mean", state.mean ? { x: axis, y: [...smooth(state.mean)] } : { x: [], y: [] });
  const band = { x: [], low: [], high: [] };
  if (page.errors) {
    const errors = values(state.errors, row, page.errors.n, page.errors.scale);
    axis.forEach((at, j) => {
      const sigma = errors[j >> 3];
      band.x.push(at);
      band.low.push(shown[j] - sigma);
      band.high.push(shown[j] + sigma);
    });
  }
  source("band", band);
  const bad = { left: [], right: [] };
  for (let j = 0; j < d; j += 1) {
    if (!isBad(row, j)) continue;
    let k = j;
    while (k + 1 < d && isBad(row, k + 1)) k += 1;
    bad.left.push(axis[j] - (axis[1] - axis[0]) / 2);
    bad.right.push(axis[k] + (axis[d - 1] - axis[d - 2]) / 2);
    j = k;
  }
  source("bad", bad);
  const target = Number($("target").value);
  const values_ = Float64Array.from(shownMap(x, target), (value, j) => (isBad(row, j) ? 0 : value));
  const zero = axis.map(() => 0);
  source("for", { x: axis, zero, value: Array.from(values_, (value) => Math.max(value, 0)) });
  source("against", { x: axis, zero, value: Array.from(values_, (value) => Math.min(value, 0)) });
  scale(axis, [...shown, ...(changed ? x : [])], values_, factor);
  const p = machine ? probabilities(seen) : page.probabilities[row];
  const now = changed ? probabilities(x) : null;
  const header = changed ? ["class", "P", "edited"] : ["class", "P"];
  fill($("probabilities"), header, page.classes.map((name, k) => [
    [name, p[k].toFixed(4), ...(now ? [now[k].toFixed(4)] : [])], k === page.predicted[row] ? "predicted" : ""]));
  const sum = (bins) => bins.reduce((total, j) => total + values_[j], 0);
  const without = (line) => probabilities(withLine(x, line, 0, 1))[target];
  const base = machine ? (now || p)[target] : null;
  fill($("lines"), ["line", "core", "wings", "bad", ...(machine ? ["P without it"] : [])], page.lines.map((line) => {
    const bins = [...line.core, ...line.wings];
    const share = bins.filter((j) => isBad(row, j)).length / bins.length;
    const texts = [line.label, digits(sum(line.core)), line.wings.length ? digits(sum(line.wings)) : "", share ? digits(share) : ""];
    return [[...texts, ...(machine ? [without(line).toFixed(3)] : [])], ""];
  }));
  $("changed").textContent = changed && base !== null
    ? `P(${page.classes[target]}) is ${p[target].toFixed(4)} as observed and ${now[target].toFixed(4)} as edited.` : "";
}

function source(name, data) {
  model(name).data = data;
}

function scale(axis, flux, map, factor) {
  const sorted = flux.filter(Number.isFinite).sort((a, b) => a - b);
  const low = Math.min(0, sorted[Math.floor(0.002 * sorted.length)]);
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(0.998 * sorted.length))];
  const room = (high - low) * 0.22 || 1;
  const spectrum = state.figures.spectrum;
  spectrum.y_range.setv({ start: low - 0.04 * (high - low), end: high + room });
  const axisKey = `${axis[0]} ${axis[axis.length - 1]}`;
  if (state.axisKey !== axisKey) {
    state.axisKey = axisKey;
    spectrum.x_range.setv({ start: axis[0], end: axis[axis.length - 1] });
  }
  const most = Math.max(...map.map(Math.abs)) || 1;
  state.figures.attribution.y_range.setv({ start: -1.05 * most, end: 1.05 * most });
  const marks = { x: [], y: [], label: [] };
  const levels = [-1e9, -1e9, -1e9];
  const apart = (axis[axis.length - 1] - axis[0]) * 0.055;
  [...page.lines].sort((a, b) => a.wavelength - b.wavelength).forEach((line) => {
    const at = line.wavelength * factor;
    let level = levels.findIndex((last) => at - last > apart);
    if (level < 0) level = levels.indexOf(Math.min(...levels));
    levels[level] = at;
    marks.x.push(at);
    marks.y.push(high + room * (0.72 - 0.3 * level));
    marks.label.push(line.label);
  });
  source("marks", marks);
}

// ---------------------------------------------------------------------------------------------------------- choosing

function choose(row, keep = false) {
  state.row = Math.min(Math.max(row, 0), page.n - 1);
  if (!keep) clearEdits();
  const id = page.ids[state.row];
  $("name").textContent = id;
  $("target").value = String(page.predicted[state.row]);
  const redshift = page.redshift ? page.redshift[state.row] : null;
  $("frame").disabled = redshift === null;
  if (redshift === null) $("frame").value = "rest";
  const said = page.columns.label ? `label: ${page.columns.label[state.row]}; ` : "";
  const p = Math.max(...page.probabilities[state.row]);
  $("about").textContent = `${state.row + 1} of ${page.n}; ${said}classified as ${page.classes[page.predicted[state.row]]}`
    + ` (P = ${p.toFixed(3)})${redshift === null ? "" : `; z = ${redshift}`}`;
  const familiar = page.columns["familiarity p"]?.[state.row];
  $("about").classList.toggle("care", familiar !== undefined && familiar !== null && familiar <= 0.05);
  if (familiar !== undefined && familiar !== null && familiar <= 0.05) {
    $("about").textContent += `; hardly like anything the classifier was trained on (p = ${digits(familiar)}): doubt the class`;
  }
  source("ring", { x: [page.map[state.row][0]], y: [page.map[state.row][1]] });
  showVerdict();
  try {
    history.replaceState(null, "", `#id=${encodeURIComponent(id)}`);
  } catch {
    location.hash = `id=${encodeURIComponent(id)}`;
  }
  draw();
}

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("id");
  const row = asked === null ? -1 : page.ids.indexOf(asked);
  if (row >= 0) choose(row);
  return row >= 0;
}

function colorBy(name) {
  const column = name.startsWith("P(") ? page.probabilities.map((p) => p[Number($("color-by").selectedOptions[0].dataset.k)]) : page.columns[name];
  const numbers = column.filter((value) => typeof value === "number");
  const different = [...new Set(column)];
  const legend = $("legend");
  legend.replaceChildren();
  let colors;
  if (numbers.length && different.length > page.colors.length) {
    const sorted = [...numbers].sort((a, b) => a - b);
    const low = sorted[Math.floor(0.01 * sorted.length)];
    const high = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))];
    colors = column.map((value) => (value === null ? "#bbbbbb" : ramp((value - low) / (high - low || 1))));
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map(ramp).join(", ")})`;
    legend.append(digits(low), bar, digits(high));
  } else {
    const order = page.classes.filter((each) => different.includes(each));
    different.filter((each) => !order.includes(each)).sort().forEach((each) => order.push(each));
    const free = (k) => (k < page.colors.length ? page.colors[k] : "#999999");
    const of = new Map(order.map((each, k) => [each, page.class_colors[page.classes.indexOf(each)] ?? free(k)]));
    colors = column.map((each) => of.get(each));
    order.slice(0, page.colors.length).forEach((each) => legend.append(entry(of.get(each), `${each} (${column.filter((v) => v === each).length})`)));
    if (order.length > page.colors.length) legend.append(entry("#999999", `${order.length - page.colors.length} others`));
  }
  const points = model("points");
  points.data = { ...points.data, color: colors, what: column.map((value) => `${name}: ${value ?? "unknown"}`) };
}

function entry(color, text) {
  const outer = document.createElement("span");
  outer.className = "entry";
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = color;
  outer.append(swatch, text);
  return outer;
}

// From dark blue over green to yellow, in equal steps of lightness (after viridis).
function ramp(part) {
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const at = Math.min(Math.max(part, 0), 1) * (stops.length - 1);
  const k = Math.min(Math.floor(at), stops.length - 2);
  const mix = stops[k].map((value, c) => Math.round(value + (at - k) * (stops[k + 1][c] - value)));
  return `rgb(${mix.join(",")})`;
}

function lasso(rows) {
  const box = $("group");
  if (rows.length < 2) {
    state.mean = null;
    box.hidden = true;
    draw();
    return;
  }
  const d = page.wavelength.length;
  const mean = new Float64Array(d);
  const map = new Float64Array(d);
  const target = Number($("target").value);
  const some = rows.length > 200 ? rows.filter((_, k) => k % Math.ceil(rows.length / 200) === 0) : rows;
  for (const row of rows) observed(row).forEach((value, j) => { mean[j] += value / rows.length; });
  for (const row of some) {
    const one = machine && !page.attribution ? gradient(observed(row), target) : values(state.map, row, d, page.attribution.scale);
    one.forEach((value, j) => { map[j] += value / some.length; });
  }
  state.mean = mean;
  const total = (bins) => bins.reduce((sum, j) => sum + map[j], 0);
  const strongest = page.lines.map((line) => [line.label, total([...line.core, ...line.wings])]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const counts = page.classes.map((name, k) => `${rows.filter((row) => page.predicted[row] === k).length} ${name}`);
  box.textContent = `Lasso: ${rows.length} spectra (${counts.join(", ")}). Green: their mean spectrum. Mean attribution of `
    + `${page.classes[target]}${some.length < rows.length ? ` (of ${some.length})` : ""}, strongest lines: `
    + `${strongest.slice(0, 4).map(([name, value]) => `${name} ${digits(value)}`).join(", ")}.`;
  box.hidden = false;
  draw();
}

// ---------------------------------------------------------------------------------------------------------- verdicts

const key = `agnsal explorer ${page.title} ${page.n} ${page.ids[0]}`;
const kept = () => state.verdicts;

function showVerdict() {
  const known = kept()[page.ids[state.row]] || {};
  document.querySelectorAll("input[name=verdict]").forEach((box) => { box.checked = box.value === known.verdict; });
  $("note").value = known.note || "";
  $("count").textContent = `${Object.keys(kept()).length} of ${page.n} judged`;
}

function judge(change) {
  const id = page.ids[state.row];
  const known = { ...(kept()[id] || {}), ...change };
  if (known.verdict || known.note) kept()[id] = known;
  else delete kept()[id];
  try {
    localStorage.setItem(key, JSON.stringify(kept()));
  } catch { /* a browser that keeps nothing: the export still works */ }
  showVerdict();
}

// A cell of CSV; what a spreadsheet would take for a formula is quoted as text.
function csv(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function exported() {
  const lines = [["object_id", "label", "predicted", "probability", "verdict", "note"]];
  page.ids.forEach((id, row) => {
    const known = kept()[id];
    if (!known) return;
    const label = page.columns.label ? page.columns.label[row] : "";
    lines.push([id, label, page.classes[page.predicted[row]], Math.max(...page.probabilities[row]), known.verdict, known.note]);
  });
  return `${lines.map((line) => line.map(csv).join(",")).join("\r\n")}\r\n`;
}

// ------------------------------------------------------------------------------------------------------------- events

function clearEdits() {
  state.edits = [];
  for (const [id, value] of [["edit-flux", 1], ["edit-width", 1]]) {
    $(id).value = value;
    $(`${id}-text`).value = value;
  }
}

function editLine() {
  const line = page.lines[Number($("edit-line").value)];
  const flux = Number($("edit-flux").value);
  const width = Number($("edit-width").value);
  $("edit-flux-text").value = flux;
  $("edit-width-text").value = width;
  state.edits = state.edits.filter((edit) => edit.line !== line.name);
  if (flux !== 1 || width !== 1) {
    const edit = (x) => withLine(x, line, flux, width);
    edit.line = line.name;
    state.edits.push(edit);
  }
  draw();
}

function listen() {
  $("previous").onclick = () => choose(state.row - 1);
  $("next").onclick = () => choose(state.row + 1);
  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight" || event.key === "n") choose(state.row + 1);
    if (event.key === "ArrowLeft" || event.key === "p") choose(state.row - 1);
  });
  $("search").onchange = () => {
    const asked = $("search").value.trim();
    let row = page.ids.indexOf(asked);
    if (row < 0 && asked) row = page.ids.findIndex((id) => id.toLowerCase().includes(asked.toLowerCase()));
    $("search").setCustomValidity(row < 0 ? "no such id" : "");
    if (row >= 0) choose(row);
    else $("search").reportValidity();
  };
  $("color-by").onchange = () => colorBy($("color-by").value);
  $("frame").onchange = draw;
  $("target").onchange = draw;
  $("smooth").oninput = () => { $("smooth-text").value = $("smooth").value; draw(); };
  window.addEventListener("hashchange", fromAddress);
  model("points").selected.properties.indices.change.connect(() => {
    const chosen = [...model("points").selected.indices];
    if (chosen.length === 1) choose(chosen[0]);
    lasso(chosen);
  });
  document.querySelectorAll("input[name=verdict]").forEach((box) => { box.onchange = () => judge({ verdict: box.value }); });
  $("note").onchange = () => judge({ note: $("note").value });
  $("export").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([exported()], { type: "text/csv" }));
    link.download = "verdicts.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  if (!machine) return;
  $("edit").hidden = false;
  $("edit-flux").oninput = editLine;
  $("edit-width").oninput = editLine;
  $("edit-line").onchange = () => {
    for (const id of ["edit-flux", "edit-width"]) { $(id).value = 1; $(`${id}-text`).value = 1; }
  };
  $("remove").onclick = () => { $("edit-flux").value = 0; editLine(); };
  $("add").onclick = () => {
    const [at, width, ew] = ["add-at", "add-width", "add-ew"].map((id) => Number($(id).value));
    if (!(at > 0 && width > 0 && Number.isFinite(ew))) return;
    state.edits.push((x) => gaussian(x, at, width, ew));
    draw();
  };
  $("reset").onclick = () => { clearEdits(); draw(); };
  const spectrum = state.figures.spectrum;
  $("drag").onchange = () => { spectrum.toolbar.active_drag = $("drag").checked ? null : "auto"; spectrum.toolbar.tools.forEach((tool) => { if ("active" in tool && $("drag").checked) tool.active = false; }); };
  const surface = $("spectra");
  surface.addEventListener("pointerdown", (event) => startDrag(event), true);
  surface.addEventListener("pointermove", (event) => moveDrag(event), true);
  surface.addEventListener("pointerup", (event) => endDrag(event), true);
}

// Where a pointer is, in wavelength at rest and flux; null outside the frame of the spectrum.
function under(event) {
  const view = state.views.spectrum;
  const box = view.canvas_view.el.getBoundingClientRect();
  const at = view.frame.bbox;
  const sx = event.clientX - box.left;
  const sy = event.clientY - box.top;
  if (sx < at.left || sx > at.right || sy < at.top || sy > at.bottom) return null;
  const redshift = page.redshift ? page.redshift[state.row] : null;
  const factor = $("frame").value === "observed" && redshift !== null ? 1 + redshift : 1;
  return [view.frame.x_scale.invert(sx) / factor, view.frame.y_scale.invert(sy)];
}

function startDrag(event) {
  const at = $("drag").checked ? under(event) : null;
  if (!at) return;
  event.preventDefault();
  event.stopPropagation();
  state.stroke = at;
  state.edits.push((x) => x);
}

function moveDrag(event) {
  const at = state.stroke && under(event);
  if (!at) return;
  event.stopPropagation();
  const [middle, first] = state.stroke;
  const half = Number($("brush").value) || 20;
  const lift = at[1] - first;
  state.edits[state.edits.length - 1] = (x) => Float64Array.from(x, (value, j) => {
    const z = (page.wavelength[j] - middle) / half;
    return value + lift * Math.exp(-0.5 * z * z);
  });
  draw();
}

function endDrag(event) {
  if (state.stroke) event.stopPropagation();
  state.stroke = null;
}

// -------------------------------------------------------------------------------------------------------------- start

function option(select, value, text, data = {}) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  Object.assign(made.dataset, data);
  select.append(made);
}

function dark() {
  if (!matchMedia("(prefers-color-scheme: dark)").matches) return;
  for (const name of ["map", "spectrum", "attribution"]) {
    const figure = state.figures[name];
    figure.background_fill_color = "#16181c";
    figure.border_fill_color = "#16181c";
    figure.outline_line_color = "#666";
    for (const part of [...figure.left, ...figure.below, ...figure.center]) {
      for (const field of ["axis_label_text_color", "major_label_text_color"]) if (field in part) part[field] = "#ddd";
      for (const field of ["axis_line_color", "major_tick_line_color", "minor_tick_line_color"]) if (part[field]) part[field] = "#999";
      if ("grid_line_color" in part) part.grid_line_color = "#333";
    }
  }
  model("flux").glyph.line_color = "#e6e6e6";
  model("labels").glyph.text_color = "#bbb";
}

async function start() {
  const d = page.wavelength.length;
  state.flux = await steps(page.flux.text, d);
  if (page.errors) state.errors = await steps(page.errors.text, page.errors.n);
  if (page.mask) {
    state.mask = await bytes(page.mask);
    state.maskWidth = Math.ceil(d / 8);
  }
  if (page.attribution) state.map = await steps(page.attribution.text, d);
  if (machine) {
    const m = machine.n_vectors;
    const raw = await steps(machine.vectors.text, d);
    const vectors = new Float64Array(m * d);
    const norms = new Float64Array(m);
    for (let s = 0; s < m; s += 1) {
      for (let j = 0; j < d; j += 1) {
        const value = raw[s * d + j] * machine.vectors.scale[s];
        vectors[s * d + j] = value;
        norms[s] += value * value;
      }
    }
    const coefficients = Float64Array.from(machine.coefficients.flat());
    machine.unpacked = { vectors, norms, coefficients, d };
  }
  try {
    state.verdicts = JSON.parse(localStorage.getItem(key)) || {};
  } catch {
    state.verdicts = {};
  }
  await Bokeh.embed.embed_item(figures.map, "map");
  await Bokeh.embed.embed_item(figures.spectra, "spectra");
  state.figures = Object.fromEntries(["map", "spectrum", "attribution"].map((name) => [name, model(`${name} figure`)]));
  state.views = Object.fromEntries(["map", "spectrum"].map((name) => [name, Bokeh.index.find_one(state.figures[name])]));
  dark();
  page.classes.forEach((name, k) => option($("target"), String(k), name));
  for (const name of Object.keys(page.columns)) option($("color-by"), name, name);
  page.classes.forEach((name, k) => option($("color-by"), `P(${name})`, `P(${name})`, { k: String(k) }));
  page.lines.forEach((line, k) => option($("edit-line"), String(k), line.label));
  $("edit-line").value = String(Math.max(0, page.lines.findIndex((line) => line.name === "Hbeta")));
  page.ids.slice(0, 2000).forEach((id) => option($("ids"), id, id));
  $("add-at").value = page.lines.length ? page.lines[0].wavelength : Math.round(page.wavelength[d >> 1]);
  $("color-by").value = page.columns.label ? "label" : "predicted class";
  $("facts").textContent = `${page.n} spectra, ${d} bins from ${page.wavelength[0].toFixed(0)} to ${page.wavelength[d - 1].toFixed(0)} Å; `
    + `classes: ${page.classes.join(", ")}.`;
  const what = page.attribution ? `${page.attribution.words}, as stored` : "gradient of the log-odds of the class that is chosen above, computed here";
  $("map-words").textContent = `Attribution: ${what}. Blue speaks for it, red against; hatched bins were not observed and get none. `
    + "The table sums it over core and wings of each line.";
  $("small").textContent = machine
    ? `The classifier in this page (${machine.kernel} kernel, ${machine.n_vectors} vectors, rounded) differs from the original by at most `
      + `${machine.error.probability.toPrecision(2)} in any probability of these spectra; gradients correlate with the original ones to ${machine.error.gradient.toFixed(5)} or better. `
      + `Flux is rounded to ${page.n > 5000 ? "a 16th" : "a 32nd"} of its median error. Edits are experiments on the classifier: whether a spectrum like the edited one exists, they do not say.`
    : "This classifier cannot travel in a page: probabilities and attributions were computed when it was written, and spectra cannot be edited.";
  colorBy($("color-by").value);
  listen();
  if (!fromAddress()) choose(0);
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  $("facts").textContent = `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
  throw error;
});

window.explorer = { page, state, probabilities, gradient, observed, edited, choose, exported, withLine };
