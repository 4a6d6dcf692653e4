// Brings the widgets of a rendered page to life: no kernel, no network. Each widget's own module has put itself into
// `workbenchWidgets`; its state lies in a block of JSON that its place names. What a choice changes stays in the page.

class Model {
  #state;
  #listeners = new Map();

  constructor(state) {
    this.#state = new Map(Object.entries(state));
  }

  get(name) {
    return this.#state.get(name);
  }

  set(name, value) {
    if (Object.is(this.#state.get(name), value)) return;
    this.#state.set(name, value);
    for (const event of [`change:${name}`, "change"]) {
      for (const listener of this.#listeners.get(event) ?? []) listener();
    }
  }

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((each) => listener && each !== listener));
  }

  save_changes() {}
}

for (const place of document.querySelectorAll("[data-widget]")) {
  const state = JSON.parse(document.getElementById(place.dataset.state).textContent);
  const el = document.createElement("div");
  const sentence = [...place.childNodes];
  place.append(el);
  // The static sentence goes only once the widget stands in its place.
  workbenchWidgets[place.dataset.widget].render({ model: new Model(state), el });
  for (const node of sentence) node.remove();
}
