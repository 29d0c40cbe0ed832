"use strict";
// The list of findings: searched, filtered, sorted and turned over by TanStack Table; what it shows is made here.
(async () => {
  const { element, field, number } = report;
  const place = document.getElementById("list");
  if (!place) return;
  const about = await report.about;
  const PAGE = 25;
  const rank = (names) => Object.fromEntries(names.map((name, at) => [name, at]));
  const ranks = { severity: rank(about.severities), status: rank(about.statuses) };
  const { data, value } = await report.findings;

  // What is searched, and what each filter asks.
  const searched = ["finding_id", "policy", "account_id", "account_name", "region", "resource_arn", "resource_name", "message"];
  const matches = (item, words) => {
    const text = searched.map((name) => value(item, name) || "").join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const asks = {
    status: (item, wanted) => {
      const status = value(item, "status");
      const waived = value(item, "waiver") !== null && status !== "resolved";
      if (wanted === "(open)") return status !== "resolved" && !waived;
      return wanted === "(waived)" ? waived : status === wanted;
    },
    account: (item, wanted) => value(item, "account_id") === wanted,
    search: matches,
  };
  const filtering = (ask) => {
    const filter = (row, _, wanted) => ask(row.original, wanted);
    filter.autoRemove = (wanted) => !wanted || wanted.length === 0;
    return filter;
  };
  const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const columns = [
    { id: "severity", accessorFn: (item) => ranks.severity[value(item, "severity")] },
    { id: "status", accessorFn: (item) => ranks.status[value(item, "status")] },
    { id: "policy", accessorFn: (item) => value(item, "policy") },
    { id: "account", accessorFn: (item) => (value(item, "account_name") || "") + value(item, "account_id") },
    { id: "region", accessorFn: (item) => value(item, "region") },
    { id: "message", accessorFn: (item) => value(item, "message") },
    { id: "first_seen", accessorFn: (item) => value(item, "first_seen") || "" },
    { id: "search", accessorFn: () => "" },
  ].map((each) => ({
    ...each,
    sortDescFirst: false,
    sortFn: (a, b, id) => text(a.getValue(id), b.getValue(id)),
    filterFn: filtering(asks[each.id] || ((item, wanted) => value(item, each.id) === wanted)),
  }));
  const heads = [
    ["severity", "Severity"], ["message", "What was found"], ["policy", "Policy"], ["account", "Account"], ["region", "Region"],
    ["status", "Status"], ["first_seen", "First seen"],
  ].filter(([id]) => id !== "first_seen" || data.some((item) => value(item, "first_seen")));

  const table = TableCore.constructTable({
    features: TableCore.tableFeatures({
      coreReactivityFeature: TableCore.storeReactivityBindings(),
      columnFilteringFeature: TableCore.columnFilteringFeature,
      filteredRowModel: TableCore.createFilteredRowModel(),
      rowSortingFeature: TableCore.rowSortingFeature,
      sortedRowModel: TableCore.createSortedRowModel(),
      rowPaginationFeature: TableCore.rowPaginationFeature,
      paginatedRowModel: TableCore.createPaginatedRowModel(),
    }),
    columns,
    data,
    autoResetPageIndex: false,
    initialState: { pagination: { pageIndex: 0, pageSize: PAGE }, sorting: [{ id: "severity", desc: false }] },
  });

  // The tools above the list.
  const counted = (of) => {
    const counts = new Map();
    for (const item of data) {
      for (const each of of(item)) counts.set(each, (counts.get(each) || 0) + 1);
    }
    return counts;
  };
  const names = new Map(data.map((item) => [value(item, "account_id"), value(item, "account_name")]));
  const select = (id, label, counts, order, told = (each) => each) => {
    const made = element("select", {}, element("option", { value: "" }, "all"));
    for (const each of [...counts.keys()].sort(order)) {
      made.append(element("option", { value: each }, `${told(each)} (${number(counts.get(each))})`));
    }
    // The option's value as it is: what is shown of it may be escaped.
    [...counts.keys()].sort(order).forEach((each, at) => { made.options[at + 1].value = each; });
    made.addEventListener("change", () => set(id, made.value));
    return [made, field(label, made, `filter-${id}`)];
  };
  const byRank = (id) => (a, b) => ranks[id][a] - ranks[id][b];
  const statusesOf = (item) => {
    const status = value(item, "status");
    if (status === "resolved") return [status];
    return value(item, "waiver") === null ? ["(open)", status] : ["(waived)", status];
  };
  const statusOrder = ["(open)", "(waived)", ...about.statuses];
  const told = { "(open)": "open, not waived", "(waived)": "waived", not_seen: "not seen" };
  const search = element("input", { type: "search", placeholder: "name, ARN, id, account, words of the message", autocomplete: "off", spellcheck: "false" });
  const selects = {
    severity: select("severity", "Severity", counted((item) => [value(item, "severity")]), byRank("severity")),
    status: select("status", "Status", counted(statusesOf), (a, b) => statusOrder.indexOf(a) - statusOrder.indexOf(b), (each) => told[each] || each),
    policy: select("policy", "Policy", counted((item) => [value(item, "policy")]), text),
    account: select("account", "Account", counted((item) => [value(item, "account_id")]),
      (a, b) => text((names.get(a) || "") + a, (names.get(b) || "") + b), (each) => [names.get(each), each].filter(Boolean).join(" ")),
    region: select("region", "Region", counted((item) => [value(item, "region")]), text),
  };
  const clear = element("button", { type: "button" }, "Clear");
  clear.addEventListener("click", () => reset());
  place.append(element("div", { class: "tools", role: "search", "aria-label": "Findings" },
    field("Search", search, "search", true), Object.values(selects).map(([, each]) => each), clear));

  const said = element("p", { class: "told", role: "status" });
  const body = element("tbody", {});
  const sorts = heads.map(([id, label]) => {
    const button = element("button", { type: "button", class: "sort" }, label, element("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      const [now] = table.atoms.sorting.get();
      table.setSorting([{ id, desc: now && now.id === id ? !now.desc : false }]);
      show(0);
    });
    return element("th", { scope: "col", "data-column": id }, button);
  });
  const turn = (label, to) => {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => show(to()));
    return button;
  };
  const page = () => table.atoms.pagination.get().pageIndex;
  const earlier = turn("Earlier", () => page() - 1);
  const later = turn("Later", () => page() + 1);
  const where = element("span", { class: "muted" });
  place.append(
    element("div", { class: "pages" }, said, earlier, where, later),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "List of findings" },
      element("table", { class: "rows" },
        element("caption", { class: "unseen-text" }, "Findings; the button in each row unfolds it"),
        element("thead", {}, element("tr", {}, sorts)), body)),
  );

  // Rows.
  const open = new Set();
  const status = (item) => {
    const waiver = value(item, "waiver");
    return element("td", { class: "short" }, value(item, "status").replace("_", " "),
      waiver && element("span", { class: "status-note" }, `waived until ${waiver.until}`));
  };
  const cells = {
    status,
    policy: (item) => element("td", { class: "short" }, value(item, "policy")),
    account: (item) => element("td", { class: "name" }, value(item, "account_name") || value(item, "account_id"), " ",
      value(item, "account_name") && element("span", { class: "id" }, value(item, "account_id"))),
    region: (item) => element("td", { class: "short" }, value(item, "region")),
    message: (item) => element("td", { class: "message" }, value(item, "message"),
      element("span", { class: "status-note" }, value(item, "resource_name") || value(item, "resource_arn"))),
    first_seen: (item) => element("td", { class: "short" }, (value(item, "first_seen") || "").slice(0, 10)),
  };
  const made = (item) => {
    const id = value(item, "finding_id");
    const severity = value(item, "severity");
    const fold = element("button", { type: "button", class: "fold", "aria-expanded": String(open.has(id)) },
      element("span", { class: `severity ${severity}` }, severity), element("span", { class: "unseen-text" }, `: ${value(item, "resource_name") || id}`));
    const row = element("tr", { class: "row", id: `finding-${id}` }, element("th", { scope: "row" }, fold),
      heads.slice(1).map(([name]) => cells[name](item)));
    const toggle = (opened) => {
      if (opened) open.add(id);
      else open.delete(id);
      fold.setAttribute("aria-expanded", String(opened));
      row.classList.toggle("open", opened);
      const after = row.nextElementSibling;
      if (after && after.classList.contains("unfolded")) after.remove();
      if (!opened) return null;
      const cell = element("td", { colspan: String(heads.length) });
      row.after(element("tr", { class: "unfolded" }, cell));
      return report.unfold(item, cell);
    };
    row.addEventListener("click", (event) => {
      // Marking text, or pressing another thing in the row, unfolds nothing.
      if (event.target.closest("a") || String(getSelection())) return;
      toggle(!open.has(id));
    });
    row.toggle = toggle;
    return row;
  };
  const show = async (to) => {
    const all = table.getSortedRowModel().rows.length;
    const last = Math.max(0, Math.ceil(all / PAGE) - 1);
    table.setPageIndex(Math.min(Math.max(0, to), last));
    const rows = table.getRowModel().rows.map((row) => made(row.original));
    body.replaceChildren(...rows);
    const hidden = about.left_out ? `, ${number(about.left_out)} more are left out` : "";
    said.textContent = all === data.length ? `${number(all)} findings${hidden}` : `${number(all)} of ${number(data.length)} findings${hidden}`;
    where.textContent = `page ${number(page() + 1)} of ${number(last + 1)}`;
    earlier.disabled = page() === 0;
    later.disabled = page() === last;
    const [now] = table.atoms.sorting.get();
    for (const head of sorts) {
      const sorted = now && now.id === head.dataset.column;
      if (sorted) head.setAttribute("aria-sort", now.desc ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      head.querySelector(".arrow").textContent = sorted ? (now.desc ? "\u2193" : "\u2191") : "";
    }
    await Promise.all(rows.filter((row) => open.has(row.id.slice("finding-".length))).map((row) => row.toggle(true)));
  };
  const set = (id, wanted) => {
    table.setColumnFilters((filters) => [...filters.filter((each) => each.id !== id), ...(wanted && wanted.length ? [{ id, value: wanted }] : [])]);
    return show(0);
  };
  const reset = () => {
    search.value = "";
    for (const [made] of Object.values(selects)) made.value = "";
    table.setColumnFilters([]);
    return show(0);
  };
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => set("search", search.value.toLowerCase().split(/\s+/).filter(Boolean)), 120);
  });

  // Links from elsewhere in the page, and from elsewhere.
  document.addEventListener("click", (event) => {
    const from = event.target.closest("a[data-severity], a[data-status]");
    if (!from) return;
    reset();
    const [id, wanted] = from.dataset.severity ? ["severity", from.dataset.severity] : ["status", from.dataset.status];
    selects[id][0].value = wanted;
    if (id === "severity") {
      selects.status[0].value = "(open)";
      set("status", "(open)");
    }
    set(id, wanted);
  });
  const follow = async () => {
    const asked = /^#finding-([0-9a-f]{8,64})$/.exec(location.hash);
    if (!asked) return;
    const item = data.find((each) => value(each, "finding_id").startsWith(asked[1]));
    if (!item) {
      said.textContent = "The finding that the link names is not in this list; look for it in findings.jsonl.";
      return;
    }
    const at = () => table.getSortedRowModel().rows.findIndex((row) => row.original === item);
    if (at() < 0) await reset();
    open.add(value(item, "finding_id"));
    await show(Math.floor(at() / PAGE));
    const row = document.getElementById(`finding-${value(item, "finding_id")}`);
    row.scrollIntoView({ block: "start" });
    row.querySelector("button").focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", follow);
  report.ready(place);
  await show(0);
  await follow();
  document.documentElement.dataset.ready = "findings";
})();
