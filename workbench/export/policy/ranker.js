/** A function that decides: from a context to the pages worth fetching, and the chance of each. */
export function load(policy) {
  if (policy.format !== 1) throw new Error(`expected policy format 1; got ${policy.format}`);
  const { names, features, fields, bands, levels, slope, intercept, limit, listed } = policy;
  const [one, two, three] = policy.smoothing;
  const { all_up_to: few, followers, popular: top, recent, linked: through } = policy.candidates;
  const place = new Map(names.map((name, i) => [name, i])), n = names.length, width = features.length;
  const asMap = (object, value) => new Map(Object.entries(object).map(([key, each]) => [key, value(each, key)]));
  const table = (order) => {
    const states = asMap(order, readState);
    return (key) => states.get(String(key)) ?? NEVER_SEEN;
  };
  const [zeroth, firsts, seconds] = policy.orders.map(table), skipping = table(policy.skipping);
  const everybody = zeroth(0), latest = readState(policy.latest), links = policy.links ?? {}, rank = [];
  const count = (state, page) => state.counts.get(page) ?? 0;
  const share = (state, page) => count(state, page) / Math.max(state.total, 1);
  const shares = names.map((_, page) => share(everybody, page)), margin = walker(policy.trees);
  [...names.keys()].sort((a, b) => shares[b] - shares[a]).forEach((page, i) => (rank[page] = i));
  const readers = [...asMap(fields, (field, name) => reader(name, field))].filter(([name]) => name !== "pages");
  const places = asMap(levels, (all) => new Map(all.map((level, i) => [level, i])));
  const known = (code) => (code >= 0 ? code : NaN), linked = (from, to) => Number((links[from] ?? []).includes(to));
  const lean = (state, pages, priors, s) =>
    pages.map((page, i) => (count(state, page) + s * priors[i]) / (state.total + s));

  function ranks(chances) {
    const found = [];
    const pairs = chances.map((chance, i) => [i, chance]);
    pairs.sort((a, b) => fallen(a) - fallen(b)).forEach(([i], at) => (found[i] = at + 1));
    return found;
  }

  /** How features are worked out: one number, or one for each candidate. */
  const each = (value) => (q) => q.pages.map((page) => value(page, q));
  const of = {
    page: (q) => q.pages,
    current_page: (q) => known(q.current),
    previous_page: (q) => known(q.before),
    popularity: (q) => q.popular,
    popularity_rank: each((page) => rank[page]),
    current_popularity_rank: (q) => rank[q.current] ?? NaN,
    popularity_now: each((page) => share(latest, page)),
    skipping_chance: (q) => lean(skipping(q.before), q.pages, q.popular, one),
    position: (q) => q.codes.length - 1,
    times_seen: each((page, q) => q.codes.filter((code) => code === page).length),
    views_ago: each((page, { codes }) => (codes.includes(page) ? codes.length - 1 - codes.lastIndexOf(page) : NaN)),
    previous_dwell_s: (q) => q.given.dwell_before_s,
    linked: each((page, q) => linked(q.current, page)),
    links_back: each((page, q) => linked(page, q.current)),
  };
  for (const name of ["last_next", "usual_next"]) {
    of[`is_${name}`] = each((page, q) => Number(page === codeOf(q.given[name], place, NONE)));
  }
  ["first", "second"].forEach((order, i) => {
    of[`${order}_views`] = (q) => q.states[i].total;
    of[`${order}_count`] = each((page, q) => count(q.states[i], page));
    of[`${order}_share`] = each((page, q) => share(q.states[i], page));
    of[`${order}_chance`] = (q) => q.chances[i];
    of[`${order}_rank`] = (q) => ranks(q.chances[i]);
  });
  for (const [name, group] of Object.entries(policy.groups)) {
    const states = table(group.counts);
    of[`first_chance by ${name}`] = (q) => {
      const code = group.of.reduce((sum, by) => (sum < 0 || q.bands[by] < 0 ? NONE : sum * bands[by] + q.bands[by]), 0);
      return lean(states(code < 0 || q.current < 0 ? NONE : code * n + q.current), q.pages, q.chances[0], three);
    };
  }
  const columns = features.map((name) => {
    if (Object.hasOwn(of, name)) return of[name];
    return places.has(name) ? (q) => known(q.bands[name]) : (q) => q.given[name];
  });

  function bandOf(name, given) {
    const number = given[name === "dwell" ? "dwell_before_s" : name], all = places.get(name);
    if (all) return number === null ? NONE : all.get(number) ?? all.size;
    if (number !== number) return NONE;
    if (name !== "dwell") return Math.floor(number / policy.hours_a_band);
    return policy.dwell_edges.filter((edge) => edge <= number).length;
  }

  function candidatesOf(codes, states, given) {
    const current = codes[codes.length - 1];
    if (n <= few) return [...names.keys()].filter((page) => page !== current);
    const found = new Set(codes.slice(-1 - recent, -1));
    const add = (pages, most) => {
      for (const page of pages) if (most-- > 0) found.add(page); else break;
    };
    for (const { counts } of states) add(counts.keys(), followers);
    add(everybody.counts.keys(), top);
    add(links[current] ?? [], through);
    for (const name of ["last_next", "usual_next"]) found.add(codeOf(given[name], place, NONE));
    return [...found].filter((page) => page >= 0 && page !== current).sort((a, b) => a - b);
  }

  return answering(policy, (context) => {
    const codes = readSession(context, place), last = codes.length - 1, current = codes[last], given = {};
    const q = { bands: {} };
    for (const [name, read] of readers) given[name] = read(context);
    given.dwell_before_s = last > 0 ? Math.floor(given.dwell_before_s) : NaN;
    const before = last > 0 ? codes[last - 1] : NONE;
    const states = [firsts(current), seconds(current >= 0 && before >= NONE ? (before + 1) * n + current : NONE)];
    const pages = candidatesOf(codes, states, given), popular = pages.map((page) => shares[page]);
    const first = lean(states[0], pages, popular, one), chances = [first, lean(states[1], pages, first, two)];
    Object.assign(q, { codes, current, before, given, pages, states, popular, chances });
    for (const name of [...Object.keys(bands), ...places.keys()]) q.bands[name] = bandOf(name, given);
    const matrix = new Float32Array(pages.length * width);
    columns.forEach((work, on) => {
      const values = work(q), single = !Array.isArray(values);
      for (let i = 0; i < pages.length; i++) matrix[i * width + on] = single ? values : values[i];
    });
    const found = pages.map((page, i) => [page, 1 / (1 + Math.exp(-(slope * margin(matrix, i * width) + intercept)))]);
    const scale = Math.max(found.reduce((sum, pair) => sum + pair[1], 0), 1);
    return [likeliest(found.map(([page, chance]) => [page, chance / scale]), listed), limit];
  });
}
