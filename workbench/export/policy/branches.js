/** What another policy answers, except where a branch holds: the first of them from the last on; no chances. */
kinds.branches = ({ base, branches, options, saves_data: saves }, readers) => {
  const rest = kinds[base.kind](base, readers);
  const holds = (context, option) => ({ field, levels, inside, above, up_to: most, unknown }) => {
    const fact = field ? readers[field](context) : options[option];
    if (levels) return levels.includes(fact ?? "unknown") === inside;
    return Number.isFinite(fact) ? fact > (above ?? -Infinity) && fact <= (most ?? Infinity) : unknown;
  };
  return (context) => {
    const option = readers[saves](context) === "True" ? 0 : rest(context)[0];
    const found = branches.findLast(({ when }) => when.every(holds(context, option)));
    return [found ? found.option : option];
  };
};
