// One decision taken apart: an example context, the model's chances, their SHAP values, what each policy does. The words
// come with the data: nothing here knows which decision it is.

const asText = (value, unknown) => (value === null || value === undefined ? unknown ?? "unknown" : String(value));
const unbroken = (words) => words.replaceAll(" %", "\u00a0%");
const shapText = (value) => number(value, 2, true).replace("-", "\u2212");

// A field of the context: its value, or, live, a control to change it.
function contextField(field, onChange) {
  const { name, label, options, unknown } = field;
  if (options) {
    const values = unknown === null ? options : [null, ...options];
    return { name, ...dropDown({
      label, options: values.map((value, i) => ({ value: String(i), text: asText(value, unknown) })),
      onChange: (at) => onChange(name, values[Number(at)]),
    }), place: (value) => String(values.findIndex((each) => each === value)) };
  }
  const id = newId();
  const input = element("input", {
    id, type: "number", min: field.low, max: field.high, step: field.whole ? 1 : "any", placeholder: unknown,
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
  const about = { class: "wb-controls wb-known", role: "group", "aria-label": "Change what is known of the view" };
  const node = element("div", about, ...controls.map((each) => each.node));
  return { node, show: (context) => controls.forEach((each) => each.show(each.place(context[each.name]))) };
}

function contextList(fields) {
  const node = element("div", { class: "wb-context", role: "list", "aria-label": "What is known of the view" });
  const known = Object.fromEntries(fields.map((field) => [field.name, field]));
  const show = (context) => node.replaceChildren(...Object.entries(context).map(([name, value]) =>
    element("span", { role: "listitem" }, `${known[name]?.label ?? name.replaceAll("_", " ")}: `, element("strong", {},
      typeof value === "number" ? number(value, value % 1 ? 1 : 0) : asText(value, known[name]?.unknown)))));
  return { node, show };
}

// How likely each outcome is, as a bar; dashed, the chance from which a page is taken.
const shorten = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}\u2026` : words);
function chances(rows, limit, label, width) {
  const narrow = width < 520, most = narrow ? Math.floor(width / LETTER_PX) : 36;
  const widest = (key) => Math.max(...rows.map((row) => Math.min(most, row[key].length)));
  const above = narrow && widest("name") > 12, height = above ? 40 : 26;
  const left = above ? 0 : LETTER_PX * widest("name") + 16, right = LETTER_PX * widest("said") + 10;
  const x = linear([0, 100], [left, width - right]), bottom = height * rows.length;
  const partOf = ({ taken }) => ({ class: taken ? "wb-model wb-sent" : "wb-model" });
  const middle = (i) => height * (i + (above ? 0.72 : 0.5));
  const bars = rows.map((row, i) => drawn("g", partOf(row), ...[100, row.percent].map((to, k) => drawn("rect", {
    class: k ? "wb-block" : "wb-ground", x: left, y: middle(i) - 7, width: x(to) - left, height: 14,
  }))));
  const texts = rows.map((row, i) => drawn("g", partOf(row),
    drawn("text", { x: 0, y: middle(i) + (above ? -12 : 4) }, shorten(row.name, most)),
    drawn("text", { x: width, y: middle(i) + 4, "text-anchor": "end" }, row.said)));
  const worth = { x: Math.max(x(limit), 62), y: bottom + 16, "text-anchor": "middle" };
  const edge = limit === null ? [] : [
    drawn("line", { class: "wb-equal", x1: x(limit), x2: x(limit), y1: 0, y2: bottom + 4 }),
    drawn("text", worth, `worth it from ${limit}\u00a0%`)];
  return drawn("svg", {
    class: "wb-chances", viewBox: `0 0 ${width} ${bottom + (limit === null ? 0 : 20)}`, role: "img",
    "aria-label": `${label}: ${rows.map(({ name, said }) => `${name} ${said}`).join("; ")}.`,
  }, ...bars, ...edge, ...texts);
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
  const rows = features.flatMap(([name, value, shap], i) => {
    const middle = top + height * (i + (narrow ? 0.72 : 0.5));
    const [from, to] = [x(steps[i]), x(steps[i + 1])].sort((one, other) => one - other);
    const said = value ? `${name} = ${value}` : name;
    const words = shorten(said, 36);
    return [
      drawn("text", narrow ? { x: 0, y: middle - 12 } : { x: left - 12, y: middle + 4, "text-anchor": "end" }, words),
      drawn("rect", {
        class: `wb-block ${shap > 0 ? "wb-up" : "wb-down"}`, x: from, y: middle - 7, width: Math.max(1, to - from),
        height: 14,
      }),
      drawn("text", { class: shap > 0 ? "wb-up" : "wb-down", x: to + 6, y: middle + 4 }, shapText(shap)),
    ];
  });
  const mark = (at, words, y) => [
    drawn("line", { class: "wb-equal", x1: x(at), x2: x(at), y1: top - 4, y2: bottom }),
    drawn("text", { x: Math.min(Math.max(x(at), 52), width - 52), y, "text-anchor": "middle" }, words),
  ];
  const named = features.map(([name, value, shap]) => `${name} ${value} ${number(shap, 2, true)}`);
  return drawn("svg", {
    class: "wb-waterfall", viewBox: `0 0 ${width} ${bottom + 20}`, role: "img",
    "aria-label": `The ${question}: from ${number(base, 2)} on average to ${number(answer, 2)}: ${named.join("; ")}.`,
  }, ...mark(base, `mean ${shapText(base)}`, 12), ...mark(answer, `this view ${shapText(answer)}`, bottom + 15),
  ...rows);
}

const available = ({ does }) => does !== null;

function policyTable() {
  const head = element("tr"), body = element("tbody");
  const node = element("table", { class: "wb-session wb-policies" }, element("thead", {}, head), body);
  const show = ({ columns, policies }) => {
    head.replaceChildren(...["policy", ...columns].map((words) => element("th", { scope: "col" }, words)));
    body.replaceChildren(...policies.filter(available).map(({ name, does, expects, differs }, i) =>
      element("tr", i ? {} : { class: "wb-model" }, element("th", { scope: "row" }, name),
        element("td", differs ? { class: "wb-differs" } : {}, does), element("td", {}, unbroken(expects)))));
  };
  return { node, show };
}

function render({ model, el }) {
  const data = model.get("data"), live = model.get("live"), { words } = data;
  const set = (values) => {
    for (const [trait, value] of Object.entries(values)) model.set(trait, value);
    model.save_changes();
  };
  const chosen = () => data.examples.find(({ name }) => name === model.get("example")) ?? data.examples[0];
  const pick = dropDown({
    label: "A view like", onChange: (name) => set({ changes: {}, example: name }),
    options: data.examples.map(({ name, users }) => (
      { value: name, text: `${name} (${number(users)} ${data.people})` })),
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
  const likely = element("div"), shap = element("div");
  const policies = policyTable();
  const heading = (text) => element("p", { class: "wb-title" }, text);
  el.replaceChildren(element("section", { class: "wb", "aria-label": "Inspector of one decision" },
    ...(data.simulated ? [element("p", { class: "wb-simulated" }, `SIMULATED: ${data.dataset}`)] : []),
    element("div", { class: "wb-controls wb-pick" }, pick.node, ...(live ? [back] : [])),
    element("p", { class: "wb-note" }, `${words.example}${live ? "" : " Changing values needs the live notebook."}`),
    known.node, finding, likely, heading(words.acts), policies.node, why,
    heading("SHAP values of the model's answer"), question, shap));

  const draw = (width) => {
    const example = chosen(), changes = model.get("changes") ?? {}, asked = model.get("answer");
    const changed = live && Object.keys(changes).length > 0;
    // An answer to an earlier question is not shown as one to this.
    const isFresh = asked?.example === example.name && JSON.stringify(asked.changes) === JSON.stringify(changes);
    pick.show(example.name);
    known.show({ ...example.context, ...(live ? changes : {}) });
    back.disabled = !changed;
    el.setAttribute("aria-busy", String(changed && !isFresh));
    if (changed && !isFresh) return;
    const answer = changed ? asked : example.answer;
    setText(finding, unbroken(`${answer.finding}${changed ? " Values were changed: an invented view." : ""}`));
    const narrow = Math.min(width, 640);
    likely.replaceChildren(chances(answer.chances, answer.limit, words.chances, narrow));
    policies.show(answer);
    const absent = answer.policies.filter((each) => !available(each)).map(({ name }) => name);
    const reasons = answer.why.length ? answer.why : ["All rules do the same."];
    why.replaceChildren(...[...reasons, ...(absent.length ? [`Not available here: ${absent.join("; ")}.`] : [])]
      .map((each) => element("li", {}, unbroken(each))));
    setText(question, `${answer.shap.question[0].toUpperCase()}${answer.shap.question.slice(1)}`);
    shap.replaceChildren(...(answer.shap.features.length ? [waterfall(answer.shap, narrow)] : []));
  };
  return redraw(model, el, ["example", "changes", "answer"], draw);
}

export default { render };
