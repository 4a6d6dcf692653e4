/** What the last measurement was best for, while it is young, else what another policy answers; no chances. */
kinds.last = ({ max_age_s: oldest, assume, worth, otherwise }, readers) => {
  const rest = kinds[otherwise.kind](otherwise, readers);
  const { bits, round_trips: trips, budget, longest, quality, price } = worth;
  const last = (name) => (context) => {
    const number = readers[`last_${name}`](context);
    return number !== number ? assume[name] ?? NaN : number;
  };
  const rtt = last("rtt_ms"), downlink = last("downlink_mbps");
  return (context) => {
    const trip = rtt(context), rate = downlink(context);
    if (!(readers.last_age_s(context) <= oldest) || trip !== trip || rate !== rate) return [rest(context)[0]];
    const nets = bits.map((size, option) => {
      const excess = Math.min(Math.max(trips * trip + size / (1000 * rate) - budget, 0), longest);
      return (excess >= longest ? 0 : quality[option]) - price * excess;
    });
    // The first NaN counts as the largest, as to NumPy.
    return [nets.reduce((best, net, i) => (nets[best] !== nets[best] || net <= nets[best] ? best : i), 0)];
  };
};
