"use strict";
// The findings as the page holds them, and one of them unfolded.
report.findings = (async () => {
  const about = await report.about;
  const column = Object.fromEntries(about.columns.map((name, at) => [name, at]));
  const details = report.holders("details");
  const read = new Map();

  const data = [];
  const blocks = await Promise.all(report.holders("rows").map(report.read));
  blocks.forEach((rows, block) => rows.forEach((row, at) => data.push({ row, block, at })));
  const value = (item, name) => item.row[column[name]];

  const detail = (item) => {
    if (!read.has(item.block)) read.set(item.block, report.read(details[item.block]));
    return read.get(item.block).then((rows) => rows[item.at]);
  };
  const whole = async (item) => {
    const rest = await detail(item);
    const names = rest.shortened ? about.columns : about.fields;
    const found = Object.fromEntries(names.map((name) => [name, name in column ? value(item, name) : rest[name]]));
    return rest.shortened ? { shortened: true, ...found } : found;
  };
  return { data, detail, value, whole };
})();

report.unfold = (() => {
  const { element, json, jsonText } = report;
  const facts = (pairs) => element("dl", { class: "facts" },
    pairs.filter(([, told]) => told !== null && told !== undefined && told !== "")
      .map(([name, told]) => [element("dt", {}, name), element("dd", {}, told)]));
  const copy = (label, of) => {
    const button = element("button", { type: "button" }, label);
    const done = element("span", { class: "muted", role: "status" });
    button.addEventListener("click", async () => {
      const value = await of();
      try {
        await navigator.clipboard.writeText(jsonText(value));
        done.textContent = "Copied.";
      } catch {
        done.textContent = "This browser does not let a page copy; mark the text and copy it.";
        if (!button.parentNode.nextElementSibling) button.parentNode.after(json(value));
      }
    });
    return [button, done];
  };
  const unfold = async (item, cell) => {
    const { detail, value, whole } = await report.findings;
    const rest = await detail(item);
    const waiver = value(item, "waiver");
    const cost = value(item, "cost");
    const controls = (rest.controls || []).map((each) => `${each.framework} ${each.id} (${each.mapping})`).join("; ");
    const left = element("div", {}, element("h3", {}, "What to do"), 
      /^(aws|auditor) /.test(rest.remediation) ? element("pre", { tabindex: "0" }, rest.remediation) : element("p", {}, rest.remediation));
    if (rest.shortened) left.append(element("p", { class: "subset" }, "This finding is shortened here; it stands whole in findings.jsonl."));
    else left.append(element("h3", {}, "Evidence"), json(rest.evidence));
    const right = element("div", {}, element("h3", {}, "About it"), facts([
      ["Resource", value(item, "resource_arn")],
      ["Type", rest.resource_type],
      ["Why so", rest.resolution && [rest.resolution.kind, rest.resolution.why].filter(Boolean).join(": ")],
      ["Waived by", waiver && `${waiver.owner} until ${waiver.until}: ${waiver.reason}${waiver.ticket ? ` (${waiver.ticket})` : ""}`],
      ["Cost", cost && `${cost.monthly_usd.toFixed(2)} ${cost.currency} a month: ${cost.basis}`],
      ["Price of", cost && `${cost.price_source}, ${cost.price_date}`],
      ["Controls", controls],
      ["First seen", value(item, "first_seen")],
      ["Observed", rest.observed_at],
      ...Object.entries(rest.related || {}).filter(([name, told]) => name !== "record_arn" || told !== value(item, "resource_arn")).map(([name, told]) => [name.replaceAll("_", " "), told]),
      ["Finding", value(item, "finding_id")],
    ]));
    const tools = element("div", { class: "pages" },
      copy("Copy as JSON", () => whole(item)),
      element("a", { href: `#finding-${value(item, "finding_id")}` }, "Link to this finding"));
    cell.replaceChildren(element("div", { class: "detail" }, left, right), tools);
  };
  return unfold;
})();
