/** How a feature is worked out. */
function encoder({ field, means, level, otherwise }, readers) {
  const read = readers[field], text = (context) => read(context) ?? MISSING;
  if (means) return (context) => (Object.hasOwn(means, text(context)) ? means[text(context)] : otherwise);
  return level === undefined ? read : (context) => Number(text(context) === level);
}

/** As trees weigh options, with chances of a logistic regression, to which each threshold adds the same in any context. */
kinds.linear = (policy, readers) => kinds.trees(policy, readers, (head) => {
  const { features, logs, line, slope, intercept } = head, encoders = features.map((each) => encoder(each, readers));
  const row = new Float32Array(features.length + 1), margin = walker(line);
  const at = (log) => {
    row[features.length] = log;
    return margin(row, 0);
  };
  const added = logs.map((log) => at(log) - at(NaN));
  return (context) => {
    encoders.forEach((encode, i) => (row[i] = encode(context)));
    const own = at(NaN);
    return added.map((more) => 1 / (1 + Math.exp(-(slope * (own + more) + intercept))));
  };
});
