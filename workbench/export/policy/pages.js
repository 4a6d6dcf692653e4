function above(number, edges) {
  const known = typeof number === "number" && number === number ? number : 0;
  return edges.filter((edge) => edge <= known).length;
}

/** A function that decides: from a context to the pages worth fetching, and the chance of each. */
export function load(policy) {
  if (policy.format !== 1) throw new Error(`expected policy format 1; got ${policy.format}`);
  const { names, smoothing, limits, listed, habit, fields, saves_data: saves } = policy;
  const place = new Map(names.map((name, i) => [name, i]));
  const orders = policy.orders.map((order) => {
    return new Map(Object.entries(order).map(([key, state]) => [key, readState(state)]));
  });
  const readClass = limits && reader(limits.field, fields[limits.field]);
  const saving = saves && reader(saves, fields[saves]);
  const ofClass = new Map(Object.entries(limits ? limits.of : {}));

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
      return found ?? NEVER_SEEN;
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
    const usual = codeOf(context.usual_next, place, NONE), last = codeOf(context.last_next, place, NONE);
    const alike = usual === last;
    const often = above(context.here_before, habit.here_before), sure = above(context.usual_share, habit.usual_share);
    const cell = habit.cells[(often * (habit.usual_share.length + 1) + sure) * 2 + (alike ? 1 : 0)];
    const pages = [usual, alike ? NONE : last], none = usual < 0 || pages.includes(current);
    const own = pages.map((page, i) => [none ? NONE : page, none || page < 0 ? 0 : cell[i]]);
    const rest = 1 - (own[0][1] + own[1][1]);
    const there = own.filter(([page]) => page >= 0);
    const kept = there.map(([page, chance]) => [page, chance + rest * chanceOf(page, states)]);
    const others = everybody(states, current, listed + 2).filter(([page]) => kept.every((each) => each[0] !== page));
    return likeliest([...kept, ...others.map(([page, chance]) => [page, chance * rest])], listed);
  }

  return answering(policy, (context) => {
    const limit = limits ? ofClass.get(readClass(context)) ?? limits.otherwise : policy.limit;
    if (saving && saving(context) === "True") return [[], limit];
    const codes = readSession(context, place), current = Math.max(codes[codes.length - 1], NONE);
    const states = statesOf(codes);
    return [habit ? habits(context, states, current) : everybody(states, current, listed), limit];
  });
}
