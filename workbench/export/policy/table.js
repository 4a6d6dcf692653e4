const SEPARATOR = "\x1f";

/** The answer of the finest group that the table knows; where its column is missing, another policy may answer. */
kinds.table = ({ keys, edges, answers, otherwise }, readers) => {
  const rest = otherwise && kinds[otherwise.kind](otherwise, readers);
  const known = new Map(Object.entries(answers));
  const texts = keys.map((key) => {
    if (!edges[key]) return (context) => readers[key](context) ?? "";
    return (context) => {
      const number = readers[key](context);
      return number !== number ? "" : String(edges[key].filter((edge) => edge <= number).length);
    };
  });
  return (context) => {
    let label = "", [best, ...late] = known.get(label);
    for (const text of texts) {
      label += SEPARATOR + text(context).replaceAll(SEPARATOR, " ");
      if (rest && label === SEPARATOR) return [rest(context)[0]];
      if (known.has(label)) [best, ...late] = known.get(label);
    }
    return [best, late];
  };
};
