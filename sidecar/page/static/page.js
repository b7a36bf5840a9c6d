// Keeps an open page true: relative times, what has changed since, and a filter. The page works without all of it.
"use strict";

(() => {
  const STALE = 25; // seconds without a word after which the connection is taken to be lost; the daemon speaks every 10
  const AGAIN = 15; // seconds until a refused connection is tried again
  const HIDDEN = 10; // seconds after which a page that nobody looks at gives its connection to those that are seen
  const SETTLED = 60; // seconds for which a page is kept although the daemon is another one
  const OURS = ["open", "hidden"]; // attributes that whoever reads has set, by hand and by the filter
  const HEALTHS = ["healthy", "degraded", "unknown", "critical"];

  const body = document.body;
  const label = document.getElementById("live");
  const icon = document.querySelector("link[rel=icon]");
  const pod = document.title.slice(document.title.lastIndexOf(" · "));

  let skew = Number(body.dataset.now) * 1000 - Date.now(); // of the daemon's clock against ours
  let shown = Number(body.dataset.now); // the time of what is shown, seconds since the epoch
  let revision = body.dataset.revision;
  const begun = performance.now();
  let heard = begun;
  let tried = heard; // when the connection was asked for
  let state = "";
  let source = null;
  let timer = 0;

  const now = () => (Date.now() + skew) / 1000;

  // Relative times, in the words of times.py.

  function span(seconds) {
    const whole = Math.floor(Math.max(0, seconds));
    const two = (a, unit, b, smaller) => `${Math.floor(a)} ${unit}${Math.floor(b) ? ` ${Math.floor(b)} ${smaller}` : ""}`;
    if (whole < 90) return `${whole} s`;
    if (whole < 90 * 60) return `${Math.floor(whole / 60)} min`;
    if (whole < 48 * 3600) return two(whole / 3600, "h", (whole % 3600) / 60, "min");
    return two(whole / 86400, "d", (whole % 86400) / 3600, "h");
  }

  function relative(at, form) {
    const away = Math.abs(now() - at);
    if (form === "for") return span(away);
    if (away < 1) return now() >= at ? "just now" : "now";
    return now() >= at ? `${span(away)} ago` : `in ${span(away)}`;
  }

  function refresh() {
    for (const each of document.querySelectorAll("span.ago")) {
      const text = relative(Number(each.dataset.at), each.dataset.form);
      if (each.textContent !== text) each.textContent = text;
    }
    if (!body.dataset.live) return;
    const silent = source && performance.now() - Math.max(heard, tried) > STALE * 1000;
    if (silent || state === "lost") lost();
    if (silent) connect(); // a connection that has died unnoticed, as in a machine that was asleep, ends in no error
  }

  // What has changed.

  function clock(at) {
    return `${new Date(at * 1000).toISOString().slice(11, 19)} UTC`;
  }

  function say(next, text) {
    state = next;
    label.className = `live ${next}`;
    const place = label.querySelector(".text");
    if (place.textContent !== text) place.textContent = text;
  }

  function lost() {
    say("lost", `connection lost, showing ${clock(shown)} (${span(now() - shown)} old)`);
  }

  function keep(place) {
    const focused = place.contains(document.activeElement) ? document.activeElement : null;
    const reach = focused && [...place.querySelectorAll("a, summary, input, [tabindex]")];
    return {
      open: new Map([...place.querySelectorAll("details[data-keep]")].map((each) => [each.dataset.keep, each.open])),
      values: [...place.querySelectorAll("input[id]")].map((each) => [each.id, each.value]),
      key: focused && (focused.id || focused.getAttribute("href") || focused.closest("[data-keep]")?.dataset.keep),
      index: focused ? reach.indexOf(focused) : -1,
      caret: focused && focused.selectionStart,
    };
  }

  function restore(place, kept) {
    for (const each of place.querySelectorAll("details[data-keep]")) {
      each.open = kept.open.get(each.dataset.keep) ?? each.open;
    }
    for (const [id, value] of kept.values) {
      const input = document.getElementById(id);
      if (input) input.value = value;
    }
    if (kept.index < 0 || place.contains(document.activeElement)) return;
    const reach = [...place.querySelectorAll("a, summary, input, [tabindex]")];
    const same = reach.find((each) =>
      [each.id, each.getAttribute("href"), each.closest("[data-keep]")?.dataset.keep].includes(kept.key),
    );
    const target = same || reach[Math.min(kept.index, reach.length - 1)];
    if (!target) return;
    target.focus({ preventScroll: true });
    if (kept.caret !== null && kept.caret !== undefined && target.setSelectionRange) {
      target.setSelectionRange(kept.caret, kept.caret);
    }
  }

  // What is the same stays the same node, so that what somebody has marked to copy stays marked.

  const which = (node) => `${node.nodeName} ${node.id || node.dataset?.key || node.dataset?.keep || ""}`;

  function patch(old, fresh) {
    if (which(old) !== which(fresh)) {
      old.replaceWith(fresh);
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      for (const name of new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()])) {
        const value = fresh.getAttribute(name);
        if (OURS.includes(name) || old.getAttribute(name) === value) continue;
        if (value === null) old.removeAttribute(name);
        else old.setAttribute(name, value);
      }
      fill(old, fresh);
    } else if (old.data !== fresh.data) {
      old.data = fresh.data;
    }
  }

  function fill(place, fresh) {
    const [there, wanted] = [[...place.childNodes], [...fresh.childNodes]];
    there.slice(wanted.length).forEach((node) => node.remove());
    wanted.forEach((node, n) => (n < there.length ? patch(there[n], node) : place.append(node)));
  }

  function change(told) {
    for (const [id, html] of Object.entries(told.sections)) {
      const place = document.getElementById(id);
      if (!place) continue;
      const kept = keep(place);
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      fill(place, fresh.content);
      restore(place, kept);
    }
    // Said aloud only when it is another sentence: the numbers beside it change all the time.
    if (document.title !== told.title + pod) document.getElementById("news").textContent = told.title;
    document.title = told.title + pod;
    if (HEALTHS.includes(told.health)) {
      icon.href = `${icon.dataset.icons}${told.health}.svg`;
      const headline = document.getElementById("headline");
      if (headline) headline.className = told.health;
    }
    shown = told.at;
    filter();
    refresh();
  }

  function word(event) {
    heard = performance.now();
    const told = JSON.parse(event.data);
    if (told.at) skew = told.at * 1000 - Date.now();
    // Another version has other styles and scripts. Never twice in a minute: a balancer may lead us to two of them.
    if (told.build && told.build !== body.dataset.build && performance.now() - begun > SETTLED * 1000) {
      source?.close();
      location.reload();
    }
    return told;
  }

  function connect() {
    clearTimeout(timer);
    tried = performance.now();
    if (source) source.close();
    source = new EventSource(`${body.dataset.live}&have=${encodeURIComponent(revision)}`);
    source.addEventListener("beat", (event) => {
      shown = word(event).at;
      say("on", "live");
    });
    source.addEventListener("changed", (event) => {
      change(word(event));
      revision = event.lastEventId;
      say("on", "live");
    });
    source.addEventListener("gone", () => {
      source.close();
      source = null;
      say("over", `as of ${clock(shown)}; there is nothing of it any more`);
    });
    source.addEventListener("error", () => {
      lost();
      if (source && source.readyState === EventSource.CLOSED) timer = setTimeout(connect, AGAIN * 1000);
    });
  }

  function pause() {
    source?.close();
    source = null;
    say("", `as of ${clock(shown)}`);
  }

  function look() {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(pause, HIDDEN * 1000);
    else if (!source && state !== "over") connect();
  }

  // The filter.

  function filter() {
    const tools = document.querySelector("[data-filter]");
    if (!tools) return;
    tools.hidden = false;
    const input = tools.querySelector("input");
    const wanted = input.value.trim().toLowerCase();
    const rows = [...document.querySelectorAll(".checks > li")];
    let found = 0;
    for (const row of rows) {
      row.hidden = wanted !== "" && !`${row.dataset.name} ${row.textContent}`.toLowerCase().includes(wanted);
      found += !row.hidden;
    }
    tools.querySelector("[data-matches]").textContent = wanted ? `${found} of ${rows.length}` : "";
  }

  document.addEventListener("input", (event) => {
    if (event.target.id === "filter") filter();
  });

  filter();
  refresh();
  setInterval(refresh, 1000);
  if (body.dataset.live && "EventSource" in window) {
    connect();
    document.addEventListener("visibilitychange", look);
  }
})();
