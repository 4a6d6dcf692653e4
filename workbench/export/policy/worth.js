const MISSING = "(missing)";

/** Round-trip times at the middle of equal shares, from chances of exceeding a grid. */
function quantiles(above, logs, count) {
  const found = [], last = above.length - 1;
  let right = 0, low = -Infinity, high = 1 - above[0];
  for (let i = 0; i < count; i++) {
    const share = (i + 0.5) / count;
    while (right < last && (right < 1 || high < share)) {
      low = high;
      high = Math.max(high, 1 - above[++right]);
    }
    const part = Math.min(Math.max((share - low) / Math.max(high - low, 1e-12), 0), 1), log = logs[right - 1];
    found.push(Math.exp(log + part * (logs[right] - log)));
  }
  return found;
}

/** Chances that each option fails at each time (options of a time side by side), averaged over round-trip times. */
function mixer({ grids, times, bits, round_trips, quantiles: count }) {
  const logs = grids.rtt_ms.map(Math.log), [first, second] = grids.downlink_mbps, last = grids.downlink_mbps.length - 1;
  const steps = 1 / Math.log(second / first), sizes = bits.map((size) => steps * Math.log(size / (1000 * first)));
  const fails = new Float64Array(times.length * bits.length);
  return ({ rtt_ms, downlink_mbps: slower }) => {
    fails.fill(0);
    for (const rtt of quantiles(rtt_ms, logs, count)) {
      for (let time = 0, place = 0; time < times.length; time++) {
        const left = times[time] - round_trips * rtt, log = left > 0 ? steps * Math.log(left) : 0;
        for (let option = 0; option < sizes.length; option++, place++) {
          if (left > 0) {
            const position = sizes[option] - log;
            if (position <= 0) fails[place] += slower[0];
            else if (position >= last) fails[place] += slower[last];
            else {
              const at = position | 0, low = slower[at];
              fails[place] += low + (position - at) * (slower[at + 1] - low);
            }
          } else fails[place]++;
        }
      }
    }
    for (let i = 0; i < fails.length; i++) fails[i] /= count;
    return fails;
  };
}

/** The same where one quantity decides; place -1 is certain. */
function picker(places) {
  const [[quantity, place]] = Object.entries(places), flat = place.flat();
  return (found) => flat.map((at) => at < 0 ? 1 : found[quantity][at]);
}

/** The option of the largest expected value, ties to the smaller, and the chance that each comes late. */
kinds.trees = (policy, readers, ask = chances) => {
  const { quality, price, weights, abandons, mixed, place } = policy.worth;
  const heads = Object.entries(policy.heads).map(([quantity, head]) => [quantity, ask(head, readers)]);
  const failing = mixed ? mixer(mixed) : picker(place);
  return (context) => {
    const found = {};
    for (const [quantity, answer] of heads) found[quantity] = answer(context);
    const fails = failing(found), count = quality.length, last = fails.length - count;
    let best = 0, most = -Infinity;
    for (let option = 0; option < count; option++) {
      let wait = 0;
      for (let time = 0; time < weights.length; time++) wait += weights[time] * fails[time * count + option];
      const worth = quality[option] * (1 - (abandons ? fails[last + option] : 0)) - price * wait;
      if (worth > most) [best, most] = [option, worth];
    }
    return [best, fails];
  };
};
