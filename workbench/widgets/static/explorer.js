// Any decision under other assumptions: what `compare` would print there, segment by segment. Names, units and words
// come with the data; what one decision alone shows is a panel, at the end of this file.

// Where no ends are given: how far right of the costliest rule or model, how far above the best, and at least.
const FURTHER = 1.8, HIGHER = 1.15, LEAST_COST = 0.05, LEAST_GAIN = 1;

// Lists are flat: segment, setting, then what they hold. A setting is one value of each slider that settles.
function reader(data, values, name) {
  const segment = data.segments.findIndex((each) => each.name === name);
  const chosen = {};
  let setting = 0, settings = 1, isSettled = segment === 0, isBase = isSettled;
  for (const { name: slider, values: among, base, settles } of data.sliders) {
    const at = nearest(among, values[slider] ?? base), isMoved = among[at] !== base;
    chosen[slider] = { at, value: among[at] };
    if (settles) [setting, settings] = [setting * among.length + at, settings * among.length];
    if (isMoved) [isBase, isSettled] = [false, isSettled && !settles];
  }
  const cell = segment * settings + setting;
  return {
    segment, setting, chosen, isBase, isSettled, rule: data.best_rule[setting],
    read: (list, width) => list.slice(cell * width, (cell + 1) * width),
  };
}

// Each tile's numbers, one a policy; a tile that nothing was counted for is a sum of others, weighed by sliders.
function figures(data, at) {
  const shown = {}, policies = data.policies.length;
  for (const [name, list] of Object.entries(data.figures)) shown[name] = at.read(list, policies);
  for (const { name, terms } of data.tiles) shown[name] ??= data.policies.map((_, i) => addUp(terms, shown, at, i));
  return shown;
}

const addUp = (terms, shown, { chosen }, policy) => terms.reduce(
  (sum, [tileName, slider, factor]) => sum + factor * shown[tileName][policy] * (slider ? chosen[slider].value : 1), 0);

const written = ({ digits, signed }) => (value) =>
  (value === null ? "\u2013" : number(value || 0, digits, signed && value !== 0));

function lines(data, at, reach) {
  const found = [];
  for (const { rule, settings, points, cost, gain } of data.lines) {
    const ends = settings.find(([setting]) => setting === at.setting);
    if (!ends) continue;
    const start = at.segment * points, places = [];
    for (let k = ends[1]; k < ends[2]; k += 1) places.push([cost[start + k], gain[start + k]]);
    // One point beyond the picture, so that the line leaves it instead of ending.
    const beyond = places.findLastIndex(([x]) => x > reach);
    found.push({ part: rule === null ? "model" : "best rule", points: places.slice(Math.max(0, beyond)) });
  }
  return found;
}

function marks(data, at) {
  const places = at.read(data.marks, 2 * data.policies.length), ends = at.read(data.bars, 8);
  const rule = data.policies.indexOf("best rule"), [ruleX, ruleY] = places.slice(2 * rule, 2 * rule + 2);
  return data.policies.map((part, i) => {
    const own = { "model": ends.slice(0, 4), "today": ends.slice(4) }[part];
    const isTrusted = part !== "model" || !(at.isSettled && data.gain);
    const around = own && isTrusted && [ruleX + own[0], ruleX + own[1], ruleY + own[2], ruleY + own[3]];
    return { part, name: part, x: places[2 * i], y: places[2 * i + 1], bars: around || null };
  });
}

// What the picture shows, and what lies too far off and is named beneath it.
function pictureOf(data, at) {
  const every = marks(data, at);
  if (data.gains) return { yRange: data.gains, lines: lines(data, at, Infinity), marks: every, far: [] };
  const acting = every.filter(({ part }) => part !== "perfect knowledge");
  const reach = Math.max(LEAST_COST, FURTHER * Math.max(...acting.map(({ x }) => x)));
  const shown = lines(data, at, reach);
  const reached = shown.flatMap(({ points }) => points.filter(([x]) => x <= reach).map(([, y]) => y));
  const top = HIGHER * Math.max(LEAST_GAIN, ...reached, ...acting.map(({ y, bars }) => Math.max(y, bars ? bars[3] : y)));
  return {
    xRange: [-0.015 * reach, reach], yRange: [-0.03 * top, top], lines: shown,
    marks: every.filter(({ y }) => y <= top), far: every.filter(({ y }) => y > top),
  };
}

const inSentence = (label) => `${label[0].toLowerCase()}${label.slice(1)}`;

function drawFrontier(data, at, shown, width) {
  const [cost, gain] = data.axes, rule = [...shown.marks, ...shown.far].find(({ part }) => part === "best rule");
  const place = ({ part, x, y }) => `${part} ${number(y, gain.digits)} at ${number(x, cost.digits)}`;
  const label = `${gain.label} against ${inSentence(cost.label)}`;
  return {
    beyond: shown.far.length ? `Beyond the picture: ${shown.far.map(place).join(", ")}.` : "",
    picture: frontier({
      ...shown, width: Math.min(width, 760), xLabel: cost.label, yLabel: gain.label,
      equal: data.slope && { x: rule.x, y: rule.y, slope: data.slope[at.setting] },
      label: `${label}: ${[...shown.marks, ...shown.far].map(place).join(", ")}.`,
    }),
  };
}

function findingOf(data, at, difference) {
  const { name, digits } = data.unit;
  const gain = (at.isSettled && data.gain) || span(difference, digits);
  return `Model minus best rule: ${gain} ${name}; smallest gain that matters: ${data.margin}.`
    + (at.isSettled ? `${data.rival} Verdict: ${data.verdict}.` : " Exploratory: only the base case has a verdict.");
}

function noteOf(data, at) {
  return `${data.about[at.setting]} Best rule here: ${data.rules[at.rule]}. Today: ${data.today}. Limits are tuned `
    + "again at every setting. Intervals: 95\u00a0%, for the difference from the best rule.";
}

function render({ model, el }) {
  const data = model.get("data");
  const set = (trait, value) => {
    model.set(trait, value);
    model.save_changes();
  };
  const sliders = data.sliders.map(({ name, label, values, texts }) => slider({
    label, values, say: (value) => texts[values.indexOf(value)],
    onChange: (value) => set("values", { ...model.get("values"), [name]: value }),
  }));
  const segment = dropDown({
    label: "Views of", options: segmentOptions(data.segments, data.people), onChange: (name) => set("segment", name),
  });
  const back = backButton(model, {
    values: Object.fromEntries(data.sliders.map(({ name, base }) => [name, base])), segment: data.segments[0].name,
  });
  const finding = element("p", { class: "wb-finding", "aria-live": "polite" });
  const note = element("p", { class: "wb-note" }), beneath = element("p", { class: "wb-note" });
  const interval = element("div"), picture = element("div");
  const tiles = data.tiles.map((each) => tile({ ...each, parts: data.policies }));
  const panels = Object.entries(data.panels)
    .map(([name, { fixed, settings }]) => ({ settings, ...panelOf(name)(data, fixed) }));
  const tilesClass = tiles.length % 3 ? "wb-tiles" : "wb-tiles wb-sixfold";
  el.replaceChildren(element("section", { class: "wb", "aria-label": `Explorer of ${data.title}` },
    ...(data.simulated ? [element("p", { class: "wb-simulated" }, `SIMULATED: ${data.dataset}`)] : []),
    element("div", { class: "wb-controls" }, ...sliders.map((each) => each.node), segment.node, back),
    finding, interval, note, element("div", { class: tilesClass }, ...tiles.map((each) => each.node)),
    picture, beneath, ...panels.map((each) => each.node)));

  return redraw(model, el, ["values", "segment"], (width) => {
    const at = reader(data, model.get("values"), model.get("segment"));
    const shown = figures(data, at), difference = at.read(data.difference, 3);
    for (const [i, { name }] of data.sliders.entries()) sliders[i].show(at.chosen[name].value);
    segment.show(model.get("segment"));
    back.disabled = at.isBase;
    setText(finding, findingOf(data, at, difference));
    setText(note, noteOf(data, at).trim());
    // Without an interval in words, where too few users met a different outcome to trust one, there is no bar either.
    interval.hidden = at.isSettled && Boolean(data.gain);
    interval.replaceChildren(intervalBar({
      width: Math.min(width, 560), interval: difference, margin: data.margin, part: "model",
    }));
    for (const [i, each] of data.tiles.entries()) tiles[i].show(shown[each.name].map(written(each)));
    const drawnNow = drawFrontier(data, at, pictureOf(data, at), width);
    picture.replaceChildren(drawnNow.picture);
    setText(beneath, drawnNow.beyond);
    beneath.hidden = !drawnNow.beyond;
    for (const panel of panels) panel.show({ at, shown, width, setting: panel.settings[at.setting] });
  });
}

// Panels: each takes the data and what is fixed; `show` takes the figures shown, and what its setting has.

const SENT_BY = ["today", "best rule", "model"];
const SPEEDS = ["slow", "middle", "fast"];

// The photograph as each policy sends it to slow, middle and fast users.
function photosPanel(data, { renditions, images_per_view: images, photos }) {
  const rows = SPEEDS.map((speed) => {
    const cells = SENT_BY.map((part) => {
      const image = element("img", { alt: "", width: 240, height: 160 });
      const share = element("span"), load = element("span");
      const node = element("td", {}, element("figure", {}, image, element("figcaption", {}, share, load)));
      return { node, image, share, load, part };
    });
    return { speed, cells };
  });
  const heads = SENT_BY.map((part) => element("th", { scope: "col", class: colourOf(part) }, badge(part), part));
  const table = element("table", { class: "wb-photos" },
    element("caption", {}, `A detail of one of a view's ${images} images, as most views of the slowest, the middle and `
      + "the fastest fifth of these users get it, and the median time until all images are there."),
    element("thead", {}, element("tr", {}, element("td"), ...heads)),
    element("tbody", {}, ...rows.map(({ speed, cells }) =>
      element("tr", {}, element("th", { scope: "row" }, speed), ...cells.map((cell) => cell.node)))));
  const box = element("div", { class: "wb-scroll" }, table);
  const absent = element("p", { class: "wb-note" },
    "What users see is not shown: fewer than 20 users, or no photograph.");

  const fillCell = (cell, speed, [rendition, share, load], budget) => {
    const name = renditions[rendition], isLate = load === null || load > budget;
    if (cell.image.dataset.rendition !== name) {
      cell.image.dataset.rendition = name;
      cell.image.src = photos[name] ?? "";
    }
    cell.image.alt = `The ${name} photograph, as ${cell.part} sends it to the ${speed} fifth of users`;
    setText(cell.share, `${name}: ${share}\u00a0%`);
    const median = load === null ? "never there" : `${number(load)}\u00a0ms`;
    setText(cell.load, isLate && load !== null ? `late: ${median}` : median);
    cell.load.classList.toggle("wb-late", isLate);
  };
  const show = ({ at, setting: { budget_ms: budget, seen } }) => {
    const size = 3 * SPEEDS.length * SENT_BY.length, here = seen.slice(size * at.segment, size * (at.segment + 1));
    const isThere = here[0] !== null && renditions.every((name) => photos[name]);
    box.hidden = !isThere;
    absent.hidden = isThere;
    if (!isThere) return;
    for (const [row, { speed, cells }] of rows.entries()) {
      for (const [i, cell] of cells.entries()) {
        const start = 3 * (SENT_BY.length * row + i);
        fillCell(cell, speed, here.slice(start, start + 3), budget);
      }
    }
  };
  return { node: element("div", {}, box, absent), show };
}

const significant = (value) => (value >= 0.0001 ? String(Number(value.toPrecision(2))) : "less than 0.0001");

// What the seconds are worth less what the bytes cost: a bar a policy around zero, and in words.
function moneyPanel(data, { tile: name, second, gigabyte }) {
  const money = data.tiles.find((each) => each.name === name), write = written(money);
  const bars = element("div"), words = element("p", { class: "wb-note" });
  const textOf = (slider, { chosen }) => data.sliders.find((each) => each.name === slider).texts[chosen[slider].at];
  const show = ({ at, shown, width }) => {
    bars.replaceChildren(moneyBars(Math.min(width, 560), data.policies, shown[name], write));
    const termsOf = (slider) => money.terms.filter((term) => term[1] === slider);
    const secondsOf = (i) => addUp(termsOf(second).map(([of, , factor]) => [of, "", factor]), shown, at, i);
    const costOf = (i) => -addUp(termsOf(gigabyte), shown, at, i);
    const from = ["best rule", "model"].map((part) => [part, data.policies.indexOf(part)])
      .filter(([, i]) => secondsOf(i) > 0 && costOf(i) > 0)
      .map(([part, i]) => `the ${part}'s from ${significant(costOf(i) / secondsOf(i))} USD a second`);
    const worth = at.chosen[second].value
      ? `a second saved, less pages slowed, is worth ${textOf(second, at)}` : "no value is set for a second saved";
    const pays = from.length ? ` The time saved pays for the bytes wasted: ${from.join(", ")}.` : "";
    setText(words, `Money for 1,000 views: ${worth}; data wasted costs ${textOf(gigabyte, at)} a GB.${pays}`);
  };
  return { node: element("div", {}, bars, words), show };
}

function moneyBars(width, parts, values, write) {
  const height = 22, left = 128, right = 64;
  const ends = [Math.min(0, ...values), Math.max(0, ...values)];
  const x = linear(ends[0] === ends[1] ? [0, 1] : ends, [left, width - right]);
  const rows = parts.map((part, i) => {
    const [from, to] = [x(0), x(values[i])].sort((one, other) => one - other);
    const middle = height * (i + 0.5);
    return drawn("g", { class: colourOf(part) },
      drawn("text", { x: 0, y: middle + 4 }, part),
      drawn("rect", { class: "wb-block", x: from, y: middle - 6, width: Math.max(0.5, to - from), height: 12 }),
      drawn("text", { x: width, y: middle + 4, "text-anchor": "end" }, write(values[i])));
  });
  const bottom = height * parts.length;
  return drawn("svg", { class: "wb-money", viewBox: `0 0 ${width} ${bottom}`, "aria-hidden": "true" }, ...rows,
    drawn("line", { class: "wb-zero", x1: x(0), x2: x(0), y1: 0, y2: bottom }));
}

// An example session: a row a page opened, and what rule and model fetched while it was read.
const FETCHED_BY = { "best rule": "rule", "model": "model" };
function sessionPanel(data) {
  const body = element("tbody");
  const heads = Object.keys(FETCHED_BY)
    .map((part) => element("th", { scope: "col", class: colourOf(part) }, badge(part), part));
  const node = element("table", { class: "wb-session" },
    element("caption", {}, `An example session, put together from steps that at least 20 ${data.people} share; it is `
      + "no real person's. \u2713 fetched and opened in time, \u00d7 unused."),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "page opened"), ...heads)), body);
  const fetched = (pages) => element("td", {}, ...(pages.length ? pages : [["\u2013", null]]).map(([page, opened]) =>
    element("div", opened ? { class: "wb-opened" } : {},
      ...(opened === null ? [] : [element("span", {}, opened ? "\u2713" : "\u00d7")]), element("span", {}, page))));
  const show = ({ setting }) => body.replaceChildren(...setting.map((view) => {
    const time = view.at_s === null ? [] : [element("span", { class: "wb-time" }, `${number(view.at_s)} s`)];
    return element("tr", {}, element("th", { scope: "row" }, element("span", {}, view.page), ...time),
      ...Object.values(FETCHED_BY).map((who) => fetched(view[who])));
  }));
  return { node, show };
}

function panelOf(name) {
  if (!PANELS[name]) throw new Error(`no panel is called ${name}; there are ${Object.keys(PANELS).join(", ")}`);
  return PANELS[name];
}

const PANELS = { photos: photosPanel, money: moneyPanel, session: sessionPanel };

export default { render };
