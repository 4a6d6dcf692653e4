// One decision taken apart: an archetype's context, the model's chances, what pushes them, what each policy does.

const UNKNOWN = "unknown";
const asText = (value) => (value === null || value === undefined ? UNKNOWN : String(value));
const pushText = (value) => number(value, 2, true).replace("-", "\u2212");

// A field of the context: its value, or, live, a control to change it.
function contextField(field, onChange) {
  const { name, label, options } = field;
  if (options) {
    const values = [null, ...options];
    return { name, ...dropDown({
      label, options: values.map((value, i) => ({ value: String(i), text: asText(value) })),
      onChange: (at) => onChange(name, values[Number(at)]),
    }), place: (value) => String(values.findIndex((each) => each === value)) };
  }
  const id = newId();
  const input = element("input", {
    id, type: "number", min: field.low, max: field.high, step: field.whole ? 1 : "any", placeholder: UNKNOWN,
    "data-lm-suppress-shortcuts": "true",
  });
  input.addEventListener("change", () => {
    const typed = input.value.trim() === "" ? NaN : Number(input.value);
    const within = Math.min(field.high, Math.max(field.low, field.whole ? Math.round(typed) : typed));
    onChange(name, Number.isNaN(typed) ? null : within);
  });
  const node = element("div", { class: "wb-control" }, element("label", { for: id }, label),
    element("span", { class: "wb-time" }, `${number(field.low)} to ${number(field.high)}`), input);
  return { name, node, show: (value) => { input.value = value; }, place: (value) => value ?? "" };
}

function contextControls(fields, onChange) {
  const controls = fields.map((field) => contextField(field, onChange));
  const node = element("div", { class: "wb-controls", role: "group", "aria-label": "Change what is known of the view" },
    ...controls.map((each) => each.node));
  return { node, show: (context) => controls.forEach((each) => each.show(each.place(context[each.name]))) };
}

function contextList(fields) {
  const node = element("div", { class: "wb-context", role: "list", "aria-label": "What is known of the view" });
  const labels = Object.fromEntries(fields.map((field) => [field.name, field.label]));
  const show = (context) => node.replaceChildren(...Object.entries(context).map(([name, value]) =>
    element("span", { role: "listitem" }, `${labels[name] ?? name.replaceAll("_", " ")}: `,
      element("strong", {}, typeof value === "number" ? number(value, value % 1 ? 1 : 0) : asText(value)))));
  return { node, show };
}

// Per rendition: how likely it is late, as a bar, and what it is worth.
function chances(names, answer, width) {
  const height = 26, left = 74, right = 150, sends = answer.policies[0].sends;
  const x = linear([0, 100], [left, width - right]);
  const rows = names.map((name, i) => {
    const y = height * (i + 0.5);
    const said = `${answer.late[i]}\u00a0% late, net ${number(answer.net[i], 1)}`;
    return drawn("g", { class: i === sends ? "wb-model wb-sent" : "wb-model" },
      drawn("text", { x: 0, y: y + 4 }, name),
      drawn("rect", { class: "wb-ground", x: left, y: y - 7, width: x(100) - left, height: 14 }),
      drawn("rect", { class: "wb-block", x: left, y: y - 7, width: x(answer.late[i]) - left, height: 14 }),
      drawn("text", { x: width, y: y + 4, "text-anchor": "end" }, said));
  });
  const label = names.map((name, i) => `${name} late in ${answer.late[i]} % of such views, net ${answer.net[i]}`);
  return drawn("svg", {
    class: "wb-chances", viewBox: `0 0 ${width} ${height * names.length}`, role: "img",
    "aria-label": `The model's chances: ${label.join("; ")}.`,
  }, ...rows);
}

// From the mean answer, feature by feature, to this view's; the strongest first.
function waterfall({ base, answer, features, question }, width) {
  const narrow = width < 520, height = narrow ? 40 : 28, top = 24;
  const left = narrow ? 8 : 250, right = 56;
  const steps = [base];
  for (const [, , value] of features) steps.push(steps.at(-1) + value);
  const ends = [Math.min(...steps, answer), Math.max(...steps, answer)];
  const x = linear(ends[0] === ends[1] ? [ends[0] - 1, ends[0] + 1] : ends, [left, width - right]);
  const bottom = top + height * features.length;
  const rows = features.flatMap(([name, value, push], i) => {
    const middle = top + height * (i + (narrow ? 0.72 : 0.5));
    const [from, to] = [x(steps[i]), x(steps[i + 1])].sort((one, other) => one - other);
    const said = value ? `${name} = ${value}` : name;
    const words = said.length > 36 ? `${said.slice(0, 35)}\u2026` : said;
    return [
      drawn("text", narrow ? { x: 0, y: middle - 12 } : { x: left - 12, y: middle + 4, "text-anchor": "end" }, words),
      drawn("rect", {
        class: `wb-block ${push > 0 ? "wb-up" : "wb-down"}`, x: from, y: middle - 7, width: Math.max(1, to - from),
        height: 14,
      }),
      drawn("text", { class: push > 0 ? "wb-up" : "wb-down", x: to + 6, y: middle + 4 }, pushText(push)),
    ];
  });
  const mark = (at, words, y) => [
    drawn("line", { class: "wb-equal", x1: x(at), x2: x(at), y1: top - 4, y2: bottom }),
    drawn("text", { x: Math.min(Math.max(x(at), 52), width - 52), y, "text-anchor": "middle" }, words),
  ];
  const named = features.map(([name, value, push]) => `${name} ${value} ${number(push, 2, true)}`);
  return drawn("svg", {
    class: "wb-waterfall", viewBox: `0 0 ${width} ${bottom + 20}`, role: "img",
    "aria-label": `The ${question}: from ${number(base, 2)} on average to ${number(answer, 2)}: ${named.join("; ")}.`,
  }, ...mark(base, `mean ${pushText(base)}`, 12), ...mark(answer, `this view ${pushText(answer)}`, bottom + 15), ...rows);
}

const available = ({ sends }) => sends !== null;

function policyTable(names) {
  const body = element("tbody");
  const largest = names.length - 1;
  const heads = ["policy", "sends", `expects ${names[largest]} late`];
  const node = element("table", { class: "wb-session wb-policies" },
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), body);
  const show = (policies) => body.replaceChildren(...policies.filter(available).map(({ name, sends, late }, i) => {
    const same = sends === policies[0].sends;
    return element("tr", i ? {} : { class: "wb-model" }, element("th", { scope: "row" }, name),
      element("td", same ? {} : { class: "wb-differs" }, names[sends]),
      element("td", {}, late ? `${late[largest]}\u00a0%` : "weighs no chances"));
  }));
  return { node, show };
}

function render({ model, el }) {
  const data = model.get("data"), live = model.get("live");
  const set = (values) => {
    for (const [trait, value] of Object.entries(values)) model.set(trait, value);
    model.save_changes();
  };
  const chosen = () => data.archetypes.find(({ name }) => name === model.get("archetype")) ?? data.archetypes[0];
  const pick = dropDown({
    label: "A view like", onChange: (name) => set({ changes: {}, archetype: name }),
    options: data.archetypes.map(({ name, users }) => ({ value: name, text: `${name} (${number(users)} users)` })),
  });
  const change = (name, value) => {
    const changes = { ...model.get("changes"), [name]: value };
    if (value === chosen().context[name]) delete changes[name];
    set({ changes });
  };
  const known = live ? contextControls(data.fields, change) : contextList(data.fields);
  const back = element("button", { type: "button", class: "wb-back" }, "Undo the changes");
  back.addEventListener("click", () => set({ changes: {} }));
  const finding = element("p", { class: "wb-finding", "aria-live": "polite" });
  const why = element("ul", { class: "wb-why" }), question = element("p", { class: "wb-note" });
  const late = element("div"), pushes = element("div");
  const policies = policyTable(data.renditions);
  const heading = (words) => element("p", { class: "wb-title" }, words);
  el.replaceChildren(element("section", { class: "wb", "aria-label": "Inspector of one decision" },
    ...(data.simulated ? [element("p", { class: "wb-simulated" }, `SIMULATED: ${data.dataset}`)] : []),
    element("div", { class: "wb-controls wb-pick" }, pick.node, ...(live ? [back] : [])),
    element("p", { class: "wb-note" }, "Nobody's view: each value is shared by at least 20 users, or is their median; what "
      + `would single out fewer is unknown. ${live ? "" : "Changing values needs the live notebook."}`),
    known.node, finding, late, heading("What each policy sends"), policies.node, why,
    heading("What pushes the model's answer"), question, pushes));

  const draw = (width) => {
    const archetype = chosen(), changes = model.get("changes") ?? {}, asked = model.get("answer");
    const changed = live && Object.keys(changes).length > 0;
    // An answer to an earlier question is not shown as one to this.
    const isFresh = asked?.archetype === archetype.name && JSON.stringify(asked.changes) === JSON.stringify(changes);
    pick.show(archetype.name);
    known.show({ ...archetype.context, ...(live ? changes : {}) });
    back.disabled = !changed;
    el.setAttribute("aria-busy", String(changed && !isFresh));
    if (changed && !isFresh) return;
    const answer = changed ? asked : archetype.answer;
    const names = data.renditions, sends = answer.policies[0].sends;
    setText(finding, `The model sends ${names[sends]}: late in ${answer.late[sends]}\u00a0% of such views, images due in `
      + `${seconds(data.budget_ms)}.${changed ? " Values were changed: an invented view." : ""}`);
    const narrow = Math.min(width, 640);
    late.replaceChildren(chances(names, answer, narrow));
    policies.show(answer.policies);
    const absent = answer.policies.filter((each) => !available(each)).map(({ name }) => name);
    const reasons = answer.why.length ? answer.why : ["All rules send the same."];
    why.replaceChildren(...[...reasons, ...(absent.length ? [`Not available here: ${absent.join("; ")}.`] : [])]
      .map((each) => element("li", {}, each.replaceAll(" %", "\u00a0%"))));
    setText(question, `${answer.push.question[0].toUpperCase()}${answer.push.question.slice(1)}`);
    pushes.replaceChildren(...(answer.push.features.length ? [waterfall(answer.push, narrow)] : []));
  };
  return redraw(model, el, ["archetype", "changes", "answer"], draw);
}

export default { render };
