/* Measures one page view and sends it as one beacon when the view ends. Cookies and storage are never touched: who the
   visitor is, and in which arm, the server knows. Nothing is sent under Save-Data, Do Not Track or Global Privacy Control. */

/** What a policy may know in the browser, as it is named in policy.json; what is unknown is missing. */
export function context() {
  const net = navigator.connection ?? {}, agent = navigator.userAgentData, now = new Date();
  return {
    os_family: agent?.platform,
    browser: agent?.brands.map(({ brand }) => brand).find((name) => !/not|^Chromium$/i.test(name)),
    device: agent && (agent.mobile ? "phone" : "desktop"),
    save_data: net.saveData,
    local_hour: now.getHours(),
    effective_type: net.effectiveType,
    netinfo_rtt_ms: net.rtt,
    netinfo_downlink_mbps: net.downlink,
    connection_type: net.type,
  };
}

/** Sends to `url` what was given (what was decided on, decided, and served) and what the view then measured. */
export function report(url, given) {
  if (navigator.connection?.saveData || navigator.doNotTrack === "1" || navigator.globalPrivacyControl) return;
  const at = Date.now();
  let lcp, done = false;
  const observe = (entries) => (lcp = entries.at(-1)?.startTime || lcp);
  const painted = new PerformanceObserver((list) => observe(list.getEntries()));
  try { painted.observe({ type: "largest-contentful-paint", buffered: true }); } catch { /* not measured here */ }

  const send = () => {
    if (done || document.visibilityState !== "hidden") return;
    done = true;
    observe(painted.takeRecords());
    const [page] = performance.getEntriesByType("navigation"), all = performance.getEntriesByType("resource");
    const answered = [page, ...all].filter((each) => each.transferSize > 0 && each.responseStart > each.requestStart);
    // A handshake takes a round trip; on a connection that was reused, the quickest answer takes a little more than one.
    const trip = (page.secureConnectionStart || page.connectEnd) - page.connectStart
      || Math.min(...answered.map((each) => each.responseStart - each.requestStart));
    // Images differ by arm: a throughput measured on them would be missing more often in one. Cached files show none.
    const files = [page, ...all.filter((each) => each.initiatorType !== "img")].filter((each) => each.transferSize > 20000);
    const speeds = files.map((each) => (8 * each.transferSize) / (1000 * (each.responseEnd - each.responseStart)));
    const measured = {
      rtt_ms: Number.isFinite(trip) ? trip : null,
      downlink_mbps: speeds.findLast(Number.isFinite),
      lcp_ms: lcp,
      page_bytes: [page, ...all].reduce((sum, each) => sum + each.encodedBodySize, 0),
    };
    const row = { at, page: location.pathname, ...given, ...measured };
    navigator.sendBeacon(url, JSON.stringify(row, (_, value) => value ?? null));
  };
  addEventListener("visibilitychange", send, true);
}
