// What the explorers share: controls, axes, the frontier, tiles, numbers. Python puts this file in front of each
// widget's own; nothing here knows what is decided. Colours are CSS variables (see widgets.css). Names come from data,
// so text is only ever set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Setting a text anew makes screen readers say it again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Counted for the whole page: each widget runs its own copy of this file, and a label must find its own control.
const newId = () => {
  globalThis.workbenchLastId = (globalThis.workbenchLastId ?? 0) + 1;
  return `wb-${globalThis.workbenchLastId}`;
};

// Numbers as Python prints them: 1,234.5 and +0.2.
const formats = new Map();
function number(value, digits = 0, signed = false) {
  const key = `${digits}${signed}`;
  if (!formats.has(key)) {
    const exactly = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(key, new Intl.NumberFormat("en-US", { ...exactly, signDisplay: signed ? "always" : "negative" }));
  }
  return formats.get(key).format(value);
}

const span = ([estimate, low, high], digits) =>
  `${number(estimate, digits, true)} (${number(low, digits, true)} to ${number(high, digits, true)})`;

// Controls. Lab takes arrow keys away from native controls unless they carry data-lm-suppress-shortcuts.

function slider({ label, values, say, onChange }) {
  const id = newId();
  const input = element("input", {
    id, type: "range", min: 0, max: values.length - 1, step: 1, "data-lm-suppress-shortcuts": "true",
  });
  const shown = element("output", { for: id });
  const node = element("div", { class: "wb-control" }, element("label", { for: id }, label), shown, input);
  const show = (value) => {
    const at = nearest(values, value);
    input.value = at;
    input.setAttribute("aria-valuetext", say(values[at]));
    setText(shown, say(values[at]));
  };
  input.addEventListener("input", () => onChange(values[Number(input.value)]));
  return { node, show };
}

// A value that came from elsewhere is one of the list but for its last digit.
function nearest(values, value) {
  const away = values.map((each) => Math.abs(each - value));
  return away.indexOf(Math.min(...away));
}

// Options: [{ value, text, group }]; a group of its own for each run of equal groups, none where it is empty.
function dropDown({ label, options, onChange }) {
  const id = newId();
  const select = element("select", { id, "data-lm-suppress-shortcuts": "true" });
  let group = select;
  for (const { value, text, group: name } of options) {
    if (!name) group = select;
    else if (group.label !== name) select.append((group = element("optgroup", { label: name })));
    group.append(element("option", { value }, text));
  }
  select.addEventListener("change", () => onChange(select.value));
  const node = element("div", { class: "wb-control" }, element("label", { for: id }, label), select);
  return { node, show: (value) => { select.value = value; } };
}

// The segments of an explorer as options; those of one dimension share a group. `who` are users or sessions.
function segmentOptions(segments, who = "users") {
  return segments.map(({ name, users }) => {
    const [group, ...rest] = name.split(": ");
    const text = `${rest.join(": ") || name} (${number(users)} ${who})`;
    return { value: name, text, group: rest.length ? group : "" };
  });
}

// A button that sets traits back to what they were at first.
function backButton(model, first) {
  const button = element("button", { type: "button", class: "wb-back" }, "Back to the base case");
  button.addEventListener("click", () => {
    for (const [trait, value] of Object.entries(first)) model.set(trait, value);
    model.save_changes();
  });
  return button;
}

// Parts: shape and colour both say which policy is meant, so that neither carries it alone.

const SHAPES = {
  "model": "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
  "best rule": "M-4.6-4.6H4.6V4.6H-4.6Z",
  "today": "M0-5.6L5.4 4.4H-5.4Z",
  "perfect knowledge": "M0-7L1.7-2.3 6.7-2.2 2.7.9 4.1 5.7 0 2.9-4.1 5.7-2.7.9-6.7-2.2-1.7-2.3Z",
};
const colourOf = (part) => `wb-${part.replace(" ", "-")}`;
const mark = (part, attributes = {}) =>
  drawn("path", { d: SHAPES[part], class: `wb-mark ${colourOf(part)}`, ...attributes });
const badge = (part) =>
  drawn("svg", { class: "wb-badge", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(part));

// A tile: one quantity, a line a policy. `show` takes one text a part.
function tile({ title, unit, parts }) {
  // Not a dl: Lab has a style of its own for these.
  const values = parts.map(() => element("span", { class: "wb-value" }));
  const lines = parts.map((part, i) => element("div", { class: colourOf(part), role: "listitem" },
    element("span", { class: "wb-part" }, badge(part), part), values[i]));
  const node = element("div", { class: "wb-tile", role: "group", "aria-label": `${title}, ${unit}` },
    element("div", { class: "wb-title" }, title), element("div", { class: "wb-unit" }, unit),
    element("div", { class: "wb-lines", role: "list" }, ...lines));
  return { node, show: (texts) => texts.forEach((text, i) => setText(values[i], text)) };
}

// Axes

const linear = ([from, to], [start, end]) => (value) => start + ((value - from) / (to - from)) * (end - start);

function ticks([from, to], most) {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const found = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9 * step; k += 1) found.push(k * step);
  return found;
}

// Decimals that tell one tick from the next.
const digitsOf = ([first, second]) => Math.max(0, -Math.floor(Math.log10(second - first || 1) + 1e-9));

function axes({ width, height, frame, x, y, xTicks, yTicks, xLabel, yLabel }) {
  const { left, right, top, bottom } = frame;
  const group = drawn("g", { class: "wb-axes" });
  const [xDigits, yDigits] = [xTicks, yTicks].map(digitsOf);
  for (const value of yTicks) {
    group.append(
      drawn("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, yDigits)));
  }
  for (const value of xTicks) {
    const place = { x: x(value), y: height - bottom + 17, "text-anchor": "middle" };
    group.append(drawn("text", place, number(value, xDigits)));
  }
  group.append(
    drawn("line", { class: "wb-base", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    drawn("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, xLabel),
    drawn("text", { x: 0, y: 11 }, yLabel));
  return group;
}

// The frontier: lines (a policy whose limit moves), marks (what was chosen) with intervals, and the dashed line of all
// that is worth as much as one of the marks. `lines`: [{ part, points: [[x, y]] }]; `marks`: [{ part, name, x, y,
// bars: [xLow, xHigh, yLow, yHigh] | null }]; `equal`: { x, y, slope } or null. Without an `xRange`, as far as all reaches.
function frontier({ width, lines, marks, equal, xLabel, yLabel, xRange, yRange, label }) {
  const height = Math.round(Math.min(380, Math.max(260, 0.55 * width)));
  const frame = { left: 34, right: 10, top: 24, bottom: 42 };
  const farthest = Math.max(
    1, ...marks.flatMap((each) => [each.x, each.bars ? each.bars[1] : 0]),
    ...lines.flatMap((line) => line.points.map((point) => point[0])));
  xRange ??= [0, 1.08 * farthest];
  const x = linear(xRange, [frame.left, width - frame.right]);
  const y = linear(yRange, [height - frame.bottom, frame.top]);
  // An svg in an svg cuts off what lies outside it.
  const inside = [frame.left, frame.top - 8, width - frame.left - frame.right, height - frame.top - frame.bottom + 8];
  const plot = drawn("svg", {
    x: inside[0], y: inside[1], width: inside[2], height: inside[3], viewBox: inside.join(" "),
  });
  const picture = drawn(
    "svg", { class: "wb-frontier", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    axes({
      width, height, frame, x, y, xLabel, yLabel, xTicks: ticks(xRange, width < 480 ? 4 : 7), yTicks: ticks(yRange, 5),
    }),
    plot);
  if (equal) {
    const worth = (cost) => equal.y + equal.slope * (cost - equal.x);
    plot.append(drawn("line", {
      class: "wb-equal", x1: x(0), y1: y(worth(0)), x2: x(xRange[1]), y2: y(worth(xRange[1])),
    }));
  }
  for (const { part, points } of lines) {
    const at = points.map(([cost, gain]) => `${x(cost).toFixed(1)} ${y(gain).toFixed(1)}`);
    if (at.length) plot.append(drawn("path", { class: `wb-line ${colourOf(part)}`, d: `M${at.join("L")}` }));
  }
  for (const each of marks) {
    if (each.bars) plot.append(bars(each, x, y));
  }
  for (const each of marks) plot.append(mark(each.part, { transform: `translate(${x(each.x)} ${y(each.y)})` }));
  picture.append(names(marks, x, y, { width, height, frame }));
  return picture;
}

function bars({ part, x: atX, y: atY, bars: [xLow, xHigh, yLow, yHigh] }, x, y) {
  return drawn("path", {
    class: `wb-bar ${colourOf(part)}`,
    d: `M${x(xLow)} ${y(atY)}H${x(xHigh)}M${x(atX)} ${y(yLow)}V${y(yHigh)}`,
  });
}

// Names beside their marks: the first place, from the nearest on, that touches neither a mark nor another name.
const LINE_PX = 15, LETTER_PX = 7;
function names(marks, x, y, { width, height, frame }) {
  const group = drawn("g", { class: "wb-names" });
  const at = marks.map((each) => ({ ...each, px: x(each.x), py: y(each.y) }));
  const taken = at.map(({ px, py }) => ({ from: px - 7, to: px + 7, at: py + 5 }));
  const isFree = (box) => box.from >= frame.left && box.to <= width - frame.right && box.at > frame.top - 8
    && box.at < height - frame.bottom
    && !taken.some((other) => Math.abs(other.at - box.at) < LINE_PX && box.from < other.to && other.from < box.to);
  for (const { part, name, bars: around, px, py } of at) {
    const long = LETTER_PX * name.length;
    const level = py + (around ? -7 : 4);
    const places = [0, 1, -1, 2, -2, 3, -3].flatMap((line) => [1, -1].map((side) => {
      const from = side > 0 ? px + 11 : px - 11 - long;
      return { side, from, to: from + long, at: level + line * LINE_PX };
    }));
    const place = places.find(isFree) ?? places[0];
    taken.push(place);
    const edge = px + 11 * place.side;
    if (Math.abs(place.at - level) > LINE_PX) {
      group.append(drawn("line", { x1: px, y1: py, x2: edge - 2 * place.side, y2: place.at - 4 }));
    }
    group.append(drawn("text", {
      class: colourOf(part), x: edge, y: place.at, "text-anchor": place.side > 0 ? "start" : "end",
    }, name));
  }
  return group;
}

// A difference with its interval, against a shaded margin within which it is too small to matter.
function intervalBar({ width, interval: [estimate, low, high], margin, part }) {
  const reach = 1.15 * Math.max(3 * margin, Math.abs(low), Math.abs(high));
  const x = linear([-reach, reach], [0, width]);
  return drawn("svg", { class: "wb-interval", viewBox: `0 0 ${width} 34`, "aria-hidden": "true" },
    drawn("rect", { class: "wb-margin", x: x(-margin), y: 0, width: x(margin) - x(-margin), height: 20 }),
    drawn("line", { class: "wb-zero", x1: x(0), x2: x(0), y1: 0, y2: 20 }),
    drawn("path", { class: `wb-bar ${colourOf(part)}`, d: `M${x(low)} 10H${x(high)}` }),
    mark(part, { transform: `translate(${x(estimate)} 10)` }),
    drawn("text", { x: 0, y: 32 }, "rule better"),
    drawn("text", { x: x(0), y: 32, "text-anchor": "middle" }, "0"),
    drawn("text", { x: width, y: 32, "text-anchor": "end" }, "model better"));
}

// Calls `draw` when the given traits change or the widget gets another width; returns what undoes it.
const SLIM_PX = 640;
function redraw(model, el, traits, draw) {
  let width = 0;
  const drawAt = (found) => {
    width = found;
    el.classList.toggle("wb-slim", width < SLIM_PX);
    draw(width);
  };
  const sized = new ResizeObserver(() => {
    if (el.clientWidth && el.clientWidth !== width) drawAt(el.clientWidth);
  });
  const changed = () => drawAt(el.clientWidth || width || SLIM_PX);
  for (const trait of traits) model.on(`change:${trait}`, changed);
  sized.observe(el);
  changed();
  return () => {
    sized.disconnect();
    for (const trait of traits) model.off(`change:${trait}`, changed);
  };
}
