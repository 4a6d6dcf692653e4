/** The margins of trees, of rows side by side. */
function walker({ roots, feature: features, right: rights, value: values, missing_left: lefts, start }, width) {
  const feature = Int32Array.from(features), right = Int32Array.from(rights);
  const value = Float32Array.from(values), left = Uint8Array.from(lefts);
  return (matrix, begin) => {
    let margin = Math.fround(start);
    for (let tree = 0; tree < roots.length; tree++) {
      let node = roots[tree];
      for (let on = feature[node]; on >= 0; on = feature[node]) {
        const number = matrix[begin + on];
        node = (number !== number ? left[node] : number < value[node]) ? node + 1 : right[node];
      }
      margin = Math.fround(margin + value[node]);
    }
    return margin;
  };
}

/** A function that decides: from a context to the pages worth fetching, and the chance of each. */
export function load(policy) {
  if (policy.format !== 1) throw new Error(`expected policy format 1; got ${policy.format}`);
  const { names, features, candidates, bands, levels, smoothing, slope, intercept, limit, most, listed } = policy;
  const place = new Map(names.map((name, i) => [name, i])), n = names.length, width = features.length;
  const table = (order) => new Map(Object.entries(order).map(([key, state]) => [Number(key), readState(state)]));
  const [zeroth, firsts, seconds] = policy.orders.map(table), skipping = table(policy.skipping);
  const everybody = zeroth.get(0) ?? NEVER_SEEN, latest = readState(policy.latest), links = policy.links ?? {};
  const share = ({ total, counts }, page) => (counts.get(page) ?? 0) / Math.max(total, 1);
  const popularity = names.map((_, page) => share(everybody, page)), now = names.map((_, page) => share(latest, page));
  const rank = [], margin = walker(policy.trees, width), readers = {};
  popularity.map((_, page) => page).sort((a, b) => popularity[b] - popularity[a]).forEach((page, i) => (rank[page] = i));
  for (const [name, field] of Object.entries(policy.fields)) if (name !== "pages") readers[name] = reader(name, field);
  const places = new Map(Object.entries(levels).map(([name, all]) => [name, new Map(all.map((level, i) => [level, i]))]));
  const known = (code) => (code >= 0 ? code : NaN), linked = (from, to) => Number((links[from] ?? []).includes(to));
  const columns = features.map(column);

  function lean({ total, counts }, pages, priors, s) {
    return pages.map((page, i) => ((counts.get(page) ?? 0) + s * priors[i]) / (total + s));
  }

  function ranks(chances) {
    const found = [];
    chances.map((chance, i) => [i, chance]).sort((a, b) => fallen(a) - fallen(b)).forEach(([i], at) => (found[i] = at + 1));
    return found;
  }

  function grouped(name) {
    const { of, counts } = policy.groups[name], states = table(counts);
    return (q) => {
      let code = q.bands[of[0]];
      for (const each of of.slice(1)) code = code >= 0 && q.bands[each] >= 0 ? code * bands[each] + q.bands[each] : NONE;
      const key = code >= 0 && q.current >= 0 ? code * n + q.current : NONE;
      return lean(states.get(key) ?? NEVER_SEEN, q.pages, q.first, smoothing[2]);
    };
  }

  /** How a feature is worked out: one number, or one for each candidate. */
  function column(name) {
    const of = {
      page: (q) => q.pages,
      current_page: (q) => known(q.current),
      previous_page: (q) => known(q.before),
      popularity: (q) => q.pages.map((page) => popularity[page]),
      popularity_rank: (q) => q.pages.map((page) => rank[page]),
      current_popularity_rank: (q) => rank[q.current] ?? NaN,
      popularity_now: (q) => q.pages.map((page) => now[page]),
      skipping_chance: (q) =>
        lean(skipping.get(q.before) ?? NEVER_SEEN, q.pages, q.pages.map((page) => popularity[page]), smoothing[0]),
      position: (q) => q.codes.length - 1,
      times_seen: (q) => q.pages.map((page) => q.codes.reduce((sum, code) => sum + (code === page), 0)),
      views_ago: (q) => q.pages.map((page) => (q.codes.includes(page) ? q.codes.length - 1 - q.codes.lastIndexOf(page) : NaN)),
      previous_dwell_s: (q) => q.given.dwell_before_s,
      linked: (q) => q.pages.map((page) => linked(q.current, page)),
      links_back: (q) => q.pages.map((page) => linked(page, q.current)),
    };
    for (const each of ["last_next", "usual_next"]) {
      of[`is_${each}`] = (q) => q.pages.map((page) => Number(page === codeOf(q.given[each], place, NONE)));
    }
    ["first", "second"].forEach((order, i) => {
      of[`${order}_views`] = (q) => q.states[i].total;
      of[`${order}_count`] = (q) => q.pages.map((page) => q.states[i].counts.get(page) ?? 0);
      of[`${order}_share`] = (q) => q.pages.map((page) => share(q.states[i], page));
      of[`${order}_chance`] = (q) => q[order];
      of[`${order}_rank`] = (q) => ranks(q[order]);
    });
    if (Object.hasOwn(of, name)) return of[name];
    if (name.startsWith("first_chance by ")) return grouped(name.slice(16));
    return places.has(name) ? (q) => known(q.bands[name]) : (q) => q.given[name];
  }

  function bandOf(name, given) {
    const number = given[name === "dwell" ? "dwell_before_s" : name];
    if (places.has(name)) return number === null ? NONE : places.get(name).get(number) ?? places.get(name).size;
    if (number !== number) return NONE;
    if (name !== "dwell") return Math.floor(number / policy.hours_a_band);
    return policy.dwell_edges.filter((edge) => edge <= number).length;
  }

  function candidatesOf(codes, states, given) {
    const current = codes[codes.length - 1];
    if (n <= candidates.all_up_to) return [...names.keys()].filter((page) => page !== current);
    const found = new Set(codes.slice(-1 - candidates.recent, -1));
    const add = ({ counts }, most) => {
      for (const page of counts.keys()) if (most-- > 0) found.add(page); else break;
    };
    states.forEach((state) => add(state, candidates.followers));
    add(everybody, candidates.popular);
    for (const each of ["last_next", "usual_next"]) found.add(codeOf(given[each], place, NONE));
    for (const page of (links[current] ?? []).slice(0, candidates.linked)) found.add(page);
    found.delete(current);
    return [...found].filter((page) => page >= 0).sort((a, b) => a - b);
  }

  return (context = {}) => {
    const codes = readSession(context, place), last = codes.length - 1, current = codes[last], given = {}, q = {};
    for (const name in readers) given[name] = readers[name](context);
    if ("dwell_before_s" in given) given.dwell_before_s = last > 0 ? Math.floor(given.dwell_before_s) : NaN;
    const before = last > 0 ? codes[last - 1] : NONE;
    const pair = current >= 0 && before >= NONE ? (before + 1) * n + current : NONE;
    const states = [firsts.get(current) ?? NEVER_SEEN, seconds.get(pair) ?? NEVER_SEEN];
    const pages = candidatesOf(codes, states, given);
    const first = lean(states[0], pages, pages.map((page) => popularity[page]), smoothing[0]);
    Object.assign(q, { codes, current, before, given, pages, states, first, second: lean(states[1], pages, first, smoothing[1]) });
    q.bands = {};
    for (const name of [...Object.keys(bands), ...places.keys()]) q.bands[name] = bandOf(name, given);
    const matrix = new Float32Array(pages.length * width);
    columns.forEach((work, on) => {
      const values = work(q);
      for (let i = 0; i < pages.length; i++) matrix[i * width + on] = Array.isArray(values) ? values[i] : values;
    });
    const chances = pages.map((_, i) => 1 / (1 + Math.exp(-(slope * margin(matrix, i * width) + intercept))));
    const scale = Math.max(chances.reduce((sum, chance) => sum + chance, 0), 1);
    const found = likeliest(pages.map((page, i) => [page, chances[i] / scale]), listed);
    const worth = found.slice(0, most).filter((pair) => pair[1] >= limit);
    return worth.map(([page, chance]) => ({ page: names[page], chance }));
  };
}
