"use strict";
// Looks of the charts: one colour per run, the same in every chart, redrawn when the colour scheme changes.
(() => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const palettes = {
    light: ["#0f766e", "#c2570c", "#4f46e5", "#be185d", "#4d7c0f", "#0369a1", "#a16207", "#7e22ce"],
    dark: ["#4fd1c1", "#fb9a5b", "#9aa5ff", "#f78fb8", "#a9d65c", "#6cc3f5", "#e8c05a", "#cf9bf5"],
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function colour(slot) {
    if (slot === "truth") return css("--ink");
    if (slot === "reference") return css("--faint");
    const palette = dark.matches ? palettes.dark : palettes.light;
    return palette[slot % palette.length];
  }

  function faded(hex, alpha) {
    const value = parseInt(hex.slice(1), 16);
    return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
  }

  function paintTrace({ slot, band, budget, ...trace }) {
    const paint = colour(slot);
    if (trace.type === "bar") return { ...trace, marker: { color: paint } };
    const painted = { ...trace };
    if (trace.line) painted.line = { ...trace.line, color: paint };
    if (trace.marker) painted.marker = { ...trace.marker, color: paint, line: { width: 2, color: css("--card") } };
    if (trace.error_y) painted.error_y = { ...trace.error_y, color: paint, thickness: 1.6, width: 5 };
    if (band) painted.fillcolor = faded(paint, 0.16);
    return painted;
  }

  function axis(text, log, narrow) {
    return {
      title: { text, font: { color: css("--soft"), size: 12.5 }, standoff: 10 }, type: log ? "log" : "linear",
      gridcolor: css("--grid"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true,
      tickfont: { color: css("--soft"), size: 11.5 }, ...(log ? { dtick: narrow ? 1 : "D2", minor: { dtick: "D1", showgrid: true, gridcolor: css("--grid") } } : narrow ? { nticks: 5 } : {}),
    };
  }

  function layout(plot, width) {
    const budgets = [...new Set(plot.traces.map((trace) => trace.budget).filter((value) => value !== undefined))];
    const legend = plot.legend && plot.traces.filter((trace) => trace.showlegend !== false).length > 1;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", bargap: 0.06,
      font: { family: getComputedStyle(document.body).fontFamily, color: css("--ink"), size: 12.5 },
      margin: { l: 56, r: 12, t: 10, b: 46 }, showlegend: legend, hovermode: "closest",
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: css("--soft"), size: 12 } },
      hoverlabel: { font: { size: 12.5 }, bordercolor: css("--line") },
      xaxis: axis(plot.x, plot.x_log, width < 500), yaxis: axis(plot.y, false, false),
      shapes: budgets.map((value) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value,
        line: { color: css("--fail"), width: 1.5, dash: "dot" },
      })),
    };
  }

  function draw() {
    for (const plot of plots) {
      const place = document.getElementById(plot.id);
      if (!place) continue;
      const options = { responsive: true, displayModeBar: false, displaylogo: false };
      Plotly.react(place, plot.traces.map(paintTrace), layout(plot, place.clientWidth), options);
    }
    for (const swatch of document.querySelectorAll(".swatch")) {
      swatch.style.background = colour(Number(swatch.dataset.slot));
    }
  }

  draw();
  dark.addEventListener("change", draw);
})();
