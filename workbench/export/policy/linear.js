/** The log-odds of a row of numbers, which begins at a place of a matrix: a logistic regression. */
function walker({ logged, flagged, mean, weights, intercept, floor }) {
  const width = mean.length - logged.length;
  return (matrix, begin) => {
    let margin = intercept;
    const add = (number, i) => {
      if (Number.isFinite(number)) margin += (number - mean[i]) * weights[i];
    };
    for (let i = 0; i < width; i++) add(matrix[begin + i], i);
    logged.forEach((at, i) => add(Math.log(Math.max(matrix[begin + at], 0) + floor), width + i));
    flagged.forEach((at, i) => (margin += isNaN(matrix[begin + at]) * weights[mean.length + i]));
    return margin;
  };
}
