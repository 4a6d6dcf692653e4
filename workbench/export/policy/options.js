/** A function that decides: from a context to the option, and the chance that each option comes late (or null);
    its `explain` says the same as one line for a Server-Timing header. */
export function load(policy) {
  if (policy.format !== 1) throw new Error(`expected policy format 1; got ${policy.format}`);
  const readers = {};
  for (const [name, field] of Object.entries(policy.fields)) readers[name] = reader(name, field);
  const decide = kinds[policy.kind](policy, readers);
  const { options, returns, saves_data: saves } = policy;
  const answer = (context) => {
    context ??= {};
    const [best, late] = decide(context);
    const option = options[readers[saves](context) === "True" ? 0 : best];
    const listed = late?.length ? Object.fromEntries(options.map((name, i) => [name, late[i]])) : null;
    return { [returns]: option, chances: listed };
  };
  answer.explain = (context) => {
    const { [returns]: option, chances } = answer(context);
    const late = Object.entries(chances ?? {}).map(([name, chance]) => `${encodeURI(name)} ${chance.toFixed(3)}`);
    return `policy;desc="${[policy.version, encodeURI(option), ...late].join(" ")}"`;
  };
  return answer;
}
