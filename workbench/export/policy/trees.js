const LEAF = -1, ASKED = -2, MISSING = "(missing)";

/** How a feature of the trees is worked out. */
function encoder(feature, readers) {
  const read = readers[feature.field];
  if (feature.means) {
    const means = new Map(Object.entries(feature.means));
    return (context) => means.get(read(context) ?? MISSING) ?? feature.otherwise;
  }
  if ("level" in feature) return (context) => Number((read(context) ?? MISSING) === feature.level);
  return read;
}

/** Chances that a quantity is worse than each of the thresholds that one head was exported for. */
function chances(head, readers) {
  const { roots, slope, intercept } = head, feature = Int32Array.from(head.feature), right = Int32Array.from(head.right);
  // Thresholds that no tree tells apart are asked about at once.
  const cuts = [...new Set(head.value.filter((_, node) => feature[node] === ASKED))].sort((a, b) => a - b);
  const part = Uint16Array.from({ length: head.asked }, (_, at) => cuts.filter((cut) => cut <= at).length);
  const place = new Map(cuts.map((cut, i) => [cut, i + 1])), asked = cuts.length + 1;
  const value = Float32Array.from(head.value, (each, node) => (feature[node] === ASKED ? place.get(each) : each));
  const missingLeft = Uint8Array.from(head.missing_left);
  const encoders = head.features.map((each) => encoder(each, readers));
  const row = new Float32Array(encoders.length), margin = new Float32Array(asked);
  const chance = new Float64Array(asked), found = new Float64Array(part.length);

  // A node on the threshold cuts the list of thresholds in two; a node on a feature sends all of them to one side.
  function walk(node, low, high) {
    for (let on = feature[node]; on !== LEAF; on = feature[node]) {
      if (on === ASKED) {
        const cut = value[node];
        if (cut > low && cut < high) {
          walk(node + 1, low, cut);
          low = cut;
          node = right[node];
        } else node = cut >= high ? node + 1 : right[node];
      } else {
        const number = row[on];
        node = (number !== number ? missingLeft[node] : number < value[node]) ? node + 1 : right[node];
      }
    }
    const leaf = value[node];
    // A Float32Array rounds each sum.
    for (let at = low; at < high; at++) margin[at] += leaf;
  }

  return (context) => {
    for (let i = 0; i < row.length; i++) row[i] = encoders[i](context);
    margin.fill(head.start);
    for (let i = 0; i < roots.length; i++) walk(roots[i], 0, asked);
    for (let i = 0; i < asked; i++) chance[i] = 1 / (1 + Math.exp(-(slope * margin[i] + intercept)));
    for (let at = 0; at < part.length; at++) found[at] = chance[part[at]];
    return found;
  };
}

/** Round-trip times at the middle of equal shares, from chances of exceeding a grid. */
function quantiles(above, logs, count) {
  const found = new Float64Array(count), last = above.length - 1;
  let right = 0, low = -Infinity, high = 1 - above[0];
  for (let i = 0; i < count; i++) {
    const share = (i + 0.5) / count;
    while (right < last && (right < 1 || high < share)) {
      low = high;
      high = Math.max(high, 1 - above[++right]);
    }
    const part = Math.min(Math.max((share - low) / Math.max(high - low, 1e-12), 0), 1);
    found[i] = Math.exp(logs[right - 1] + part * (logs[right] - logs[right - 1]));
  }
  return found;
}

/** Chances that each option fails at each time (options of a time side by side), averaged over round-trip times. */
function mixer({ grids, times, bits, round_trips, quantiles: count }) {
  const logs = grids.rtt_ms.map(Math.log), grid = grids.downlink_mbps, last = grid.length - 1;
  const step = Math.log(grid[1] / grid[0]), sizes = bits.map((size) => Math.log(size / grid[0]));
  const fails = new Float64Array(times.length * bits.length);
  return (found) => {
    const slower = found.downlink_mbps;
    fails.fill(0);
    for (const rtt of quantiles(found.rtt_ms, logs, count)) {
      for (let time = 0, place = 0; time < times.length; time++) {
        const left = times[time] - round_trips * rtt, log = left > 0 ? Math.log(1000 * left) : -Infinity;
        for (let option = 0; option < sizes.length; option++, place++) {
          if (left > 0) {
            let position = (sizes[option] - log) / step;
            position = position < 0 ? 0 : position > last ? last : position;
            const at = position < last ? position | 0 : last - 1;
            fails[place] += slower[at] + (position - at) * (slower[at + 1] - slower[at]);
          } else fails[place] += 1;
        }
      }
    }
    for (let place = 0; place < fails.length; place++) fails[place] /= count;
    return fails;
  };
}

/** The same where one quantity decides; place -1 is certain. */
function picker(places) {
  const [[quantity, place]] = Object.entries(places), flat = place.flat();
  return (found) => Float64Array.from(flat, (at) => (at < 0 ? 1 : found[quantity][at]));
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
    return [best, Array.from(fails.subarray(0, count))];
  };
};
