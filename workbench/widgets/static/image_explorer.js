// Image delivery at other budgets and prices: what `compare image` would print there, segment by segment.

const TILES = [
  { name: "large", title: "large images", unit: "of 1,000 views" },
  { name: "late", title: "late", unit: "of 1,000 views" },
  { name: "slowest_wait", title: "wait, slowest fifth", unit: "ms a view" },
  { name: "megabytes", title: "data sent", unit: "MB for 1,000 views" },
  { name: "money", title: "cost of sending", unit: "USD a million views" },
];
const SHOWN_TO = ["today", "best rule", "model"];
const MEMBERS = ["slow", "middle", "fast"];

// Lists are flat: segment, budget, price, then what they hold.
function reader(data, choice) {
  const budgets = data.budgets_ms, waits = data.cancelling_waits_ms;
  const segment = data.segments.findIndex((each) => each.name === choice.segment);
  const budget = nearest(budgets, choice.budget_ms), price = nearest(waits, choice.cancelling_wait_ms);
  const cell = (segment * budgets.length + budget) * waits.length + price;
  const rule = data.best_rule[budget * waits.length + price];
  return {
    segment, budget, price, rule,
    isBase: budgets[budget] === data.base.budget_ms && waits[price] === data.base.cancelling_wait_ms && segment === 0,
    read: (list, width) => list.slice(cell * width, (cell + 1) * width),
  };
}

function figures(data, { read }) {
  const of = Object.fromEntries(Object.entries(data.figures).map(([name, list]) => [name, read(list, 4)]));
  // One MB for 1,000 views is one GB for a million.
  return { ...of, money: of.megabytes.map((gigabytes) => gigabytes * data.usd_per_gb) };
}

function lines(data, at, waitPrice) {
  const from = waitPrice / 8.001, to = waitPrice * 8.001; // the limits that a comparison tries
  return data.curves[at.budget].filter(({ rule }) => rule === null || rule === at.rule).map((curve) => {
    const n = curve.prices.length, start = at.segment * n;
    const kept = [...curve.prices.keys()].filter((k) => curve.prices[k] >= from && curve.prices[k] <= to);
    const points = kept.map((k) => [curve.wait[start + k], curve.quality[start + k]]);
    return { part: curve.rule === null ? "model" : "best rule", points };
  });
}

function marks(data, at, told) {
  const bars = at.read(data.bars, 8);
  const rule = { x: told.wait[1], y: told.quality[1] };
  return data.policies.map((part, i) => {
    const of = { "model": bars.slice(0, 4), "today": bars.slice(4) }[part];
    const around = of && [rule.x + of[0], rule.x + of[1], rule.y + of[2], rule.y + of[3]];
    return { part, name: part, x: told.wait[i], y: told.quality[i], bars: around ?? null };
  });
}

function frontierInWords(data, told) {
  const each = data.policies.map((part, i) => `${part} ${number(told.quality[i], 1)} at ${number(told.wait[i])} ms`);
  return `Quality, 0 to 100, against waiting beyond the budget, ms a view: ${each.join(", ")}.`;
}

function pictures(data, photos) {
  const rows = MEMBERS.map((member) => {
    const cells = SHOWN_TO.map((part) => {
      const image = element("img", { alt: "", width: 240, height: 160 });
      const said = element("span"), load = element("span");
      const node = element("td", {}, element("figure", {}, image, element("figcaption", {}, said, load)));
      return { node, image, said, load, part };
    });
    return { member, cells };
  });
  const heads = SHOWN_TO.map((part) =>
    element("th", { scope: "col", class: colourOf(part) }, badge(part), part));
  const node = element("table", { class: "wb-photos" },
    element("caption", {}, `A detail of one of a view's ${data.images_per_view} images, as most views of the slowest, `
      + "the middle and the fastest fifth of these users get it, and the median time until all images are there."),
    element("thead", {}, element("tr", {}, element("td"), ...heads)),
    element("tbody", {}, ...rows.map(({ member, cells }) =>
      element("tr", {}, element("th", { scope: "row" }, member), ...cells.map((cell) => cell.node)))));
  const show = (told, budgetMs) => rows.forEach(({ member, cells }, row) => cells.forEach((cell, column) => {
    const [rendition, share, load] = told.slice(3 * (3 * row + column));
    const name = data.renditions[rendition];
    const late = load === null || load > budgetMs;
    if (cell.image.dataset.rendition !== name) {
      cell.image.dataset.rendition = name;
      cell.image.src = photos[name] ?? "";
    }
    cell.image.alt = `The ${name} photograph, as ${cell.part} sends it to the ${member} fifth of users`;
    setText(cell.said, `${name}: ${share}\u00a0%`);
    const median = load === null ? "never there" : milliseconds(load).replace(" ", "\u00a0");
    setText(cell.load, late && load !== null ? `late: ${median}` : median);
    cell.load.classList.toggle("wb-late", late);
  }));
  return { node, show };
}

function render({ model, el }) {
  const data = model.get("data"), photos = model.get("photos");
  const choose = (trait) => (value) => {
    model.set(trait, value);
    model.save_changes();
  };
  const budget = slider({
    label: "Images should be there in", values: data.budgets_ms, say: seconds, onChange: choose("budget_ms"),
  });
  const price = slider({
    label: "Wait that cancels the largest image", values: data.cancelling_waits_ms, say: milliseconds,
    onChange: choose("cancelling_wait_ms"),
  });
  const segment = dropDown({
    label: "Views of", onChange: choose("segment"),
    options: segmentOptions(data.segments),
  });
  const back = backButton(model, { ...data.base, segment: data.segments[0].name });
  const finding = element("p", { class: "wb-finding", "aria-live": "polite" });
  const note = element("p", { class: "wb-note" });
  const interval = element("div"), picture = element("div");
  const tiles = TILES.map((each) => tile({ ...each, parts: data.policies }));
  const member = pictures(data, photos);
  const absent = element("p", { class: "wb-note" },
    "What a member sees is not shown: fewer than 20 users, or no photograph.");
  const shownBox = element("div", { class: "wb-scroll" }, member.node);
  const root = element("section", { class: "wb", "aria-label": "Explorer of image delivery" },
    ...(data.simulated ? [element("p", { class: "wb-simulated" }, `SIMULATED: ${data.dataset}`)] : []),
    element("div", { class: "wb-controls" }, budget.node, price.node, segment.node, back),
    finding, interval, note,
    element("div", { class: "wb-tiles" }, ...tiles.map((each) => each.node)),
    picture, shownBox, absent);
  el.replaceChildren(root);

  const draw = (width) => {
    const choice = Object.fromEntries(TRAITS.map((trait) => [trait, model.get(trait)]));
    const at = reader(data, choice);
    const told = figures(data, at);
    const waitPrice = 100 / data.cancelling_waits_ms[at.price];
    const difference = at.read(data.difference, 3);
    budget.show(choice.budget_ms);
    price.show(choice.cancelling_wait_ms);
    segment.show(choice.segment);
    back.disabled = at.isBase;
    setText(finding, `Model minus best rule: ${span(difference, 1)} points a view; worth having from ${data.margin}. `
      + (at.isBase ? `Verdict: ${data.verdict}.` : "Exploratory: only the base case has a verdict."));
    setText(note, `Best rule here: ${data.rules[at.rule]}. Today: ${data.today}. Limits are tuned again at every `
      + "budget and price. Intervals: 95\u00a0%, of the distance to the best rule.");
    interval.replaceChildren(intervalBar({
      width: Math.min(width, 560), interval: difference, margin: data.margin, part: "model",
    }));
    for (const [i, { name }] of TILES.entries()) tiles[i].show(told[name].map((value) => number(value)));
    const shown = at.read(data.members, 3 * MEMBERS.length * SHOWN_TO.length);
    const anybody = shown[0] !== null && data.renditions.every((name) => photos[name]);
    shownBox.hidden = !anybody;
    absent.hidden = anybody;
    if (anybody) member.show(shown, data.budgets_ms[at.budget]);
    picture.replaceChildren(frontier({
      width: Math.min(width, 760), yRange: [0, 100], lines: lines(data, at, waitPrice), marks: marks(data, at, told),
      equal: { x: told.wait[1], y: told.quality[1], slope: waitPrice },
      xLabel: "Waiting beyond the budget, ms a view", yLabel: "Quality, 0 (all small) to 100 (all large)",
      label: frontierInWords(data, told),
    }));
  };
  return redraw(model, el, TRAITS, draw);
}

const TRAITS = ["budget_ms", "cancelling_wait_ms", "segment"];

export default { render };
