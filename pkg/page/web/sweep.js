import { h, onResize } from "./dom.js";
import { formatCount, formatNumber, formatPlural } from "./format.js";
import { frameTable, tablesElement } from "./tables.js";
import { machineProperty, svgElement, themeColor } from "./theme.js";

/**
 * The page of a sweep: its grid with intervals, curves along each parameter, its findings, and the way to each run.
 *
 * @typedef {import("./types.js").Sweep} Sweep
 * @typedef {import("./types.js").Measure} Measure
 * @typedef {import("./types.js").Point} Point
 * @typedef {import("./types.js").PointClass} PointClass
 * @typedef {import("./types.js").Interval} Interval
 *
 * @typedef {object} Row one class of machines at one point
 * @property {Point} point
 * @property {PointClass} machines
 * @property {boolean} first of its point
 */

/**
 * The grid and the curves: both show the measure that the reader has chosen.
 *
 * @param {Sweep} sweep
 */
export function gridElement(sweep) {
	const shownMeasures = sweep.measures.filter((measure) => !sweep.measures.some((m) => m.predicted === measure.name));
	if (shownMeasures.length === 0 || sweep.points.length === 0) return null;
	const measures = h("select", { class: "select", id: "sweep-measure" }, shownMeasures.map((measure) => h("option", { value: measure.name }, measureName(measure))));
	const classes = classNames(sweep);
	const machines = h("select", { class: "select", id: "sweep-class" }, classes.map((name) => h("option", { value: name }, name)));
	const grid = h("div", {});
	const curves = h("div", { class: "charts two" });
	const show = () => {
		const measure = shownMeasures.find((m) => m.name === measures.value) ?? shownMeasures[0];
		grid.replaceChildren(gridTable(sweep, measure));
		curves.replaceChildren(...sweep.parameters.flatMap((parameter, k) =>
			(parameter.values.length > 1 ? [curveElement(sweep, measure, k, machines.value)] : [])));
	};
	measures.addEventListener("change", show);
	machines.addEventListener("change", show);
	show();
	return h("div", {},
		h("div", { class: "controls" }, h("label", { for: "sweep-measure" }, "Measure", measures)),
		grid,
		curves.childElementCount > 0 && h("div", {},
			h("div", { class: "controls" }, classes.length > 1 && h("label", { for: "sweep-class" }, "Curves of machines", machines)),
			curves));
}

/** @param {Measure} measure */
function measureName(measure) {
	return (measure.group ? measure.group + ": " : "") + measure.label + (measure.unit ? ` (${measure.unit})` : "");
}

/**
 * The names of the classes of machines, those at most points first.
 *
 * @param {Sweep} sweep
 */
function classNames(sweep) {
	/** @type {Map<string, number>} */
	const points = new Map();
	for (const point of sweep.points) for (const c of point.classes) points.set(c.name, (points.get(c.name) ?? 0) + 1);
	const alone = sweep.points.filter((point) => point.classes.length === 1).length;
	if (points.has(everyMachine)) points.set(everyMachine, (points.get(everyMachine) ?? 0) + alone);
	return [...points].sort((a, b) => b[1] - a[1] || (a[0] === everyMachine ? -1 : b[0] === everyMachine ? 1 : 0)).map(([name]) => name);
}

/** The class of all machines, which a point has only besides several others. */
const everyMachine = "all";

/**
 * The class of a point with a name.
 *
 * @param {Point | undefined} point
 * @param {string} name
 */
function classNamed(point, name) {
	return point?.classes.find((c) => c.name === name) ?? (name === everyMachine && point?.classes.length === 1 ? point.classes[0] : undefined);
}

/**
 * @param {Interval | null | undefined} interval
 * @returns {interval is {mean: number, half?: number | null}}
 */
function isKnown(interval) {
	return interval !== null && interval !== undefined && typeof interval.mean === "number";
}

/** @param {Interval | null | undefined} interval */
function intervalText(interval) {
	if (!isKnown(interval)) return "–";
	if (typeof interval.half !== "number" || !(interval.half > 0)) return formatNumber(interval.mean);
	// Two digits of the interval, and as many of the mean.
	const digits = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(interval.half))));
	return `${interval.mean.toFixed(digits).replace("-", "−")} ± ${interval.half.toFixed(digits)}`;
}

/**
 * @param {Sweep} sweep
 * @param {Measure} measure
 */
function gridTable(sweep, measure) {
	const at = sweep.measures.indexOf(measure);
	const predicted = sweep.measures.findIndex((m) => m.name === measure.predicted);
	/** @type {Row[]} */
	const rows = sweep.points.flatMap((point) => point.classes.map((machines, i) => ({ point, machines, first: i === 0 })));
	const scale = intervalScale(rows.flatMap((row) => [row.machines.values[at], predicted < 0 ? null : row.machines.values[predicted]]));
	const head = h("tr", {},
		h("th", { scope: "col", class: "words" }, "point"),
		sweep.parameters.map((p) => h("th", { scope: "col", class: "words" }, p.name)),
		h("th", { scope: "col", class: "words" }, "machines"),
		h("th", { scope: "col" }, "runs"),
		h("th", { scope: "col" }, measure.label),
		predicted >= 0 && h("th", { scope: "col" }, "predicted"),
		h("th", { scope: "col", class: "words" }, scale ? `${formatNumber(scale.low)} to ${formatNumber(scale.high)}` : "interval"));
	const body = rows.map((row) => h("tr", { class: row.first && "total" },
		row.first ? h("th", { scope: "row", class: "words" }, String(row.point.number)) : h("td", { class: "words" }),
		sweep.parameters.map((p, k) => h("td", { class: "words" }, row.first && (p.values[row.point.at[k]] ?? ""))),
		h("td", { class: "words" }, row.machines.name),
		h("td", {}, row.first && formatCount(row.point.runs)),
		h("td", {}, intervalText(row.machines.values[at])),
		predicted >= 0 && h("td", {}, intervalText(row.machines.values[predicted])),
		h("td", { class: "words" }, scale && intervalPicture(row, at, predicted, scale))));
	return frameTable(h("table", {}, h("caption", { class: "hidden-text" }, `${measureName(measure)}, at each point of the grid`), h("thead", {}, head), h("tbody", {}, body)), rows.length > 24);
}

/**
 * The least and the greatest end of intervals; 0 is among them if it is not far.
 *
 * @param {(Interval | null)[]} intervals
 * @returns {{low: number, high: number} | null}
 */
function intervalScale(intervals) {
	let low = Infinity;
	let high = -Infinity;
	for (const interval of intervals) {
		if (!isKnown(interval)) continue;
		low = Math.min(low, interval.mean - (interval.half ?? 0));
		high = Math.max(high, interval.mean + (interval.half ?? 0));
	}
	if (low > high) return null;
	if (low > 0 && low < 0.6 * high) low = 0;
	if (high < 0 && high > 0.6 * low) high = 0;
	return low === high ? { low: Math.min(0, low), high: Math.max(low, 0) || 1 } : { low, high };
}

/**
 * A mean as a dot on a line as long as its interval; the prediction is a stroke across.
 *
 * @param {Row} row
 * @param {number} at
 * @param {number} predicted
 * @param {{low: number, high: number}} scale
 */
function intervalPicture(row, at, predicted, scale) {
	const svg = svgElement("svg", { class: "interval", viewBox: "0 0 192 18", "aria-hidden": "true" });
	svg.style.setProperty("--mark", `var(${machineProperty(row.point.classes.indexOf(row.machines))})`);
	const x = (/** @type {number} */ value) => 6 + 180 * (value - scale.low) / (scale.high - scale.low);
	const line = (/** @type {number} */ x1, /** @type {number} */ x2, /** @type {string} */ name) => svgElement("line", { x1, x2, y1: 9, y2: 9, class: name });
	svg.append(line(6, 186, "zero"));
	const value = row.machines.values[at];
	if (isKnown(value)) {
		const half = value.half ?? 0;
		svg.append(line(x(value.mean - half), x(value.mean + half), "range"), svgElement("circle", { cx: x(value.mean), cy: 9, r: 3.5, class: "mean" }));
	}
	const expected = predicted < 0 ? null : row.machines.values[predicted];
	if (isKnown(expected)) svg.append(svgElement("line", { x1: x(expected.mean), x2: x(expected.mean), y1: 2, y2: 16, class: "predicted" }));
	return svg;
}

/**
 * A measure along a parameter: one line for each combination of the others.
 *
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {number} parameter
 * @param {string} machines name of a class
 */
function curveElement(sweep, measure, parameter, machines) {
	const { name, values, numbers } = sweep.parameters[parameter];
	const at = sweep.measures.indexOf(measure);
	const predicted = sweep.measures.findIndex((m) => m.name === measure.predicted);
	/** @type {Map<string, Point[]>} */
	const lines = new Map();
	for (const point of sweep.points) {
		const others = sweep.parameters.flatMap((p, k) => (k === parameter || p.values.length < 2 ? [] : [`${p.name} ${p.values[point.at[k]]}`])).join(", ");
		lines.set(others, [...(lines.get(others) ?? []), point]);
	}
	const drawn = [...lines].slice(0, 8);
	const x = numbers && numbers.length === values.length && new Set(numbers).size === numbers.length ? numbers : values.map((_, i) => i);
	const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b]);
	const column = (/** @type {Point[]} */ points, /** @type {number} */ of) => order.map((i) => {
		const found = classNamed(points.find((p) => p.at[parameter] === i), machines)?.values[of];
		return isKnown(found) ? found : null;
	});
	const intervals = drawn.map(([, points]) => column(points, at));
	const expected = predicted < 0 ? [] : drawn.map(([, points]) => column(points, predicted));
	const scale = intervalScale([...intervals, ...expected].flat());

	const words = drawn.map(([others], k) => (others === "" ? "" : others + ": ") + order.map((i, j) => `${values[i]}: ${intervalText(intervals[k][j])}`).join("; ")).join(". ");
	const box = h("div", { class: "plot", role: "img", "aria-label": `${measure.label} of machines “${machines}” along ${name}. ${words}` });
	const keys = drawn.length > 1 || predicted >= 0 ? h("ul", { class: "legend" }, drawn.map(([others], k) => {
		const line = h("span", { class: "line" });
		line.style.setProperty("--mark", `var(${machineProperty(k)})`);
		return others !== "" && h("li", { class: "key" }, line, others);
	}), predicted >= 0 && dashedKey()) : null;
	const figure = h("figure", { class: "chart" },
		h("figcaption", {}, h("h3", {}, `${measure.label} along ${name}`),
			h("p", {}, `Machines: ${machines}. Means over the trials with their 95 % intervals${lines.size > drawn.length ? `; the first ${drawn.length} of ${formatPlural(lines.size, "line")}` : ""}.`)),
		box, keys);
	if (!scale) {
		box.append(h("p", { class: "waiting" }, "Not known for these machines."));
		return figure;
	}

	const room = (scale.high - scale.low) * 0.06;
	const xs = order.map((i) => x[i]);
	const pad = xs.length > 1 ? (xs[xs.length - 1] - xs[0]) * 0.08 : 1;
	/** @type {uPlot | null} */
	let plot = null;
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		if (width <= 0) return;
		if (plot) {
			if (plot.width !== width) plot.setSize({ width, height: 230 });
			return;
		}
		plot = new uPlot({
			width, height: 230, padding: [8, 12, 0, 0], legend: { show: false }, cursor: { show: false },
			scales: { x: { time: false, range: () => [xs[0] - pad, xs[xs.length - 1] + pad] }, y: { range: () => [scale.low - (scale.low === 0 ? 0 : room), scale.high + room] } },
			axes: [
				{
					stroke: () => themeColor("--muted"), font: `12px ${themeColor("--sans")}`, size: 30, gap: 4, grid: { show: false }, ticks: { stroke: () => themeColor("--hairline"), width: 1, size: 4 },
					splits: () => xs, values: (_u, splits) => splits.map((s) => shorten(values[order[xs.indexOf(s)]] ?? "", width / xs.length / 7)),
				},
				{
					stroke: () => themeColor("--muted"), font: `12px ${themeColor("--sans")}`, gap: 6, grid: { stroke: () => themeColor("--hairline"), width: 1 }, ticks: { show: false },
					size: (_u, labels) => Math.max(28, ...(labels ?? []).map((l) => 14 + l.length * 6.6)), values: (_u, splits) => splits.map(formatNumber),
				},
			],
			series: [
				{},
				...intervals.map((_, k) => /** @type {uPlot.Series} */ ({ stroke: () => themeColor(machineProperty(k)), width: 1.75, spanGaps: true, points: { show: true, size: 7, fill: () => themeColor(machineProperty(k)) } })),
				...expected.map((_, k) => /** @type {uPlot.Series} */ ({ stroke: () => themeColor(machineProperty(k)), width: 1.25, dash: [5, 4], spanGaps: true, points: { show: false } })),
			],
			hooks: { draw: [(u) => drawIntervals(u, xs, intervals)] },
		}, [xs, ...[...intervals, ...expected].map((line) => line.map((i) => i && i.mean))], box);
	};
	onResize(box, draw);
	document.addEventListener("themechange", () => {
		if (!box.isConnected) return;
		draw();
		plot?.redraw(false, true);
	});
	return figure;
}

function dashedKey() {
	const line = h("span", { class: "line dashed" });
	line.style.setProperty("--mark", "var(--muted)");
	return h("li", { class: "key" }, line, "predicted");
}

/**
 * @param {uPlot} u
 * @param {number[]} xs
 * @param {({mean: number, half?: number | null} | null)[][]} lines
 */
function drawIntervals(u, xs, lines) {
	const { ctx } = u;
	const cap = 4 * devicePixelRatio;
	ctx.save();
	ctx.lineWidth = 1.5 * devicePixelRatio;
	lines.forEach((line, k) => {
		ctx.strokeStyle = themeColor(machineProperty(k));
		ctx.beginPath();
		line.forEach((interval, i) => {
			if (!interval || !interval.half) return;
			const x = u.valToPos(xs[i], "x", true);
			const low = u.valToPos(interval.mean - interval.half, "y", true);
			const high = u.valToPos(interval.mean + interval.half, "y", true);
			ctx.moveTo(x - cap, low);
			ctx.lineTo(x + cap, low);
			ctx.moveTo(x - cap, high);
			ctx.lineTo(x + cap, high);
			ctx.moveTo(x, low);
			ctx.lineTo(x, high);
		});
		ctx.stroke();
	});
	ctx.restore();
}

/**
 * @param {string} text
 * @param {number} room characters
 */
function shorten(text, room) {
	return text.length <= room ? text : text.slice(0, Math.max(1, Math.floor(room) - 1)) + "…";
}

/**
 * The findings in full, under their headings.
 *
 * @param {Sweep} sweep
 */
export function sectionsElement(sweep) {
	if (sweep.sections.length === 0) return null;
	return h("div", { class: "prose" }, sweep.sections.flatMap((section) => [
		h("h3", {}, section.title),
		section.lines.length === 1 ? h("p", {}, section.lines[0]) : h("ul", {}, section.lines.map((line) => h("li", {}, line))),
	]));
}

/**
 * All runs; the name of one that has a page leads there.
 *
 * @param {Sweep} sweep
 */
export function runListElement(sweep) {
	const head = h("tr", {}, ["run", "point", "trial", "seed", "events", "verdict"].map((name, i) => h("th", { scope: "col", class: (i === 0 || i === 5) && "words" }, name)));
	const rows = sweep.runs.map((run) => h("tr", {},
		h("th", { scope: "row", class: "words" }, isPage(run.page) ? h("a", { href: run.page }, run.name) : run.name),
		h("td", {}, String(run.point)), h("td", {}, String(run.trial)), h("td", {}, run.seed), h("td", {}, formatCount(run.events)), h("td", { class: "words" }, run.verdict)));
	return frameTable(h("table", {}, h("caption", { class: "hidden-text" }, "Runs"), h("thead", {}, head), h("tbody", {}, rows)), rows.length > 14);
}

/**
 * Whether a link leads to a file below this one: what came out of a file might be a script.
 *
 * @param {string} page
 */
function isPage(page) {
	return /^[\w][\w./-]*\.html$/.test(page) && !page.includes("..");
}

/** @param {Sweep} sweep */
export function sweepTablesElement(sweep) {
	return sweep.tables.length === 0 ? null : tablesElement(sweep.tables);
}
