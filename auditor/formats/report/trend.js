"use strict";
// The runs of the history as two charts; the table below them says the same.
(async () => {
  const { about, element } = report;
  const { past } = await about;
  const place = document.getElementById("charts");
  if (!place || past.length < 2) return;
  const times = past.map((run) => run.at);
  const days = times[times.length - 1] - times[0] > 2 * 86400;
  const tick = (seconds) => new Date(seconds * 1000).toISOString().slice(...(days ? [5, 10] : [11, 16]));
  const color = (name) => {
    const probe = element("span", {});
    probe.style.color = `var(${name})`;
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const chart = (title, told, lines, range, unit) => {
    const figure = element("figure", { class: "chart" }, element("figcaption", {}, title));
    const holder = element("div", { role: "img", "aria-label": told });
    figure.append(holder);
    place.append(figure);
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
    const plot = new uPlot(
      {
        width: figure.clientWidth - 24,
        height: 200,
        scales: { y: { range } },
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
        axes: [{ ...axis, values: (_, ticks) => ticks.map(tick) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? report.number(tick) + unit : "")) }],
        series: [
          { label: "run of", value: (_, value) => (value === null ? "-" : new Date(value * 1000).toISOString().slice(0, 16).replace("T", " ")) },
          ...lines.map(({ label, stroke, dash }) => ({ label, stroke: color(stroke), width: 2, dash, points: { show: past.length < 40, size: 6 } })),
        ],
      },
      [times, ...lines.map(({ of }) => past.map(of))],
      holder,
    );
    // Where the pointer is nowhere, the legend tells of the last run.
    const rest = () => plot.setLegend({ idx: past.length - 1 });
    plot.over.addEventListener("mouseleave", () => requestAnimationFrame(rest));
    requestAnimationFrame(rest);
    return { plot, figure };
  };
  let drawn = [];
  const draw = () => {
    drawn.forEach(({ plot, figure }) => { plot.destroy(); figure.remove(); });
    place.hidden = false;
    const [first, last] = [past[0], past[past.length - 1]];
    drawn = [
      chart("Findings",
        `Open findings went from ${report.number(first.open)} to ${report.number(last.open)} in ${past.length} runs; the table below has each.`,
        [
          { label: "open", stroke: "--accent", of: (run) => run.open },
          { label: "new", stroke: "--high", dash: [6, 4], of: (run) => run.new },
          { label: "resolved", stroke: "--good", dash: [2, 3], of: (run) => run.resolved },
        ],
        (_, __, most) => [0, Math.max(5, Math.ceil(most * 1.1))], ""),
      chart("Coverage",
        `Coverage went from ${first.coverage_percent} % to ${last.coverage_percent} % in ${past.length} runs; the table below has each.`,
        [{ label: "coverage", stroke: "--accent", of: (run) => run.coverage_percent }],
        () => [0, 100], " %"),
    ];
  };
  draw();
  document.addEventListener("themechange", draw);
  let width = place.clientWidth;
  window.addEventListener("resize", () => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    drawn.forEach(({ plot, figure }) => plot.setSize({ width: figure.clientWidth - 24, height: 200 }));
  });
})();
