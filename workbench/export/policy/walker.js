/** The margin of a row of numbers, which begins at a place of a matrix. */
function walker(trees) {
  const feature = Int32Array.from(trees.feature), right = Int32Array.from(trees.right);
  const value = Float32Array.from(trees.value), left = Uint8Array.from(trees.missing_left);
  return (matrix, begin) => {
    let margin = Math.fround(trees.start);
    for (let node of trees.roots) {
      for (let on = feature[node]; on >= 0; on = feature[node]) {
        const number = matrix[begin + on];
        node = (number !== number ? left[node] : number < value[node]) ? node + 1 : right[node];
      }
      margin = Math.fround(margin + value[node]);
    }
    return margin;
  };
}
