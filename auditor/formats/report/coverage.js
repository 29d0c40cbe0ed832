"use strict";
// The map: accounts by Regions, worst first; where they are many, all of them at a glance above it.
(async () => {
  const { element, field, number } = report;
  const place = document.getElementById("map");
  const about = await report.about;
  const raw = new DataView(await report.bytes(report.holders("matrix")[0]));
  const wide = about.regions.length;
  if (!wide) {
    report.ready(place);
    return;
  }
  const order = ["", "skipped", "complete", "accepted", "unjudged", "partial", "failed"];
  const words = {
    failed: "not read", partial: "read in part", unjudged: "read, not all judged", accepted: "gap, accepted",
    complete: "read", skipped: "nothing to read",
  };
  const signs = { failed: "\u00d7", partial: "\u00bd", unjudged: "?", accepted: "\u2248", complete: "\u2022", skipped: "\u2013" };
  const weights = [0, ...about.kinds.map(([cell]) => order.indexOf(cell))];
  const kind = (account, region) => raw.getUint16(2 * (account * wide + region), true);
  // Worst first: by the number of cells of the worst verdict, then of the one after it.
  const scores = about.accounts.map((_, account) => {
    const counts = new Array(order.length).fill(0);
    for (let region = 0; region < wide; region += 1) counts[weights[kind(account, region)]] += 1;
    return counts.slice(3).reverse();
  });
  const bad = (account) => scores[account].some((count) => count > 0);
  const regions = about.regions.map((name, at) => ({ name, at })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const accounts = about.accounts.map(([id, name], at) => ({ id, name, at, text: `${name || ""} ${id}`.toLowerCase() }));
  const orders = {
    worst: (a, b) => {
      for (let at = 0; at < scores[a.at].length; at += 1) {
        if (scores[a.at][at] !== scores[b.at][at]) return scores[b.at][at] - scores[a.at][at];
      }
      return a.at - b.at;
    },
    name: (a, b) => (a.text < b.text ? -1 : 1),
    plan: (a, b) => a.at - b.at,
  };
  const PAGE = 20;
  let shown = [];
  let at = 0;

  const tip = element("div", { class: "tip", role: "tooltip", id: "tip", hidden: true });
  document.body.append(tip);
  const tell = (account, region, box) => {
    const number = kind(account.at, region.at);
    const [cell, why] = number ? about.kinds[number - 1] : ["", []];
    tip.replaceChildren(
      element("strong", {}, `${account.name || account.id}, ${region.name}`),
      element("span", {}, number ? words[cell] : "not planned"),
      ...why.map((each) => element("span", {}, `; ${each}`)),
    );
    tip.hidden = false;
    const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${box.bottom + 6 + scrollY}px`;
  };
  const hide = () => { tip.hidden = true; };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // All accounts at a glance: a column each, or the worst of several where there are more than the page is wide.
  const glance = element("canvas", { role: "img" });
  const HIGH = 7;
  const colors = () => order.map((cell) => {
    if (!cell) return "transparent";
    const probe = element("span", { class: `cell ${cell}` });
    place.append(probe);
    const found = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return found;
  });
  const across = () => Math.min(shown.length, Math.floor(glance.clientWidth));
  const draw = () => {
    if (accounts.length <= PAGE || !shown.length) return;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [glance.clientWidth, regions.length * HIGH];
    glance.style.height = `${height}px`;
    glance.width = width * scale;
    glance.height = height * scale;
    const pen = glance.getContext("2d");
    pen.scale(scale, scale);
    const fill = colors();
    const columns = across();
    for (let column = 0; column < columns; column += 1) {
      const from = Math.floor((column * shown.length) / columns);
      const to = Math.max(from + 1, Math.floor(((column + 1) * shown.length) / columns));
      const x = Math.floor((column * width) / columns);
      const w = Math.max(1, Math.floor(((column + 1) * width) / columns) - x);
      regions.forEach((region, line) => {
        let worst = 0;
        for (let each = from; each < to; each += 1) worst = Math.max(worst, weights[kind(shown[each].at, region.at)]);
        if (!worst) return;
        pen.fillStyle = fill[worst];
        pen.fillRect(x, line * HIGH, w > 3 ? w - 1 : w, HIGH - 1);
      });
    }
  };
  const under = (event) => {
    const box = glance.getBoundingClientRect();
    const account = shown[Math.min(shown.length - 1, Math.floor(((event.clientX - box.left) / box.width) * shown.length))];
    const region = regions[Math.min(regions.length - 1, Math.floor((event.clientY - box.top) / HIGH))];
    return { account, region };
  };
  glance.addEventListener("mousemove", (event) => {
    const { account, region } = under(event);
    if (account && region) tell(account, region, { left: event.clientX + 8, bottom: event.clientY });
  });
  glance.addEventListener("mouseleave", hide);
  glance.addEventListener("click", (event) => {
    const { account } = under(event);
    if (account) turn(Math.floor(shown.indexOf(account) / PAGE));
  });

  // Some accounts of them as a table.
  const few = regions.length <= 6;
  const head = element("tr", {}, element("th", { scope: "col" }, "Account"),
    regions.map((region) => element("th", { scope: "col" }, element("span", {}, region.name))));
  const body = element("tbody", {});
  const cell = (account, region) => {
    const number = kind(account.at, region.at);
    if (!number) return element("td", {}, element("span", { class: "unseen-text" }, "not planned"));
    const [name, why] = about.kinds[number - 1];
    if (name === "complete") {
      return element("td", {}, element("span", { class: "cell complete" }, element("span", { "aria-hidden": "true" }, signs[name]),
        element("span", { class: "unseen-text" }, words[name])));
    }
    const button = element("button", { type: "button", class: `cell ${name}`, "aria-label": [words[name], ...why].join("; ") }, signs[name]);
    const told = () => tell(account, region, button.getBoundingClientRect());
    button.addEventListener("mouseenter", told);
    button.addEventListener("focus", told);
    button.addEventListener("click", told);
    button.addEventListener("mouseleave", hide);
    button.addEventListener("blur", hide);
    return element("td", {}, button);
  };
  const said = element("p", { class: "told", role: "status" });
  const where = element("span", { class: "muted" });
  const pager = (label, by) => {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => turn(at + by));
    return button;
  };
  const [earlier, later] = [pager("Earlier accounts", -1), pager("Later accounts", 1)];
  const turn = (to) => {
    const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1);
    at = Math.min(Math.max(0, to), last);
    body.replaceChildren(...shown.slice(at * PAGE, (at + 1) * PAGE).map((account) => element("tr", {},
      element("th", { scope: "row" }, account.name || account.id, " ", account.name && element("span", { class: "id" }, account.id)),
      regions.map((region) => cell(account, region)))));
    where.textContent = `page ${number(at + 1)} of ${number(last + 1)}`;
    earlier.disabled = at === 0;
    later.disabled = at === last;
  };
  const search = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const sort = element("select", {}, element("option", { value: "worst" }, "worst first"), element("option", { value: "name" }, "name"),
    element("option", { value: "plan" }, "as configured"));
  const only = element("select", {}, element("option", { value: "" }, "all"), element("option", { value: "bad" }, "with a gap"));
  const choose = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = accounts.filter((account) => (!only.value || bad(account.at)) && words.every((word) => account.text.includes(word)))
      .sort(orders[sort.value]);
    const gaps = shown.filter((account) => bad(account.at)).length;
    said.textContent = `${number(shown.length)} of ${number(accounts.length)} accounts, ${number(gaps)} with a gap`;
    glance.setAttribute("aria-label", `${said.textContent}; the table below has each`);
    turn(0);
    draw();
  };
  search.addEventListener("input", choose);
  sort.addEventListener("change", choose);
  only.addEventListener("change", choose);

  const many = accounts.length > PAGE;
  if (many) {
    place.append(
      element("div", { class: "tools" }, field("Account", search, "map-search", true), field("Order", sort, "map-order"),
        field("Accounts", only, "map-only")),
      element("figure", { class: "overview" },
        element("figcaption", {}, "Every account from left to right, every Region from top to bottom; press one to see it in the table below."),
        glance));
  }
  if (many) place.append(element("div", { class: "pages" }, said, earlier, where, later));
  place.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Map of accounts and Regions" },
    element("table", { class: few ? "grid few" : "grid" }, element("caption", { class: "unseen-text" }, "Verdict of each account and Region"),
      element("thead", {}, head), body)));
  report.ready(place);
  choose();
  document.addEventListener("themechange", draw);
  window.addEventListener("resize", draw);
})();
