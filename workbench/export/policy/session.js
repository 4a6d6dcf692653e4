const NONE = -1, UNKNOWN = -2, NEVER_SEEN = { total: 0, counts: new Map() };

/** Whole numbers that fall as chances rise; chances that differ by less than a billionth are alike. */
const fallen = (pair) => Math.round((1 - pair[1]) * 2 ** 30);

/** The places of a page's followers, the most frequent first, and the counts behind them. */
function readState([total, ...pairs]) {
  const counts = new Map();
  for (let i = 0; i < pairs.length; i += 2) counts.set(pairs[i], pairs[i + 1]);
  return { total, counts };
}

/** The likeliest of pairs of page and chance, ties in their order. */
function likeliest(pairs, most) {
  return pairs.filter((pair) => pair[1] > 0).sort((a, b) => fallen(a) - fallen(b)).slice(0, most);
}

/** `decide`, from what weighs pages and says the limit; and `decide.explain`, one line for a Server-Timing header. */
function answering({ names, most, version, weighs = true }, weigh) {
  const decide = (context) => {
    const [found, limit] = weigh(context ?? {});
    const worth = found.slice(0, most).filter((pair) => pair[1] >= limit);
    return worth.map(([page, chance]) => ({ page: names[page], chance: weighs ? chance : null }));
  };
  decide.explain = (context) => {
    const [found, limit] = weigh(context ?? {});
    const weighed = found.slice(0, most).map(([page, chance]) => `${encodeURI(names[page])} ${chance.toFixed(3)}`);
    return `policy;desc="${[version, ...weighed, "limit", limit.toFixed(3)].join(" ")}"`;
  };
  return decide;
}

/** Codes of a session's pages, the current one last; an unknown page where the context names none. */
function readSession(context, place) {
  const pages = Array.isArray(context.pages) ? context.pages : [];
  const codes = pages.map((page) => codeOf(page, place, UNKNOWN));
  return codes.length ? codes : [UNKNOWN];
}

/** Code of a page, or another number where it is unknown. */
const codeOf = (page, place, otherwise) => (typeof page === "string" ? place.get(page) : undefined) ?? otherwise;
