/** As trees weigh options, with chances of a logistic regression. */
kinds.linear = (policy, readers) => kinds.trees(policy, readers, (head) => {
  const { features, logs, line, slope, intercept } = head, encoders = features.map((each) => encoder(each, readers));
  const row = new Float32Array(features.length + 1), margin = walker(line);
  return (context) => {
    encoders.forEach((encode, i) => (row[i] = encode(context)));
    return logs.map((log) => {
      row[features.length] = log;
      return 1 / (1 + Math.exp(-(slope * margin(row, 0) + intercept)));
    });
  };
});
