/* Decides as the workbench does, from policy.json: `const decide = load(policy)`, then `decide({ pages })`.

   `pages` are those of the session in their order, the current one last, without repeats in a row. The answer is a list
   of { page, chance }, the likeliest first: what to fetch. No dependency, no clock, no network, no state. */

const NONE = -1, UNKNOWN = -2;

/** Whole numbers that fall as chances rise; chances that differ by less than a billionth are alike. */
const fallen = (pair) => Math.round((1 - pair[1]) * 2 ** 30);

function above(number, edges) {
  const known = typeof number === "number" && number === number ? number : 0;
  return edges.filter((edge) => edge <= known).length;
}

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

/** A function that decides: from a context to the pages worth fetching, and the chance of each. */
export function load(policy) {
  if (policy.format !== 1) throw new Error(`expected policy format 1; got ${policy.format}`);
  const { names, smoothing, limit, most, listed, habit } = policy;
  const place = new Map(names.map((name, i) => [name, i]));
  const orders = policy.orders.map((order) => {
    return new Map(Object.entries(order).map(([key, state]) => [key, readState(state)]));
  });
  const nothing = { total: 0, counts: new Map() };
  const code = (page, otherwise) => (typeof page === "string" ? place.get(page) : undefined) ?? otherwise;

  function statesOf(codes) {
    const last = codes.length - 1;
    let key = "", known = true;
    return orders.map((order, i) => {
      if (i > 0) {
        const page = last - i + 1 >= 0 ? codes[last - i + 1] : NONE;
        known = known && page !== UNKNOWN;
        key = i > 1 ? `${page},${key}` : String(page);
      }
      const found = known ? order.get(key) : undefined;
      known = known && (i === 0 || found !== undefined);
      return found ?? nothing;
    });
  }

  function chanceOf(page, states) {
    let chance = (states[0].counts.get(page) ?? 0) / Math.max(states[0].total, 1);
    for (let i = 1; i < states.length; i++) {
      const { total, counts } = states[i], s = smoothing[i - 1];
      chance = ((counts.get(page) ?? 0) + s * chance) / (total + s);
    }
    return chance;
  }

  function everybody(states, current, count) {
    const found = new Set();
    for (const { counts } of states) {
      let taken = 0;
      for (const page of counts.keys()) if (taken++ < Math.max(10, count + 1)) found.add(page); else break;
    }
    found.delete(current);
    return likeliest([...found].sort((a, b) => a - b).map((page) => [page, chanceOf(page, states)]), count);
  }

  function habits(context, states, current) {
    const usual = code(context.usual_next, NONE), last = code(context.last_next, NONE), alike = usual === last;
    const often = above(context.here_before, habit.here_before), sure = above(context.usual_share, habit.usual_share);
    const cell = habit.cells[(often * (habit.usual_share.length + 1) + sure) * 2 + (alike ? 1 : 0)];
    const pages = [usual, alike ? NONE : last], none = usual < 0 || pages.includes(current);
    const own = pages.map((page, i) => [none ? NONE : page, none || page < 0 ? 0 : cell[i]]);
    const rest = 1 - (own[0][1] + own[1][1]);
    const kept = own.filter(([page]) => page >= 0).map(([page, chance]) => [page, chance + rest * chanceOf(page, states)]);
    const others = everybody(states, current, listed + 2).filter(([page]) => kept.every((each) => each[0] !== page));
    return likeliest([...kept, ...others.map(([page, chance]) => [page, chance * rest])], listed);
  }

  return (context = {}) => {
    const pages = Array.isArray(context.pages) ? context.pages : [];
    const codes = pages.map((page) => code(page, UNKNOWN));
    if (!codes.length) codes.push(UNKNOWN);
    const current = Math.max(codes[codes.length - 1], NONE), states = statesOf(codes);
    const found = habit ? habits(context, states, current) : everybody(states, current, listed);
    const worth = found.slice(0, most).filter((pair) => pair[1] >= limit);
    return worth.map(([page, chance]) => ({ page: names[page], chance }));
  };
}
