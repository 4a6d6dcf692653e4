/* Decides as the workbench does, from policy.json: `const decide = load(policy)`, then `decide(context)`.

   A context is an object of the fields that policy.json lists; what is missing or of another type counts as missing.
   No dependency, no clock, no network, no state. */

const kinds = {};

function readText(value, field) {
  if (Number.isSafeInteger(value)) value = String(value);
  if (typeof value !== "string" || value === "") return null;
  if (field.allowed && !field.allowed.includes(value)) return null;
  return (field.as && Object.hasOwn(field.as, value)) ? field.as[value] : value;
}

function readFlag(value) {
  return typeof value === "boolean" ? (value ? "True" : "False") : null;
}

/** A reader of one field of a context: a number (NaN where missing), or a text (null where missing). */
function reader(name, field) {
  const own = (context) => (Object.hasOwn(context, name) ? context[name] : undefined);
  if (field.type === "number") {
    const { low = -Infinity, high = Infinity } = field;
    return (context) => {
      const value = own(context);
      return typeof value === "number" && value >= low && value <= high ? value : NaN;
    };
  }
  if (field.type === "page") return own;
  if (field.type === "flag") return (context) => readFlag(own(context));
  return (context) => readText(own(context), field);
}
