const LEAF = -1, ASKED = -2;
const rising = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

/** How many rising numbers are not above a number. */
function rankOf(edges, number) {
  let rank = 0;
  while (edges[rank] <= number) rank++;
  return rank;
}

/**
 * Chances that a quantity is worse than each of the thresholds that one head was exported for.
 *
 * The leaves of all trees are numbered; each answers for the thresholds from `low` to before `high`. A value
 * of a field rules leaves out: its set (a bit a leaf) holds the others, and is kept, one for all values that the trees
 * do not tell apart. The leaves in the sets of all fields are those of a context, in the order in which XGBoost adds.
 */
function chances({ feature, right, value, missing_left, features, roots, asked, start, slope, intercept }, readers) {
  // Thresholds that no tree tells apart are asked about at once.
  const cuts = rising(value.filter((_, node) => feature[node] === ASKED)), leaves = [], forks = features.map(() => []);
  const part = Array.from({ length: asked }, (_, at) => rankOf(cuts, at)), margin = new Float32Array(cuts.length + 1);
  function add(node, low, high) {
    const on = feature[node], more = Math.fround(value[node]), first = leaves.length;
    if (on === LEAF) return leaves.push({ more, low, high });
    const asks = on === ASKED, cut = asks && rankOf(cuts, more);
    add(node + 1, low, asks ? Math.min(cut, high) : high);
    const middle = leaves.length;
    add(right[node], asks ? Math.max(cut, low) : low, high);
    forks[on]?.push([more, missing_left[node], first, middle, leaves.length]);
  }
  roots.forEach((root) => add(root, 0, margin.length));
  while (leaves.length % 32) leaves.push({ more: 0.5, low: 0, high: 0 });

  const words = leaves.length / 32, alive = new Int32Array(words);
  const readSets = Object.entries(readers).map(([field, read]) => {
    const mine = [...features.keys()].filter((i) => features[i].field === field), sets = new Map();
    const edges = rising(mine.flatMap((i) => forks[i].map(([edge]) => edge)));
    const texts = new Set(mine.flatMap((i) => features[i].level ?? Object.keys({ ...features[i].means })));
    function rule(value) {
      const set = new Int32Array(words).fill(-1);
      for (const i of mine) {
        const { means, level, otherwise } = features[i];
        const mean = means && Object.hasOwn(means, value) ? means[value] : otherwise;
        const number = Math.fround(means ? mean : level ? value === level : value);
        for (const [edge, missing, first, middle, last] of forks[i]) {
          const left = number !== number ? missing : number < edge, end = left ? last : middle;
          for (let at = left ? middle : first; at < end; at++) set[at >> 5] &= ~(1 << at);
        }
      }
      return set;
    }
    return (context) => {
      const value = read(context) ?? MISSING;
      const key = texts.size ? texts.has(value) && value : value === value && rankOf(edges, Math.fround(value));
      if (!sets.has(key)) sets.set(key, rule(value));
      return sets.get(key);
    };
  });

  return (context) => {
    alive.fill(-1);
    for (const readSet of readSets) {
      const set = readSet(context);
      for (let word = 0; word < words; word++) alive[word] &= set[word];
    }
    margin.fill(start);
    for (let word = 0; word < words; word++) {
      for (let bits = alive[word]; bits; bits &= bits - 1) {
        const { more, low, high } = leaves[32 * word + 31 - Math.clz32(bits & -bits)];
        // A Float32Array rounds each sum.
        for (let i = low; i < high; i++) margin[i] += more;
      }
    }
    return part.map((at) => 1 / (1 + Math.exp(-(slope * margin[at] + intercept))));
  };
}
