// Prefetching at other break-evens and prices: what `compare prefetch` would print there, segment by segment.

const TILES = [
  { name: "hits", title: "pages there at the click", unit: "of 1,000 views" },
  { name: "unused", title: "fetched for nothing", unit: "pages, 1,000 views" },
  { name: "saved_ms", title: "waiting saved", unit: "ms a view" },
  { name: "slowed_ms", title: "current page slowed", unit: "ms a view" },
  { name: "wasted_mb", title: "data wasted", unit: "MB for 1,000 views" },
  { name: "money", title: "money", unit: "USD for 1,000 views" },
];
const WHO = { "best rule": "rule", "model": "model" };
// As in the picture of a comparison: how far right of the mark that fetches most, and how far up.
const FURTHER = 1.8, HIGHER = 1.15, LEAST_UNUSED = 0.05, LEAST_HITS = 1;

const shareOf = (chance) => `${number(100 * chance, 100 * chance % 1 > 1e-9 ? 1 : 0)} %`;
const dollars = (value) => `${String(value)} USD`;
const gain = (money) => number(money || 0, 3, money !== 0);
const significant = (value) => (value >= 0.0001 ? String(Number(value.toPrecision(2))) : "less than 0.0001");

// Lists are flat: segment, break-even, then what they hold.
function reader(data, choice) {
  const segment = data.segments.findIndex((each) => each.name === choice.segment);
  const setting = nearest(data.break_evens, choice.break_even);
  const cell = segment * data.break_evens.length + setting;
  return {
    segment, setting, rule: data.best_rule[setting],
    isBase: segment === 0 && Object.entries(data.base).every(([name, value]) => choice[name] === value),
    isSettled: segment === 0 && data.break_evens[setting] === data.base.break_even,
    read: (list, width) => list.slice(cell * width, (cell + 1) * width),
  };
}

// Seconds and gigabytes of 1,000 views; a page that the fetching slowed has lost what it lost.
function figures(data, { read }, { value_of_second: second, usd_per_gb: gigabyte }) {
  const of = Object.fromEntries(Object.entries(data.figures).map(([name, list]) => [name, read(list, 4)]));
  const seconds = of.saved_ms.map((saved, i) => saved - of.slowed_ms[i]);
  const cost = of.wasted_mb.map((megabytes) => (megabytes / 1000) * gigabyte);
  return { ...of, seconds, cost, money: seconds.map((each, i) => each * second - cost[i]) };
}

function lines(data, at, reach) {
  return data.curves.filter(({ settings }) => settings.includes(at.setting)).map((curve) => {
    const start = at.segment * curve.points;
    const points = [...Array(curve.points).keys()].map((k) => [curve.unused[start + k], curve.hits[start + k]]);
    // One point beyond the picture, so that the line leaves it instead of ending.
    const beyond = points.findLastIndex(([unused]) => unused > reach);
    return { part: curve.rule === null ? "model" : "best rule", points: points.slice(Math.max(0, beyond)) };
  });
}

function marks(data, at, told) {
  const bars = at.read(data.bars, 8);
  const rule = { x: told.unused[1] / 1000, y: told.hits[1] / 10 };
  return data.policies.map((part, i) => {
    const of = { "model": bars.slice(0, 4), "today": bars.slice(4) }[part];
    const around = of && [rule.x + of[0], rule.x + of[1], rule.y + of[2], rule.y + of[3]];
    return { part, name: part, x: told.unused[i] / 1000, y: told.hits[i] / 10, bars: around ?? null };
  });
}

// What the picture shows, and what lies too far off and is told beneath.
function pictureOf(data, at, told) {
  const every = marks(data, at, told);
  const acting = every.filter(({ part }) => part !== "perfect knowledge");
  const reach = Math.max(LEAST_UNUSED, FURTHER * Math.max(...acting.map(({ x }) => x)));
  const shown = lines(data, at, reach);
  const reached = shown.flatMap(({ points }) => points.filter(([unused]) => unused <= reach).map(([, hits]) => hits));
  const top = HIGHER * Math.max(LEAST_HITS, ...reached, ...acting.map(({ y, bars }) => Math.max(y, bars ? bars[3] : y)));
  return { lines: shown, reach, top, marks: every.filter(({ y }) => y <= top), far: every.filter(({ y }) => y > top) };
}

const place = ({ part, x, y }) => `${part} ${number(y, 1)} at ${number(x, 2)}`;

// What the seconds are worth less what the bytes cost, a bar a policy around nothing.
function moneyBars(width, parts, values) {
  const height = 22, left = 128, right = 64;
  const ends = [Math.min(0, ...values), Math.max(0, ...values)];
  const x = linear(ends[0] === ends[1] ? [0, 1] : ends, [left, width - right]);
  const rows = parts.map((part, i) => {
    const [from, to] = [x(0), x(values[i])].sort((one, other) => one - other);
    const middle = height * (i + 0.5);
    return drawn("g", { class: colourOf(part) },
      drawn("text", { x: 0, y: middle + 4 }, part),
      drawn("rect", { class: "wb-block", x: from, y: middle - 6, width: Math.max(0.5, to - from), height: 12 }),
      drawn("text", { x: width, y: middle + 4, "text-anchor": "end" }, gain(values[i])));
  });
  const bottom = height * parts.length;
  return drawn("svg", { class: "wb-money", viewBox: `0 0 ${width} ${bottom}`, "aria-hidden": "true" }, ...rows,
    drawn("line", { class: "wb-zero", x1: x(0), x2: x(0), y1: 0, y2: bottom }));
}

function moneyInWords(data, told, { value_of_second: second, usd_per_gb: gigabyte }) {
  const worth = second ? `a second is worth ${dollars(second)}` : "no claim is made of what a second is worth";
  const from = ["best rule", "model"].map((part) => [part, data.policies.indexOf(part)])
    .filter(([, i]) => told.seconds[i] > 0 && told.cost[i] > 0)
    .map(([part, i]) => `the ${part}'s from ${significant(told.cost[i] / told.seconds[i])} USD a second`);
  const pays = from.length ? ` The time saved pays for the bytes wasted: ${from.join(", ")}.` : "";
  return `Money for 1,000 views: waiting saved less pages slowed, where ${worth}; less data wasted, at `
    + `${dollars(gigabyte)} a GB.${pays}`;
}

// The example session: a row a page opened, and what rule and model fetched while it was read.
function timeline() {
  const body = element("tbody");
  const heads = Object.keys(WHO).map((part) => element("th", { scope: "col", class: colourOf(part) }, badge(part), part));
  const node = element("table", { class: "wb-session" },
    element("caption", {}, "One example session, put together from steps that many people took; it is nobody's. "
      + "\u2713 fetched and opened in time, \u00d7 fetched for nothing."),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "page opened"), ...heads)), body);
  const fetched = (pages) => element("td", {}, ...(pages.length ? pages : [["\u2013", null]]).map(([page, opened]) =>
    element("div", opened ? { class: "wb-opened" } : {},
      ...(opened === null ? [] : [element("span", {}, opened ? "\u2713" : "\u00d7")]), element("span", {}, page))));
  const show = (views) => body.replaceChildren(...views.map((view) => {
    const time = view.at_s === null ? [] : [element("span", { class: "wb-time" }, `${number(view.at_s)} s`)];
    return element("tr", {}, element("th", { scope: "row" }, element("span", {}, view.page), ...time),
      ...Object.values(WHO).map((who) => fetched(view[who])));
  }));
  return { node, show };
}

function render({ model, el }) {
  const data = model.get("data");
  const choose = (trait) => (value) => {
    model.set(trait, value);
    model.save_changes();
  };
  const controls = {
    break_even: slider({
      label: "Worth fetching from a chance of", values: data.break_evens, say: shareOf, onChange: choose("break_even"),
    }),
    value_of_second: slider({
      label: "Value of a second saved", values: data.usd_per_second,
      say: (value) => (value ? dollars(value) : "no claim"), onChange: choose("value_of_second"),
    }),
    usd_per_gb: slider({
      label: "Price of a GB sent", values: data.usd_per_gb, say: dollars, onChange: choose("usd_per_gb"),
    }),
    segment: dropDown({
      label: "Views of", options: segmentOptions(data.segments, data.who), onChange: choose("segment"),
    }),
  };
  const back = backButton(model, { ...data.base, segment: data.segments[0].name });
  const finding = element("p", { class: "wb-finding", "aria-live": "polite" });
  const note = element("p", { class: "wb-note" }), beneath = element("p", { class: "wb-note" });
  const interval = element("div"), picture = element("div"), money = element("div");
  const said = element("p", { class: "wb-note" });
  const tiles = TILES.map((each) => tile({ ...each, parts: data.policies }));
  const session = timeline();
  el.replaceChildren(element("section", { class: "wb", "aria-label": "Explorer of prefetching" },
    ...(data.simulated ? [element("p", { class: "wb-simulated" }, `SIMULATED: ${data.dataset}`)] : []),
    element("div", { class: "wb-controls" }, ...Object.values(controls).map((each) => each.node), back),
    finding, interval, note,
    element("div", { class: "wb-tiles wb-sixfold" }, ...tiles.map((each) => each.node)),
    picture, beneath, money, said, session.node));

  const draw = (width) => {
    const choice = Object.fromEntries(TRAITS.map((trait) => [trait, model.get(trait)]));
    const at = reader(data, choice);
    const told = figures(data, at, choice);
    const breakEven = data.break_evens[at.setting], price = breakEven / (1 - breakEven);
    const difference = at.read(data.difference, 3);
    for (const [trait, control] of Object.entries(controls)) control.show(choice[trait]);
    back.disabled = at.isBase;
    setText(finding, `Model minus best rule: ${span(difference, 2)} net hits per 100 views; worth having from `
      + `${number(data.margin, 1)}. `
      + (at.isSettled ? `Verdict: ${data.verdict}.` : "Exploratory: only the base case has a verdict."));
    setText(note, `One hit is worth ${number(1 / price, 1)} pages fetched for nothing. Best rule here: `
      + `${data.rules[at.rule]}. Today: ${data.today}. Limits are tuned again at every break-even. Intervals: `
      + `95\u00a0%, of the distance to the best rule. ${data.end_percent}\u00a0% of all views end a session; they count.`);
    interval.replaceChildren(intervalBar({
      width: Math.min(width, 560), interval: difference, margin: data.margin, part: "model",
    }));
    for (const [i, { name }] of TILES.entries()) tiles[i].show(told[name].map(name === "money" ? gain : (n) => number(n)));
    const shown = pictureOf(data, at, told);
    picture.replaceChildren(frontier({
      width: Math.min(width, 760), xRange: [-0.015 * shown.reach, shown.reach],
      yRange: [-0.03 * shown.top, shown.top], lines: shown.lines, marks: shown.marks,
      equal: { x: told.unused[1] / 1000, y: told.hits[1] / 10, slope: 100 * price },
      xLabel: "Pages fetched for nothing, a view", yLabel: "Pages there at the click, of 100 views",
      label: "Pages there at the click, of 100 views, against pages fetched for nothing, a view: "
        + `${[...shown.marks, ...shown.far].map(place).join(", ")}.`,
    }));
    setText(beneath, shown.far.length ? `Beyond the picture: ${shown.far.map(place).join(", ")}.` : "");
    beneath.hidden = !shown.far.length;
    money.replaceChildren(moneyBars(Math.min(width, 560), data.policies, told.money));
    setText(said, moneyInWords(data, told, choice));
    session.show(data.sessions[at.setting]);
  };
  return redraw(model, el, TRAITS, draw);
}

const TRAITS = ["break_even", "value_of_second", "usd_per_gb", "segment"];

export default { render };
